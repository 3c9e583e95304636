package web

import (
	"bytes"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// errorBody is what is the matter, whether anything is lost, and what to do.
type errorBody struct {
	State, Heading string
	Text           text
	Label, Href    string
	Request        string
	Retry          int // seconds after which the page asks whether it is there again; 0 never
}

// errorPage says a problem to a person. No number, no joke, no blame, no inner
// text.
func (s *Server) errorPage(c echo.Context, p *problem) error {
	if s.site == nil {
		return s.writeProblem(c, p)
	}
	h := c.Response().Header()
	for name, values := range p.header {
		h[name] = values
	}
	words := s.phrases(c)
	body := errorOf(words, c, p)
	body.Request = words.say("request", args{"id": name(requestIDOf(c))}).String()
	out := page{words: words.words, Title: body.Heading, Brand: "Tracker", BrandURL: "/"}
	if retry, err := strconv.Atoi(h.Get("Retry-After")); err == nil {
		out.Refresh = max(retry, 5)
		if c.Request().Method == http.MethodGet {
			body.Retry, out.Scripts = out.Refresh, []string{"retry.js"}
		}
	}
	out.Body = body
	if err := s.render(c, p.Status, "error", out, pagePolicy{}); err == nil || c.Response().Committed {
		return err
	}
	return s.staticError(c, p)
}

// staticError is for when nothing else works: a file that needs no template, no
// words and no other request. The proxy serves the same files.
func (s *Server) staticError(c echo.Context, p *problem) error {
	name := "static/errors/500.html"
	if p.Status == http.StatusServiceUnavailable {
		name = "static/errors/503.html"
	}
	body, err := pageFiles.ReadFile(name)
	if err != nil {
		return s.writeProblem(c, p)
	}
	s.allowPage(c, pagePolicy{StyleHashes: inlineHashes(body, "style")})
	h := c.Response().Header() // of all pages the only one with a script inside
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "script-src 'self'", sources("script-src 'self'", inlineHashes(body, "script")), 1))
	body = bytes.ReplaceAll(body, []byte(`<!--# echo var="id_of_request" -->`), []byte(html.EscapeString(requestIDOf(c))))
	return c.HTMLBlob(p.Status, body)
}

// inlineHashes names the content of the page's elements of one kind in a policy.
func inlineHashes(page []byte, element string) []string {
	var list []string
	for {
		_, rest, found := bytes.Cut(page, []byte("<"+element+">"))
		if !found {
			return list
		}
		content, after, _ := bytes.Cut(rest, []byte("</"+element+">"))
		list, page = append(list, hashSource(content)), after
	}
}

func errorOf(w phrases, c echo.Context, p *problem) errorBody {
	path := c.Request().URL.Path
	about := strings.HasPrefix(path, "/track/") || strings.HasPrefix(path, "/checkout/")
	retryAt := w.now.Add(time.Minute)
	if retry, err := strconv.Atoi(p.header.Get("Retry-After")); err == nil {
		retryAt = w.now.Add(time.Duration(max(retry, 5)) * time.Second)
	}
	at := args{"at": retryAt}
	again := func(b errorBody) errorBody {
		b.Label, b.Href = w.get("err_again"), c.Request().URL.RequestURI()
		if c.Request().Method != http.MethodGet {
			b.Href = path
		}
		return b
	}
	say := func(state, key string) errorBody {
		return errorBody{State: state, Heading: w.get(key), Text: w.say(key+"_text", at)}
	}
	switch {
	case p.Status == http.StatusNotFound && about:
		return say("no_order", "err_order")
	case p.Status == http.StatusNotFound:
		b := say("no_page", "err_page")
		b.Label, b.Href = w.get("err_start"), "/"
		return b
	case p.Status == http.StatusUnauthorized:
		return say("no_access", "err_token")
	case p.Code == "cross_origin":
		b := say("old_form", "err_form")
		b.Label, b.Href = w.get("err_back"), strings.TrimSuffix(strings.TrimSuffix(path, "/pay"), "/stop")
		return b
	case p.Status == http.StatusTooManyRequests:
		return say("too_many", "err_many")
	case p.Status == http.StatusServiceUnavailable:
		return again(say("away", "err_away"))
	case p.Status >= http.StatusInternalServerError:
		return again(say("broken", "err_ours"))
	}
	return say("refused", "err_other")
}
