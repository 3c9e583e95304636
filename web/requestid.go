package web

import (
	"crypto/rand"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	requestIDKey  = "tracker.request_id"
	maxRequestID  = 128
	requestHeader = "X-Request-Id"
)

// requestID gives every request an id. One that the caller sends is kept when
// it is short and plain, so that it can be found in both logs.
func (s *Server) requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(requestHeader)
		if !plainID(id) {
			id = "req_" + strings.ToLower(rand.Text())
		}
		c.Set(requestIDKey, id)
		c.Response().Header().Set(requestHeader, id)
		return next(c)
	}
}

func requestIDOf(c echo.Context) string {
	id, _ := c.Get(requestIDKey).(string)
	return id
}

func plainID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:", rune(c)) {
			return false
		}
	}
	return true
}
