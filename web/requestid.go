package web

import (
	"math/rand/v2"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	maxRequestID  = 128
	requestHeader = "X-Request-Id"
)

// requestID gives every request an id. One that the caller sends is kept when
// it is short and plain, so that it can be found in both logs.
func (s *Server) requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(requestHeader)
		if !plainID(id) {
			id = newRequestID()
		}
		factsOf(c).requestID = id
		c.Response().Header().Set(requestHeader, id)
		return next(c)
	}
}

// newRequestID makes an id that is told from others and guards nothing, so that
// it need not be hard to guess.
func newRequestID() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	text := [28]byte{'r', 'e', 'q', '_'}
	for at := 4; at < len(text); at += 12 {
		number := rand.Uint64()
		for i := range 12 {
			text[at+i] = alphabet[number&31]
			number >>= 5
		}
	}
	return string(text[:])
}

func requestIDOf(c echo.Context) string { return factsOf(c).requestID }

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
