package web

import "github.com/labstack/echo/v4"

const factsKey = "tracker.facts"

// facts are what this package knows of one request. They are one value, since
// each value in echo's map costs an allocation and a lock, on every poll.
type facts struct {
	requestID  string
	principal  principal
	identified bool // principal is set
	stream     bool // a feed: its time is not in the latency figures
}

// factsOf returns the request's facts, to be read and changed by its goroutine.
func factsOf(c echo.Context) *facts {
	if f, ok := c.Get(factsKey).(*facts); ok {
		return f
	}
	f := &facts{}
	c.Set(factsKey, f)
	return f
}
