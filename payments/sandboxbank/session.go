package sandboxbank

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"tracker/payments/money"
)

// session is the bank's own record of a payment, as it stands in the journal.
// Its methods change it and never look at a clock or at the network.
type session struct {
	SessionRequest
	ID       string `json:"id"`
	Status   string `json:"status"`
	Decision string `json:"decision,omitempty"`
	Silent   bool   `json:"silent,omitempty"` // the shop is never called about it

	// Reported is what the bank says that it took: the sum asked for, unless
	// the decision was to get it wrong.
	Reported money.Amount     `json:"reported"`
	Payee    string           `json:"payee"`
	Captured int64            `json:"captured,omitempty"`
	Captures map[string]int64 `json:"captures,omitempty"` // by idempotency key
	Released bool             `json:"released,omitempty"` // what was not captured is no longer reserved
	Refunds  []Refund         `json:"refunds,omitempty"`

	// Due is when the bank acts by itself, and DueTo what status that leads to.
	Due   time.Time `json:"due,omitzero"`
	DueTo string    `json:"due_to,omitempty"`

	Changes   int       `json:"changes"` // numbers the events
	ChangedAt time.Time `json:"changed_at"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	CreatedAt time.Time `json:"created_at"`
}

func newSession(id string, in SessionRequest, now time.Time) *session {
	if in.Capture == "" {
		in.Capture = captureAutomatic
	}
	return &session{
		SessionRequest: in, ID: id, Status: StatusOpen,
		Reported:  money.Amount{Minor: in.Amount, Currency: money.Currency(in.Currency)},
		Payee:     payee,
		CreatedAt: now, ChangedAt: now,
	}
}

// payee is the account that every honest session pays into.
const payee = "sandbox-account"

const (
	captureAutomatic = "automatic"
	captureManual    = "manual"
)

func (s *session) clone() *session {
	c := *s
	c.Captures = maps.Clone(s.Captures)
	c.Refunds = slices.Clone(s.Refunds)
	return &c
}

// statusAt is the status that a question at this time gets: a session that
// nobody decided in time has expired, without anything having to happen for it.
func (s *session) statusAt(now time.Time) string {
	if s.Status == StatusOpen && !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) {
		return StatusExpired
	}
	return s.Status
}

// undecided reports whether the page still shows buttons.
func (s *session) undecided(now time.Time) bool {
	status := s.statusAt(now)
	waiting := status == StatusOpen || status == StatusPending
	return waiting && (s.Decision == "" || s.Decision == string(Pend))
}

func (s *session) enter(status string, now time.Time) {
	s.Status, s.ChangedAt = status, now
	s.Changes++
}

// approve takes or reserves the reported amount and returns the callback type
// that says so.
func (s *session) approve(now time.Time) string {
	if s.Capture == captureManual {
		s.enter(StatusAuthorized, now)
		return typeAuthorized
	}
	s.enter(StatusCaptured, now)
	s.Captured = s.Reported.Minor
	return typeSucceeded
}

// capture takes part of what is reserved; amount 0 takes the rest. A repeated
// key is a success without effect.
func (s *session) capture(key string, amount int64, now time.Time) error {
	if _, done := s.Captures[key]; done {
		return nil
	}
	if s.Status != StatusAuthorized && s.Status != StatusPartiallyCaptured {
		return conflict("not_capturable", "the payment is "+s.Status)
	}
	left := s.Reported.Minor - s.Captured
	if s.Released {
		left = 0
	}
	if amount == 0 {
		amount = left
	}
	if amount < 1 || amount > left {
		return conflict("amount_too_large", fmt.Sprintf("%d of %d is left", left, s.Reported.Minor))
	}
	s.Captured += amount
	if s.Captures == nil {
		s.Captures = map[string]int64{}
	}
	s.Captures[key] = amount
	status := StatusPartiallyCaptured
	if s.Captured == s.Reported.Minor {
		status = StatusCaptured
	}
	s.enter(status, now)
	return nil
}

// void releases what is reserved: all of it, or what the captures have left.
func (s *session) void(now time.Time) error {
	switch s.Status {
	case StatusVoided:
		return nil
	case StatusPartiallyCaptured:
		s.Released = true
		return nil
	case StatusAuthorized:
		s.enter(StatusVoided, now)
		return nil
	}
	return conflict("not_voidable", "the payment is "+s.Status)
}

// cancel ends a session that the customer has not decided. A late approval that
// is already under way comes all the same: that is the bank misbehaving.
func (s *session) cancel(now time.Time) error {
	switch s.Status {
	case StatusCancelled:
		return nil
	case StatusOpen, StatusPending:
		s.enter(StatusCancelled, now)
		return nil
	}
	return conflict("not_cancellable", "the payment is "+s.Status)
}

// refund gives back part of what was taken; amount 0 gives back the rest. A
// repeated key answers the refund that it made, and only for the same amount.
func (s *session) refund(r Refund, now time.Time) (Refund, error) {
	left := s.Captured - s.refunded()
	if i := slices.IndexFunc(s.Refunds, func(one Refund) bool { return one.Key == r.Key }); i >= 0 {
		if r.Amount != 0 && r.Amount != s.Refunds[i].Amount {
			return Refund{}, conflict("key_reused", "this key made a refund of another amount")
		}
		return s.Refunds[i], nil
	}
	if s.Status != StatusCaptured && s.Status != StatusPartiallyCaptured {
		return Refund{}, conflict("not_refundable", "the payment is "+s.Status)
	}
	if r.Amount == 0 {
		r.Amount = left
	}
	if r.Amount < 1 || r.Amount > left {
		return Refund{}, conflict("amount_too_large", fmt.Sprintf("%d of %d is left", left, s.Captured))
	}
	r.CreatedAt, r.UpdatedAt = now, now
	s.Refunds = append(s.Refunds, r)
	return r, nil
}

// refunded is the sum of what went back or is on its way.
func (s *session) refunded() int64 {
	var sum int64
	for _, r := range s.Refunds {
		if r.Status != RefundFailed {
			sum += r.Amount
		}
	}
	return sum
}

// refundsAt is what a question about the refunds gets at this time.
func (s *session) refundsAt(now time.Time) []Refund {
	list := slices.Clone(s.Refunds)
	for i, r := range list {
		if r.Status == RefundPending && !r.SettlesAt.IsZero() && !now.Before(r.SettlesAt) {
			list[i].Status, list[i].UpdatedAt = RefundSucceeded, r.SettlesAt
		}
	}
	return list
}

// view is the session as the API shows it.
func (s *session) view(origin string, now time.Time) Session {
	v := Session{
		ID: s.ID, URL: origin + "/pay/" + s.ID, Payment: s.Payment, OrderReference: s.OrderReference,
		Status: s.statusAt(now), Amount: s.Reported.Minor, Currency: string(s.Reported.Currency), Payee: s.Payee,
		Capture: s.Capture, Captured: s.Captured, Refunded: s.refunded(), Decision: s.Decision,
		Event: fmt.Sprintf("%s.%d", s.ID, s.Changes), OccurredAt: s.ChangedAt,
		ExpiresAt: s.ExpiresAt, CreatedAt: s.CreatedAt,
	}
	if s.Status == StatusDeclined {
		v.DeclineCode = "declined_by_customer"
	}
	if v.Status == StatusExpired {
		v.OccurredAt, v.Event = s.ExpiresAt, s.ID+".expired"
	}
	return v
}

// apiError is a refusal with its HTTP status.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func conflict(code, message string) error {
	return &apiError{http.StatusConflict, code, message}
}
