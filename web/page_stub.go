package web

import "github.com/labstack/echo/v4"

func (s *Server) pageRoutes(*echo.Echo) {}

func (s *Server) errorPage(c echo.Context, p *problem) error { return s.writeProblem(c, p) }
