package orders

import (
	"slices"
	"strings"
	"time"
)

// Payment is what an order knows of one of its payments: a projection of the
// newest payment event. The payment itself belongs to payments.
type Payment struct {
	ID            string     `json:"id"`
	Status        string     `json:"status"`
	Amount        int64      `json:"amount"`
	Captured      int64      `json:"captured"`
	Refunded      int64      `json:"refunded"`
	RefundPending int64      `json:"refund_pending"`
	UpdatedAt     time.Time  `json:"updated_at"`
	NextCheckAt   *time.Time `json:"next_check_at,omitempty"`

	Currency string `json:"-"`
	// Sequence is that of the payment event it was taken from.
	Sequence int64 `json:"-"`
	// Counts says that its money was taken for this order in the ordinary way.
	// A late success that was not accepted and a review that was returned never
	// count.
	Counts bool `json:"-"`
	// Accepted says that it was a late success and the merchant's policy keeps it.
	Accepted bool `json:"-"`
	// Reversed says that the provider took the money back at some time.
	Reversed bool `json:"-"`
}

// The words of payments that mean something to an order. They are the contract
// of the payment event, not a type of another package.
const (
	stateCreated           = "created"
	stateRequiresAction    = "requires_action"
	stateProcessing        = "processing"
	stateUnknown           = "unknown"
	stateAuthorized        = "authorized"
	statePartiallyCaptured = "partially_captured"
	stateCaptured          = "captured"
	statePartiallyRefunded = "partially_refunded"
	stateFailed            = "failed"
	stateVoided            = "voided"
	stateLateSuccess       = "late_success"
	stateRefundPending     = "refund_pending"
	stateReview            = "review"
	stateReversed          = "reversed"
)

// BlocksExpiry lists the payment states in which money may be on its way, so
// that the order must not expire. A payment that the shopper has not finished is
// one of them: it runs out no later than the order, and payments asks the bank
// before it says so.
func BlocksExpiry() []string {
	return []string{stateCreated, stateRequiresAction, stateProcessing, stateUnknown, stateAuthorized, stateReview}
}

// outstanding reports whether something is still to come from this payment.
func (p Payment) outstanding() bool {
	switch p.Status {
	case stateCreated, stateRequiresAction, stateProcessing, stateUnknown, stateAuthorized,
		stateLateSuccess, stateRefundPending, stateReview:
		return true
	}
	return p.RefundPending > 0 || p.betweenWords()
}

// betweenWords reports that a refund has succeeded and the payment's status does
// not say so yet: it comes as an event of its own right behind, and whoever was
// sent away in between would miss it.
func (p Payment) betweenWords() bool {
	switch p.Status {
	case stateCaptured, statePartiallyCaptured:
		return p.Refunded > 0
	case statePartiallyRefunded:
		return p.Refunded >= p.Captured
	}
	return false
}

// sum is what the payments that count add up to.
type sum struct {
	captured int64 // without what was reversed
	refunded int64
}

func sumOf(currency string, list []Payment) sum {
	var s sum
	for _, p := range list {
		if !p.Counts || p.Currency != currency || p.Status == stateReversed {
			continue
		}
		s.captured += p.Captured
		s.refunded += p.Refunded
	}
	return s
}

// paymentStatus derives the payment status of an order over amount from its
// payments. Pure, and independent of the order of list.
//
// A review stops everything. An order that is covered is judged by its sums
// alone: a forgotten second tab must not make a paid order look unpaid. Before
// that, the payment that is nearest to money speaks for all.
func paymentStatus(amount int64, currency string, list []Payment) PaymentStatus {
	if has(list, stateReview) {
		return PaymentReview
	}
	s := sumOf(currency, list)
	if s.captured >= amount {
		return settled(amount, s)
	}
	switch {
	case has(list, stateProcessing, stateUnknown):
		return PaymentProcessing
	case has(list, stateAuthorized):
		return PaymentAuthorized
	case has(list, stateRequiresAction):
		return PaymentActionRequired
	case s.captured > 0:
		return settled(amount, s)
	case has(list, stateLateSuccess):
		return PaymentReview
	case has(list, stateReversed):
		return PaymentFailed
	}
	return lastWord(list)
}

func settled(amount int64, s sum) PaymentStatus {
	net := s.captured - s.refunded
	switch {
	case s.refunded > 0 && net <= 0:
		return PaymentRefunded
	case net > amount:
		return PaymentOverpaid
	case net == amount:
		return PaymentPaid
	case s.refunded > 0:
		return PaymentPartiallyRefunded
	}
	return PaymentPartiallyPaid
}

// lastWord is the payment status where no money counts and nothing is open: the
// newest payment's end. Ids sort by creation.
func lastWord(list []Payment) PaymentStatus {
	if len(list) == 0 {
		return PaymentUnpaid
	}
	last := slices.MaxFunc(list, func(a, b Payment) int { return strings.Compare(a.ID, b.ID) })
	switch {
	case last.Refunded > 0:
		return PaymentRefunded
	case last.Status == stateFailed:
		return PaymentFailed
	case last.Status == stateVoided:
		return PaymentVoided
	}
	return PaymentUnpaid
}

// covered reports whether the money for the whole order is here, or was: a
// payment that covered it alone did so even if it was refunded or reversed since
// and the event in between was never seen.
func covered(amount int64, currency string, list []Payment) bool {
	s := sumOf(currency, list)
	return s.captured-s.refunded >= amount || slices.ContainsFunc(list, func(p Payment) bool {
		return p.Counts && p.Currency == currency && p.Captured >= amount
	})
}

func has(list []Payment, states ...string) bool {
	return slices.ContainsFunc(list, func(p Payment) bool { return slices.Contains(states, p.Status) })
}
