package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
)

const (
	smallBody = 64 << 10
	orderBody = 1 << 20
	// bodyTimeout bounds how long a client may take to send its body.
	bodyTimeout = 15 * time.Second
)

// readBody reads the whole body under a deadline and puts it back, so that
// handlers, the idempotency hash and signatures all see the same bytes.
func readBody(c echo.Context, limit int64) ([]byte, error) {
	r := c.Request()
	if r.ContentLength > limit {
		c.Response().Header().Set("Connection", "close") // what is on its way is not worth reading
		return nil, &http.MaxBytesError{Limit: limit}
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	control := http.NewResponseController(c.Response())
	// A recorder in a test has no connection; then there is nothing to bound.
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, limit))
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		return nil, bodyError(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	p := newProblem("malformed_json", "The body did not arrive completely.")
	p.cause = err
	return p
}

// boundPages bounds the bodies of everything that is not in the route table.
func (s *Server) boundPages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.HasPrefix(c.Request().URL.Path, "/v1/") {
			return next(c)
		}
		if _, err := readBody(c, smallBody); err != nil {
			return err
		}
		return next(c)
	}
}

const bodyKey = "tracker.body"

// decode reads the JSON body into v, strictly.
func decode(c echo.Context, v any) error {
	body, _ := c.Get(bodyKey).([]byte)
	if err := requireJSON(c.Request()); err != nil {
		return err
	}
	return decodeJSON(body, v)
}

// decodeOptional is decode for operations whose body may be left out.
func decodeOptional(c echo.Context, v any) error {
	if body, _ := c.Get(bodyKey).([]byte); len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return decode(c, v)
}

func requireJSON(r *http.Request) error {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
		return newProblem("unsupported_media_type", "Send Content-Type: application/json.")
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return newProblem("unsupported_media_type", "JSON is UTF-8: send it so, and leave charset out.")
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return newProblem("unsupported_media_type", "Send the body as it is, without Content-Encoding.")
	}
	return nil
}

func decodeJSON(body []byte, v any) error {
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return refuseNull(body)
	}
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return invalidField(string(syntax.JSONPointer), "duplicate", "appears twice")
	case errors.As(err, &semantic):
		return semanticProblem(semantic)
	}
	return malformed(err)
}

// refuseNull refuses a null anywhere: the document allows none in a request, and
// what is left out often means everything.
func refuseNull(body []byte) error {
	if !bytes.Contains(body, []byte("null")) {
		return nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		switch token, err := d.ReadToken(); {
		case err != nil:
			return nil // its end: the whole was read before
		case token.Kind() == 'n':
			return invalidField(string(d.StackPointer()), "wrong_type", "must not be null; leave it out instead")
		}
	}
}

// notEmpty refuses a list without entries where one that is left out means all:
// whoever filters a list down to nothing does not want everything.
func notEmpty[T any](pointer string, list []T) error {
	if list != nil && len(list) == 0 {
		return invalidField(pointer, "required", "must have at least one entry, or be left out for all")
	}
	return nil
}

func semanticProblem(e *json.SemanticError) error {
	pointer := string(e.JSONPointer)
	if errors.Is(e.Err, json.ErrUnknownName) {
		return invalidField(pointer, "unknown_field", "is not a field of this request")
	}
	if e.JSONKind == 0 {
		return invalidField(pointer, "invalid_value", "does not fit")
	}
	return invalidField(pointer, "wrong_type", "must be "+expected(e))
}

func malformed(err error) error {
	p := newProblem("malformed_json", "The body is not valid JSON.")
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.JSONPointer != "" {
		p.Errors = []fieldProblem{{Pointer: string(syntax.JSONPointer), Code: "malformed", Detail: "parsing stopped here"}}
	}
	p.cause = err
	return p
}

// invalidField is the problem of one member of the body.
func invalidField(pointer, code, detail string) *problem {
	p := newProblem("invalid_request", strings.TrimSpace(pointer+" "+detail)+".")
	p.Errors = []fieldProblem{{Pointer: pointer, Code: code, Detail: detail}}
	return p
}
