package orders

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound says that the merchant has no such order or shipment. Somebody
// else's is not told apart from none.
var ErrNotFound = errors.New("orders: not found")

// ErrStale is what a [Store] answers when the order has moved on since it was
// read. Nothing was written. The service never lets it out.
var ErrStale = errors.New("orders: the order has changed since it was read")

// FieldError names one field that does not fit.
type FieldError struct {
	Pointer string `json:"pointer"` // RFC 6901, "/items/0/sku"
	Code    string `json:"code"`    // required, too_long, out_of_range, invalid …
	Detail  string `json:"detail"`
}

// InvalidError says that the input does not fit; nothing was changed.
type InvalidError struct{ Fields []FieldError }

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Pointer + " " + f.Code
	}
	return "orders: invalid input: " + strings.Join(parts, ", ")
}

// The codes of a [ConflictError].
const (
	CodeSequenceMismatch  = "sequence_mismatch"  // the caller's If-Match is not the current sequence
	CodeConcurrentUpdate  = "concurrent_update"  // others changed it again and again; try once more
	CodeIllegalTransition = "illegal_transition" // the state table has no such way
	CodeAlreadyShipped    = "already_shipped"    // too late to cancel
	CodeNotConfirmed      = "not_confirmed"      // not paid, so nothing is to be sent
	CodeOnHold            = "on_hold"            // release it first
	CodeOverShipment      = "over_shipment"      // more than is left to be sent
	CodeTooMany           = "too_many"           // a bound on what one order may carry
)

// ConflictError says that the order's state does not allow what was asked. It
// carries the state that stood in the way.
type ConflictError struct {
	Code     string
	Detail   string
	Status   string // the order's, at Sequence
	Sequence int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("orders: %s: %s (status %s, sequence %d)", e.Code, e.Detail, e.Status, e.Sequence)
}

func conflict(o Order, code, format string, args ...any) error {
	return &ConflictError{Code: code, Detail: fmt.Sprintf(format, args...), Status: string(o.Status), Sequence: o.Sequence}
}
