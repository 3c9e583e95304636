package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// accessLog writes one line per request and counts it. The line has the path
// but never the query, a header, a cookie, a body or an address: tokens travel
// in some of these, and an address is personal.
func (s *Server) accessLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.now()
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		if err := next(c); err != nil {
			c.Error(err) // writes the problem, so that the line has its status
		}
		took := s.now().Sub(start)
		s.metrics.observe(c, took)
		s.logRequest(c, took)
		return nil
	}
}

func (s *Server) logRequest(c echo.Context, took time.Duration) {
	r, w := c.Request(), c.Response()
	if !s.log.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("request_id", requestIDOf(c)), slog.String("method", knownMethod(r.Method)), slog.String("path", r.URL.EscapedPath()),
		slog.String("route", c.Path()), slog.Int("status", w.Status), slog.Int64("bytes", w.Size),
		slog.Duration("took", took), slog.String("proto", r.Proto), slog.String("principal", principalOf(c).name()))
}

// recoverPanic turns a panic into a 500. net/http's own signal to abort a
// response passes on.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if e, ok := reason.(error); ok && errors.Is(e, http.ErrAbortHandler) {
				panic(reason)
			}
			s.log.ErrorContext(c.Request().Context(), "panic", "request_id", requestIDOf(c), "route", c.Path(),
				"reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
			err = newProblem("internal", "")
		}()
		return next(c)
	}
}
