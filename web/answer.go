package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// answer is what a command or query answers with. It is data, so that it can be
// stored and sent again.
type answer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"`
	Body   json.RawMessage   `json:"body,omitempty"`

	whole bool // answered in full, whatever If-None-Match says
}

// operation is the handler of an ordinary route. ctx carries the deadline and,
// for a command with an Idempotency-Key, the transaction.
type operation func(ctx context.Context, c echo.Context) (answer, error)

// reply builds an answer with value as its JSON body.
func reply(status int, value any) (answer, error) {
	body, err := encode(value)
	if err != nil {
		return answer{}, err
	}
	return answer{Status: status, Header: map[string]string{}, Body: body}, nil
}

// encode writes JSON with <, > and & as they are: an answer is never HTML, and
// nosniff keeps it so. A stored body comes back byte for byte.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// tagged adds the sequence as ETag: what If-Match and If-None-Match compare.
func (a answer) tagged(sequence int64) answer {
	a.Header["ETag"] = `"` + strconv.FormatInt(sequence, 10) + `"`
	return a
}

// replyVersion is reply with the version as ETag, for If-Match alone: it does not
// count how the deliveries of an endpoint go, so a GET never answers 304 by it.
func replyVersion(status int, value any, version int64) (answer, error) {
	a, err := reply(status, value)
	if err != nil {
		return answer{}, err
	}
	a.whole = true
	return a.tagged(version), nil
}

func (a answer) at(location string) answer {
	a.Header["Location"] = location
	return a
}

func (a answer) write(c echo.Context) error {
	h := c.Response().Header()
	for name, value := range a.Header {
		h.Set(name, value)
	}
	h.Set("Cache-Control", "no-store")
	if tag := a.Header["ETag"]; tag != "" && !a.whole && c.Request().Method == http.MethodGet && matches(c.Request().Header.Get("If-None-Match"), tag) {
		return c.NoContent(http.StatusNotModified)
	}
	if a.Body == nil {
		return c.NoContent(a.Status)
	}
	return c.Blob(a.Status, echo.MIMEApplicationJSON, append(a.Body[:len(a.Body):len(a.Body)], '\n'))
}

// matches compares entity tags weakly, as If-None-Match asks for.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return true
		}
	}
	return false
}

// ifSequence reads If-Match: the sequence or version that a change insists on, 0
// for none.
func ifSequence(c echo.Context) (int64, error) {
	h := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if h == "" || h == "*" {
		return 0, nil
	}
	text := strings.TrimPrefix(h, "W/")
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n < 1 {
		return 0, invalidHeader("If-Match", `must be one ETag, such as "7"; quotes and W/ may be left out`)
	}
	return int64(n), nil
}
