package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tracker/payments/money"
)

// Provider is one bank or payment company, as this package needs it. It knows
// nothing of our state: it asks, tells and verifies. Every method may be called
// by several goroutines and several processes at once, and again after a crash:
// the same key must have its effect at the provider once, and the repeated call
// answers with what is true now.
//
// Errors of the methods that talk to the provider: [ErrRejected] (a final no:
// repeating the call cannot help), [ErrUnavailable] (it said "not now"; wrap it
// in [UnavailableError] where it said when), [ErrTimeout] (no answer that can
// be understood: it may have happened or not). Any other error is treated as
// ErrTimeout, which is the careful reading. Error texts reach logs: no secrets.
type Provider interface {
	// Name is the word in POST /v1/callbacks/{name}, lower case.
	Name() string
	// Origins lists the origins that a form of ours may lead to, for form-action.
	Origins() []string

	// Create opens a session in which the shopper can pay.
	Create(ctx context.Context, in NewSession) (Session, error)
	// Status asks what became of a session, refunds included.
	Status(ctx context.Context, reference string) (Report, error)
	// Capture takes in.Amount of what the shopper approved. The report's Captured
	// is the sum of all captures of the session.
	Capture(ctx context.Context, in Operation) (Report, error)
	// Void releases what was approved and not captured.
	Void(ctx context.Context, in Operation) (Report, error)
	// Cancel closes a session that nobody has approved. Where the shopper was
	// faster it is no error: the report says what the session is now.
	Cancel(ctx context.Context, in Operation) (Report, error)
	// Refund sends back in.Amount of what was captured.
	Refund(ctx context.Context, in NewTransfer) (Transfer, error)

	// ParseCallback verifies the signature on the raw bytes, in constant time and
	// with a tolerance around now, and only then reads them. ErrForged when the
	// signature, the time or a header is missing or wrong; ErrMalformed when they
	// are right and the body still cannot be read.
	ParseCallback(header map[string][]string, body []byte, now time.Time) (Callback, error)
}

// NewSession is what a provider must know to open a session.
type NewSession struct {
	Key       string // idempotency key: one session per key
	Payment   string // our id; the provider carries it and names it in callbacks
	Order     string
	Merchant  string
	Amount    money.Amount
	Capture   CaptureMode
	ReturnURL string
	Title     string // what the shopper reads, such as the order's reference
	ExpiresAt time.Time
}

// Session is a place at the provider where the shopper can pay.
type Session struct {
	Reference   string // the provider's id, never empty
	RedirectURL string
	// Payee is the account that gets the money, where the provider names it.
	// A later report that names another one is a mismatch.
	Payee string
}

// Operation is one thing to be done to a session.
type Operation struct {
	Key       string
	Reference string
	Payment   string
	Amount    money.Amount // Capture only
}

// NewTransfer is an order to send money back.
type NewTransfer struct {
	Key       string // stable per cause; one transfer per key
	Refund    string // our id
	Payment   string
	Reference string // of the session
	Amount    money.Amount
	Reason    string
}

// Transfer is what the provider says about one refund: one of ours, or one that
// somebody made at the provider.
type Transfer struct {
	Refund    string `json:"refund,omitempty"`    // our id, where the provider carries it
	Reference string `json:"reference,omitempty"` // the provider's id
	// Amount is in minor units of the session's currency. Without it a refund that
	// we did not ask for cannot be taken into account.
	Amount int64        `json:"amount,omitempty"`
	Status RefundStatus `json:"status"`         // pending, succeeded, failed, requires_action or cancelled
	Code   string       `json:"code,omitempty"` // why it failed, one word
	At     time.Time    `json:"at,omitzero"`    // the provider's time
}

// ReportState is what a session is, in the words that all providers share.
type ReportState string

// The states of a session. There is none for "I could not find out": that is an error.
const (
	ReportNothing    ReportState = ""           // it is not about the session, only about the transfers
	ReportOpen       ReportState = "open"       // the shopper has not decided
	ReportProcessing ReportState = "processing" // the shopper has, the bank has not
	ReportAuthorized ReportState = "authorized" // approved, not captured
	ReportCaptured   ReportState = "captured"   // the money was taken, all or in part (Captured)
	ReportFailed     ReportState = "failed"     // declined
	ReportExpired    ReportState = "expired"    // ended by the provider's clock
	ReportCancelled  ReportState = "cancelled"  // cancelled or voided, whoever asked for it
	ReportReversed   ReportState = "reversed"   // captured, then taken back by the provider
)

// Report is what a provider says about a session at one moment, in an answer or
// in a callback. What it does not say stays zero and is then not compared,
// except Captured: a captured report must tell the sum.
type Report struct {
	Reference   string         `json:"reference,omitempty"`
	State       ReportState    `json:"state"`
	Currency    money.Currency `json:"currency,omitempty"`
	Amount      int64          `json:"amount,omitempty"`   // what the session asks or what was approved, in minor units
	Captured    int64          `json:"captured,omitempty"` // sum of the captures so far, in minor units
	Payee       string         `json:"payee,omitempty"`
	DeclineCode string         `json:"decline_code,omitempty"`
	// OccurredAt is the provider's own time of the newest change that the report knows.
	OccurredAt time.Time  `json:"occurred_at,omitzero"`
	Transfers  []Transfer `json:"transfers,omitempty"`
	// NextAction replaces the redirect of the session, where the provider moved it.
	NextAction string `json:"next_action,omitempty"`
}

// Callback is one verified message of a provider.
type Callback struct {
	EventID   string // unique at the provider; the same message again has the same id
	Type      string // the provider's own word, kept as it came
	Payment   string // our id, as the provider carries it; may be empty
	Reference string // the provider's id of the session; may be empty
	// About is what a [Completer] needs to find out the rest.
	About string
	// Report is nil when the type means nothing to us: it is stored and
	// acknowledged, and changes nothing.
	Report *Report
}

// Completer is a Provider some of whose messages do not say enough: they name
// something of the provider's own instead of our payment, or tell that something
// happened and not what.
type Completer interface {
	// Complete asks the provider what a verified callback with an About means, and
	// returns it with its Payment and Report; without a Report where it is about
	// nothing of ours. Errors as those of Provider: the callback is then not taken,
	// and the provider sends it again.
	Complete(ctx context.Context, cb Callback) (Callback, error)
}

// Errors of a provider.
var (
	ErrRejected    = errors.New("payments: the provider rejected it")
	ErrUnavailable = errors.New("payments: the provider is unavailable")
	ErrTimeout     = errors.New("payments: the provider did not answer")
	ErrForged      = errors.New("payments: callback is not from the provider")
	ErrMalformed   = errors.New("payments: callback cannot be read")
)

// RejectedError is a final no with its reason, one word such as
// "insufficient_funds". It matches [ErrRejected].
type RejectedError struct {
	Code string
	Err  error // may be nil
}

// Error implements error.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("payments: the provider rejected it: %s", e.Code)
}

// Unwrap makes errors.Is find ErrRejected and the cause.
func (e *RejectedError) Unwrap() []error { return withCause(ErrRejected, e.Err) }

// UnavailableError is "not now" with the time to wait. It matches [ErrUnavailable].
type UnavailableError struct {
	RetryAfter time.Duration // 0: the provider did not say
	Err        error         // may be nil
}

// Error implements error.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("payments: the provider is unavailable, retry after %s", e.RetryAfter)
}

// Unwrap makes errors.Is find ErrUnavailable and the cause.
func (e *UnavailableError) Unwrap() []error { return withCause(ErrUnavailable, e.Err) }

func withCause(kind, cause error) []error {
	if cause == nil {
		return []error{kind}
	}
	return []error{kind, cause}
}
