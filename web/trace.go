package web

import "github.com/labstack/echo/v4"

// trace puts the request under a trace of its own, where anybody wants one. It
// stands outside the access log, so that the line and what follows belong to it.
func (s *Server) trace(next echo.HandlerFunc) echo.HandlerFunc {
	if s.deps.Trace == nil {
		return next
	}
	return func(c echo.Context) error {
		ctx, end := s.deps.Trace(c.Request(), c.Path())
		c.SetRequest(c.Request().WithContext(ctx))
		err := next(c)
		end(c.Response().Status)
		return err
	}
}
