package webhooks

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tracker/notify/eventwire"
)

// State is where one event stands on its way to one endpoint.
type State string

// A delivery is pending until a receiver answers 2xx (delivered) or the schedule
// ends (given_up). Replay makes it pending again.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	GivenUp   State = "given_up"
)

// Item is an event as it will be sent: the same bytes at every attempt.
type Item struct {
	Merchant  string
	EventID   string
	EventType string
	Subject   string // the order or payment
	Seq       int64
	Body      []byte
	At        time.Time // when it was taken in
	Trace     string    // the traceparent that its attempts belong to; "": none
}

// Delivery is an Item on its way to one endpoint.
type Delivery struct {
	Item
	Endpoint string
	Previous int64     // see HeaderPrevious
	Tries    int       // attempts made since it was queued or replayed
	FirstTry time.Time // zero before the first attempt
}

// Attempt is one line of the log: one request and what came of it.
type Attempt struct {
	ID        string     `json:"id"`
	Endpoint  string     `json:"endpoint_id"`
	EventID   string     `json:"event_id"`
	EventType string     `json:"event_type"`
	Subject   string     `json:"subject"`
	Seq       int64      `json:"seq"`
	Try       int        `json:"try"`
	At        time.Time  `json:"at"`
	Duration  int64      `json:"duration_ms"`
	Status    int        `json:"status_code,omitempty"` // 0: no answer
	Error     string     `json:"error,omitempty"`       // a stable word, such as "timeout"
	Excerpt   string     `json:"response_excerpt,omitempty"`
	State     State      `json:"state"` // what became of the delivery
	Next      *time.Time `json:"next_attempt_at,omitempty"`
}

// AttemptFilter narrows a list of attempts, newest first.
type AttemptFilter struct {
	Endpoint      string // "": all endpoints of the merchant
	Subject       string // only about this order or payment
	EventID       string
	StartingAfter string // the id of the last attempt of the page before
	Limit         int    // 1 to 100; 0 means 20
}

const prefixAttempt = "att_"

// check refuses what no attempt can have: the cursor of another list must not look
// like the end of this one, and some databases refuse to compare with a NUL.
func (f AttemptFilter) check() error {
	var bad []FieldError
	if f.Limit < 1 || f.Limit > 100 {
		bad = append(bad, FieldError{"/limit", "out_of_range", "must be from 1 to 100"})
	}
	if f.StartingAfter != "" && !eventwire.ValidID(prefixAttempt, f.StartingAfter) {
		bad = append(bad, FieldError{"/starting_after", "invalid", "must be the id of an attempt"})
	}
	for _, text := range []struct{ pointer, value string }{{"/subject", f.Subject}, {"/event_id", f.EventID}} {
		if !utf8.ValidString(text.value) || strings.ContainsFunc(text.value, unicode.IsControl) {
			bad = append(bad, FieldError{text.pointer, "invalid", "must be text without control characters"})
		}
	}
	if bad != nil {
		return &InvalidError{Fields: bad}
	}
	return nil
}

// AttemptPage is one page of the log.
type AttemptPage struct {
	Data    []Attempt `json:"data"`
	HasMore bool      `json:"has_more"`
}

// ReplayRequest selects what is sent again, under the same ids and bodies. What
// is still pending is tried at once. Give either part, or both to narrow.
type ReplayRequest struct {
	Since    time.Time // events taken in at or after
	EventIDs []string
	// FailedOnly leaves out what was delivered.
	FailedOnly bool
	// IfVersion: only while the endpoint has this version; 0 for any.
	IfVersion int64
}

// Counts are for metrics and readiness.
type Counts struct {
	Enabled, Failing, Disabled int64
	Pending                    int64
	OldestPending              time.Time // of those at enabled endpoints; zero when nothing is pending there
}
