package notify

import (
	"errors"
	"fmt"
	"time"
)

// The errors that a caller must tell apart. All of them are returned before
// anything was written to the client, so that the caller may still answer.
var (
	// ErrNotFound is a feed that does not exist, or that the caller may not know of.
	ErrNotFound = errors.New("notify: no such feed")
	// ErrRevoked is a tracking token whose epoch is not the owner's newest.
	ErrRevoked = errors.New("notify: the token was revoked")
	// ErrUnavailable is a feed that is not in memory while the log does not answer.
	ErrUnavailable = errors.New("notify: the log does not answer")
	// ErrOrigin is a WebSocket from a page that is not on the list of origins.
	ErrOrigin = errors.New("notify: origin not allowed")
)

// LimitError refuses a connection that would be one too many.
type LimitError struct {
	Limit      string        // which one: "total", "feed", "address", "draining"
	RetryAfter time.Duration // when it is worth trying again, jittered
	Total      bool          // the server as a whole is full (503), not the caller's share (429)
}

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("notify: limit %q reached, retry after %s", e.Limit, e.RetryAfter)
}

// BadRequestError is a cursor, a wait or a query that cannot be understood.
type BadRequestError struct {
	Code      string // "invalid_cursor", "invalid_wait", "invalid_query", "invalid_upgrade"
	Parameter string // the query parameter or header at fault
	Detail    string // one sentence, without the value sent
}

// Error says what is wrong with which parameter.
func (e *BadRequestError) Error() string {
	return "notify: " + e.Parameter + ": " + e.Detail
}
