package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
	"tracker/web/tracktoken"
)

// problem is an RFC 9457 problem and the error that handlers return for it.
type problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	Instance  string         `json:"instance,omitempty"`
	Code      string         `json:"code"`
	RequestID string         `json:"request_id"`
	Errors    []fieldProblem `json:"errors,omitempty"`
	Current   any            `json:"current,omitempty"` // the present state, on a conflict

	header http.Header
	cause  error // for the log only
}

// fieldProblem names one input that does not fit: a member of the body by JSON
// pointer, or a parameter or header by name.
type fieldProblem struct {
	Pointer   string `json:"pointer,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Header    string `json:"header,omitempty"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
}

// Error implements error.
func (p *problem) Error() string { return "web: " + p.Code + ": " + p.Detail }

// Unwrap gives the cause to errors.Is.
func (p *problem) Unwrap() error { return p.cause }

// newProblem returns the problem of a code. Detail is for people and is shown.
func newProblem(code, detail string) *problem {
	c := findCode(code)
	return &problem{Type: "/docs#" + c.Code, Title: c.Title, Status: c.Status, Detail: detail, Code: c.Code, header: http.Header{}}
}

func (p *problem) retryAfter(d time.Duration) *problem {
	seconds := int64((d + time.Second - 1) / time.Second)
	p.header.Set("Retry-After", strconv.FormatInt(max(seconds, 1), 10))
	return p
}

func invalidParameter(name, detail string) *problem {
	p := newProblem("invalid_parameter", name+" "+detail)
	p.Errors = []fieldProblem{{Parameter: name, Code: "invalid", Detail: detail}}
	return p
}

func invalidHeader(name, detail string) *problem {
	p := newProblem("invalid_parameter", name+" "+detail)
	p.Errors = []fieldProblem{{Header: name, Code: "invalid", Detail: detail}}
	return p
}

// toProblem asks the ordered table; the last line catches everything else.
func toProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, rule := range problemRules {
		if p := rule(err); p != nil {
			p.cause = err
			return p
		}
	}
	p = newProblem("internal", "")
	p.cause = err
	return p
}

// problemRules is the ordered table from errors to problems. A rule answers nil
// for an error that is not its own.
var problemRules = []func(error) *problem{
	problemOfEcho,
	problemOfBody,
	problemOfAccess,
	problemOfRepeat,
	problemOfOrders,
	problemOfProviders, // before payments: a provider's answer may be wrapped there
	problemOfPayments,
	problemOfWebhooks,
	problemOfFeeds,
	problemOfAway, // late: what a domain found out is worth more than how it failed afterwards
	problemOfContext,
}

func problemOfEcho(err error) *problem {
	var he *echo.HTTPError
	if !errors.As(err, &he) {
		return nil
	}
	switch he.Code {
	case http.StatusNotFound:
		return newProblem("not_found", "There is nothing at this address.")
	case http.StatusMethodNotAllowed:
		return newProblem("method_not_allowed", "")
	case http.StatusRequestEntityTooLarge:
		return newProblem("body_too_large", "")
	case http.StatusUnsupportedMediaType:
		return newProblem("unsupported_media_type", "")
	}
	return nil
}

func problemOfBody(err error) *problem {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return newProblem("body_too_large", "At most "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes are accepted here.")
	}
	return nil
}

func problemOfAccess(err error) *problem {
	var invalid *apikeys.InvalidError
	var version *apikeys.VersionError
	switch {
	case errors.Is(err, apikeys.ErrUnknownKey), errors.Is(err, tracktoken.ErrInvalid):
		return unauthorized("The key or token is not good: mistyped, unknown, expired or revoked. Make a new key with tracker keys create, or a new token with POST /v1/orders/{id}/token.")
	case errors.Is(err, apikeys.ErrNotFound):
		return newProblem("not_found", "")
	case errors.As(err, &version):
		p := newProblem("sequence_mismatch", "")
		p.Current = currentVersion{Status: version.Status, Version: version.Version}
		return p
	case errors.As(err, &invalid):
		return invalidFields(invalid.Fields)
	}
	return nil
}

// unauthorized is the same for all that is wrong with a key or token, so that
// nobody learns which keys there are; detail says what to do.
func unauthorized(detail string) *problem {
	p := newProblem("unauthorized", detail)
	p.header.Set("WWW-Authenticate", `Bearer realm="tracker"`)
	return p
}

// problemOfAway is for a database or a broker that cannot be reached. web may know
// neither; their errors say it of themselves.
func problemOfAway(err error) *problem {
	var away interface{ Unavailable() bool }
	if errors.As(err, &away) && away.Unavailable() {
		return newProblem("unavailable", "Something that this needs does not answer.").retryAfter(time.Second)
	}
	return nil
}

func problemOfContext(err error) *problem {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return newProblem("unavailable", "This took too long.").retryAfter(time.Second)
	}
	return nil
}

// handleError is echo's error handler: every error of every handler ends here.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := toProblem(err)
	s.logProblem(c, p)
	write := s.writeProblem
	if prefersPage(c.Request()) {
		write = s.errorPage
	}
	if err := write(c, p); err != nil {
		s.log.DebugContext(c.Request().Context(), "problem not written", "error", err)
	}
}

func (s *Server) logProblem(c echo.Context, p *problem) {
	level := slog.LevelDebug
	if p.Status >= http.StatusInternalServerError && c.Request().Context().Err() == nil {
		level = slog.LevelError
		if p.Code == "unavailable" {
			level = slog.LevelWarn
		}
	}
	s.log.LogAttrs(c.Request().Context(), level, "request failed",
		slog.String("request_id", requestIDOf(c)), slog.String("route", c.Path()), slog.String("code", p.Code), slog.Any("error", p.cause))
}

// writeProblem answers with p as application/problem+json.
func (s *Server) writeProblem(c echo.Context, p *problem) error {
	out := *p
	out.RequestID, out.Instance = requestIDOf(c), c.Request().URL.EscapedPath()
	h := c.Response().Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Set("Cache-Control", "no-store")
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return c.Blob(p.Status, "application/problem+json", append(body, '\n'))
}

// prefersPage reports whether the client is a browser that navigates: it asks
// for HTML, not for an operation of the API.
func prefersPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/v1/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}
