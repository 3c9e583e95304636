package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// apiCall is one operation of the public API that a page uses for the person in
// front of it.
type apiCall struct {
	Method, Path string
	Key          string // Idempotency-Key
	Match        string // If-Match
	Bearer       string // instead of the person's own cookies
	Body         any
}

// apiAnswer is what came back. An API that writes nothing has not answered, and is
// not ok.
type apiAnswer struct {
	status int
	header http.Header
	body   []byte
}

// callAPI does what the person's browser would do with a script: the same
// address, cookies, limits and rules. Pages have no other way to change anything.
func (s *Server) callAPI(c echo.Context, call apiCall) (apiAnswer, error) {
	raw := []byte(nil)
	if call.Body != nil {
		var err error
		if raw, err = json.Marshal(call.Body); err != nil {
			return apiAnswer{}, err
		}
	}
	from := c.Request()
	r, err := http.NewRequestWithContext(from.Context(), call.Method, call.Path, bytes.NewReader(raw))
	if err != nil {
		return apiAnswer{}, err
	}
	r.RemoteAddr, r.Host, r.RequestURI = from.RemoteAddr, from.Host, call.Path
	for _, name := range []string{"Cookie", "Origin", "Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Proto"} {
		r.Header[name] = from.Header[name]
	}
	setNonEmpty(r.Header, "Idempotency-Key", call.Key)
	setNonEmpty(r.Header, "If-Match", call.Match)
	if call.Bearer != "" {
		r.Header.Del("Cookie")
		r.Header.Set("Authorization", "Bearer "+call.Bearer)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	api := s.deps.Pages.API
	if api == nil {
		api = s
	}
	a := apiAnswer{header: http.Header{}}
	api.ServeHTTP(&a, r)
	return a, nil
}

// Header implements [http.ResponseWriter].
func (a *apiAnswer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *apiAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements [http.ResponseWriter].
func (a *apiAnswer) Write(part []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, part...)
	return len(part), nil
}

func setNonEmpty(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// problem is the problem that the API answered with.
func (a apiAnswer) problem() *problem {
	p := newProblem("internal", "")
	if !strings.Contains(a.header.Get("Content-Type"), "problem+json") || json.Unmarshal(a.body, p) != nil {
		return newProblem("internal", "")
	}
	p.header = http.Header{}
	setNonEmpty(p.header, "Retry-After", a.header.Get("Retry-After"))
	return p
}

func (a apiAnswer) code() string { return a.problem().Code }

func (a apiAnswer) ok() bool {
	return a.status >= http.StatusOK && a.status < http.StatusMultipleChoices
}
