package web

import (
	"github.com/labstack/echo/v4"

	"tracker/notify/eventwire"
)

func (s *Server) followOrder(c echo.Context) error {
	return s.feed(eventwire.Orders, s.deps.Feeds.ServeFeed)(c)
}

func (s *Server) getOrderStatus(c echo.Context) error {
	return s.feed(eventwire.Orders, s.deps.Feeds.ServeStatus)(c)
}

func (s *Server) followPayment(c echo.Context) error {
	return s.feed(eventwire.Payments, s.deps.Feeds.ServeFeed)(c)
}

func (s *Server) getPaymentStatus(c echo.Context) error {
	return s.feed(eventwire.Payments, s.deps.Feeds.ServeStatus)(c)
}
