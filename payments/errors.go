package payments

import (
	"errors"
	"fmt"
)

// ErrNotFound says that the merchant has no such payment or refund. A payment
// of another merchant is not found either.
var ErrNotFound = errors.New("payments: not found")

// FieldError names one field that does not fit, by JSON pointer.
type FieldError struct{ Pointer, Code, Detail string }

// InvalidError says which fields of a request do not fit. Nothing was changed.
type InvalidError struct{ Fields []FieldError }

// Error implements error.
func (e *InvalidError) Error() string {
	if len(e.Fields) == 0 {
		return "payments: invalid request"
	}
	f := e.Fields[0]
	return fmt.Sprintf("payments: %s: %s", f.Pointer, f.Detail)
}

// Codes of a [ConflictError].
const (
	CodeIllegalTransition = "illegal_transition"   // the status does not allow it
	CodeSequenceMismatch  = "sequence_mismatch"    // changed since the caller looked
	CodePaymentOpen       = "payment_open"         // another payment of the order is undecided
	CodeOrderClosed       = "order_closed"         // the order takes no payment any more
	CodeOrderPaid         = "order_paid"           // nothing is due
	CodeTooMany           = "too_many"             // the order has as many payments as it may have, or the payment as many refunds
	CodeBusy              = "operation_pending"    // another operation waits for the bank
	CodeCaptureExceeds    = "capture_exceeds"      // more than what was approved
	CodeRefundExceeds     = "refund_exceeds"       // more than what is left of the captured sum
	CodeKeyReused         = "key_reused"           // the key was used for something else
	CodeCurrency          = "currency_mismatch"    // a payment in another currency can only be returned
	CodeRejected          = "rejected_by_provider" // the provider said a final no
)

// ConflictError says that the current state does not allow the command. It
// carries that state, so that the caller need not ask again.
type ConflictError struct {
	Code     string
	Detail   string
	Status   string
	Sequence int64
	Payment  *Payment // the payment in the way; nil where there is none
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("payments: %s: %s", e.Code, e.Detail)
}

func conflict(p *Payment, code, detail string) *ConflictError {
	e := &ConflictError{Code: code, Detail: detail}
	if p != nil {
		c := p.clone()
		e.Status, e.Sequence, e.Payment = string(p.Status), p.Sequence, &c
	}
	return e
}
