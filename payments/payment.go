package payments

import (
	"slices"
	"time"

	"tracker/notify/eventwire"
	"tracker/payments/money"
)

// CaptureMode says who takes the money once the shopper has approved.
type CaptureMode string

// The capture modes.
const (
	CaptureAutomatic CaptureMode = "automatic" // the bank, at once
	CaptureManual    CaptureMode = "manual"    // the merchant, by a capture
)

// Cause is who or what made a transition happen.
type Cause string

// The causes.
const (
	CauseCallback Cause = "callback" // the provider told us
	CausePoll     Cause = "poll"     // we asked the provider, or it answered a call of ours
	CauseMerchant Cause = "merchant"
	CauseShopper  Cause = "shopper"
	CauseTimer    Cause = "timer"
	CauseOperator Cause = "operator"
	CauseOrder    Cause = "order"    // the order was cancelled or expired, or is paid by another payment
	CauseProvider Cause = "provider" // of a refund: somebody made it at the provider, such as in its dashboard
)

// Payment is one attempt to pay one order.
type Payment struct {
	ID        string
	Merchant  string
	OrderID   string
	Provider  string
	Reference string // the provider's id of the session; "" until it is known
	Payee     string // the account that gets the money, where the provider named it
	Key       string // the caller's idempotency key, unique per merchant; "" = none
	Title     string
	Capture   CaptureMode
	ReturnURL string
	// Redirect is where the shopper goes to pay; "" once there is nothing to do.
	Redirect string

	Status        Status
	Sequence      int64
	Amount        money.Amount // what was asked for
	Approved      int64        // what the shopper approved; 0 until then
	Captured      int64
	Refunded      int64 // sum of the refunds that succeeded
	RefundPending int64 // sum of the refunds that are under way
	Reported      *Reported
	DeclineCode   string
	Round         int // which attempt to fill the order it belongs to; see Ledger

	Intents []Intent // what the provider was asked to do, oldest first
	Refunds []Refund // oldest first
	// Timeline holds every transition, oldest first; its length is Sequence.
	Timeline []eventwire.Transition

	CreatedAt   time.Time
	UpdatedAt   time.Time // of the last transition
	TheirTime   time.Time // the provider's time of the newest report that was applied
	ExpiresAt   time.Time
	NextCheckAt time.Time // zero: nothing is expected from anyone
	LastCheckAt time.Time
	Checks      int // status questions so far, against the budget
	Tries       int // calls since something last changed; spaces the next one
	Misses      int // questions in a row that got no answer
	// Nudged is true once a waiting shopper has brought a check forward in the
	// present status: one extra question, not one per click.
	Nudged bool
}

// Reported is what the provider claims where it differs from what we asked for.
type Reported struct {
	Amount   int64          `json:"amount"`
	Currency money.Currency `json:"currency"`
	Payee    string         `json:"-"`
	State    ReportState    `json:"-"`
}

// Op is a thing that the provider is asked to do.
type Op string

// The operations.
const (
	OpCancel  Op = "cancel"
	OpExpire  Op = "expire" // a cancel on the clock's behalf
	OpVoid    Op = "void"
	OpCapture Op = "capture"
)

// IntentState says whether the provider has answered.
type IntentState string

// The states of an intent.
const (
	IntentOpen    IntentState = "open"
	IntentDone    IntentState = "done"
	IntentRefused IntentState = "refused"
)

// Intent is an operation that was decided and committed before the provider was
// called, so that a crash in between is repeated and never forgotten. At most
// one is open per payment.
type Intent struct {
	Key       string // unique per payment, and the end of the provider's key
	Op        Op
	Amount    int64 // OpCapture: minor units to capture
	Target    int64 // OpCapture: the captured sum that it leads to
	Cause     Cause
	State     IntentState
	Code      string // why it was refused
	CreatedAt time.Time
}

// Refund is one order to send money back.
type Refund struct {
	ID        string
	PaymentID string
	Key       string // the cause, unique per payment: the same cause never refunds twice
	Amount    int64
	Currency  money.Currency
	Status    RefundStatus
	Reason    string
	Reference string // the provider's id
	Code      string // why it failed
	Cause     Cause
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Feed names the payment's feed.
func (p *Payment) Feed() eventwire.Key {
	return eventwire.Key{Merchant: p.Merchant, Kind: eventwire.Payments, ID: p.ID}
}

// OpenIntent is the operation that the provider has not answered, or nil.
func (p *Payment) OpenIntent() *Intent {
	for i := range p.Intents {
		if p.Intents[i].State == IntentOpen {
			return &p.Intents[i]
		}
	}
	return nil
}

// Refund returns the refund with that id, or nil.
func (p *Payment) Refund(id string) *Refund {
	for i := range p.Refunds {
		if p.Refunds[i].ID == id {
			return &p.Refunds[i]
		}
	}
	return nil
}

// Refundable is what is left of the captured sum.
func (p *Payment) Refundable() int64 { return p.Captured - p.Refunded - p.RefundPending }

// Capturable is what is approved and not captured.
func (p *Payment) Capturable() int64 { return max(0, p.approved()-p.Captured) }

// Closed reports whether nothing more is to come: final, and no money or
// operation outstanding.
func (p *Payment) Closed() bool { return p.Status.Final() && !p.outstanding() }

func (p *Payment) outstanding() bool {
	return p.OpenIntent() != nil || p.nextRefund() != nil
}

// nextRefund is the refund that waits for the provider, those first that it was
// never asked for.
func (p *Payment) nextRefund() *Refund {
	var waiting *Refund
	for i := range p.Refunds {
		r := &p.Refunds[i]
		if r.Status == RefundRequested {
			return r
		}
		if r.Status.Outstanding() && waiting == nil {
			waiting = r
		}
	}
	return waiting
}

func (p *Payment) approved() int64 {
	if p.Approved > 0 {
		return p.Approved
	}
	return p.Amount.Minor
}

// clone copies the payment so that the copy can change alone.
func (p *Payment) clone() Payment {
	c := *p
	c.Intents = slices.Clone(p.Intents)
	c.Refunds = slices.Clone(p.Refunds)
	c.Timeline = slices.Clone(p.Timeline)
	if p.Reported != nil {
		r := *p.Reported
		c.Reported = &r
	}
	return c
}
