package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

const apiPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// secureHeaders sets what every answer carries. A page replaces the policy with
// [Server.allowPage].
func (s *Server) secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	always := http.Header{
		"Content-Security-Policy":    {apiPolicy},
		"X-Content-Type-Options":     {"nosniff"},
		"X-Frame-Options":            {"DENY"},
		"Referrer-Policy":            {"same-origin"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
		"Permissions-Policy":         {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	}
	if s.secure() {
		always["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	return func(c echo.Context) error {
		maps.Copy(c.Response().Header(), always) // the values are shared: whoever adds to one gets a copy
		return next(c)
	}
}

// pagePolicy is what one page needs beyond the policy of all pages.
type pagePolicy struct {
	// FormAction lists origins that a form of the page ends at, directly or by
	// redirect: browsers apply form-action to the redirect as well.
	FormAction []string
	// StyleHashes lists the SHA-256 of inline style elements, as 'sha256-…'.
	StyleHashes []string
}

// allowPage sets the policy of a page: everything from ourselves, nothing
// inline, nothing from elsewhere.
func (s *Server) allowPage(c echo.Context, p pagePolicy) {
	c.Response().Header().Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'", "script-src 'self'", sources("style-src 'self'", p.StyleHashes), "img-src 'self' data:", "font-src 'self'",
		"connect-src 'self'", "manifest-src 'self'", sources("form-action 'self'", p.FormAction), "base-uri 'none'", "frame-ancestors 'none'",
	}, "; "))
}

// sources appends to a directive what cannot end it.
func sources(directive string, list []string) string {
	for _, v := range list {
		if !strings.ContainsAny(v, " ;,\t\r\n") {
			directive += " " + v
		}
	}
	return directive
}

// cors lets the pages of configured origins use the client and the feeds with a
// token that they hold. Cookies are never accepted across origins.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !shareable(c.Request().URL.Path) || len(s.deps.CORSOrigins) == 0 {
			return next(c)
		}
		r, h := c.Request(), c.Response().Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin == "" || !slices.Contains(s.deps.CORSOrigins, origin) {
			return next(c)
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Allow-Headers", "Authorization, Cache-Control, If-None-Match, Last-Event-ID, Prefer")
			h.Set("Access-Control-Max-Age", "7200")
			return c.NoContent(http.StatusNoContent)
		}
		return next(c)
	}
}

// shareable reports whether pages of other origins may ever read path.
func shareable(path string) bool {
	if strings.HasPrefix(path, "/client/") {
		return true
	}
	feed := strings.HasPrefix(path, "/v1/orders/") || strings.HasPrefix(path, "/v1/payments/")
	return feed && (strings.HasSuffix(path, "/events") || strings.HasSuffix(path, "/status"))
}

// refuseForgery refuses changes that a browser sends from another site, unless
// a key or token in Authorization shows that no cookie is at work.
func (s *Server) refuseForgery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Header.Get("Authorization") != "" {
			return next(c)
		}
		if err := s.forgery.Check(r); err != nil {
			return newProblem("cross_origin", "")
		}
		return next(c)
	}
}
