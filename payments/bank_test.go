package payments_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tracker/payments"
)

// session is what the fake bank knows of a payment.
type session struct {
	payments.Report
	payment   string
	asked     int64
	capture   payments.CaptureMode
	transfers map[string]payments.Transfer // by key
	done      map[string]payments.Report   // operations by key
}

// fakeBank keeps sessions like a bank does. A Func that is set answers instead.
type fakeBank struct {
	clock *clock

	mu       sync.Mutex
	sessions map[string]*session // by reference
	byKey    map[string]string
	calls    map[string]int
	slow     bool // refunds stay pending until settleTransfers

	CreateFunc  func(in payments.NewSession) (payments.Session, error)
	StatusFunc  func(reference string) (payments.Report, error)
	CaptureFunc func(in payments.Operation) (payments.Report, error)
	VoidFunc    func(in payments.Operation) (payments.Report, error)
	CancelFunc  func(in payments.Operation) (payments.Report, error)
	RefundFunc  func(in payments.NewTransfer) (payments.Transfer, error)
	// FaultFunc makes a call fail before it had its effect, or after.
	FaultFunc func(call string) (before, after error)
}

var _ payments.Provider = (*fakeBank)(nil)

func newFakeBank(c *clock) *fakeBank {
	return &fakeBank{clock: c, sessions: map[string]*session{}, byKey: map[string]string{}, calls: map[string]int{}}
}

func (b *fakeBank) Name() string      { return "fake" }
func (b *fakeBank) Origins() []string { return []string{"https://bank.example"} }

// attempt counts a call and lets the fault decide about it.
func attempt[T any](b *fakeBank, call string, do func() (T, error)) (T, error) {
	b.mu.Lock()
	b.calls[call]++
	b.mu.Unlock()
	var zero T
	if b.FaultFunc == nil {
		return do()
	}
	before, after := b.FaultFunc(call)
	if before != nil {
		return zero, before
	}
	got, err := do()
	if err == nil && after != nil {
		return zero, after
	}
	return got, err
}

func (b *fakeBank) called(call string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[call]
}

func (b *fakeBank) Create(_ context.Context, in payments.NewSession) (payments.Session, error) {
	return attempt(b, "create", func() (payments.Session, error) {
		if b.CreateFunc != nil {
			return b.CreateFunc(in)
		}
		return b.create(in)
	})
}

func (b *fakeBank) create(in payments.NewSession) (payments.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ref, ok := b.byKey[in.Key]
	if !ok {
		ref = fmt.Sprintf("ses_%d", len(b.sessions)+1)
		b.byKey[in.Key] = ref
		b.sessions[ref] = &session{
			Report: payments.Report{Reference: ref, State: payments.ReportOpen, Currency: in.Amount.Currency,
				Amount: in.Amount.Minor, OccurredAt: b.clock.now()},
			payment: in.Payment, asked: in.Amount.Minor, capture: in.Capture,
			transfers: map[string]payments.Transfer{}, done: map[string]payments.Report{},
		}
	}
	return payments.Session{Reference: ref, RedirectURL: "https://bank.example/pay/" + ref}, nil
}

// with runs fn on a session under the lock and returns its report afterwards.
func (b *fakeBank) with(reference string, fn func(s *session)) payments.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sessions[reference]
	fn(s)
	s.Transfers = nil
	for _, key := range slices.Sorted(maps.Keys(s.transfers)) {
		s.Transfers = append(s.Transfers, s.transfers[key])
	}
	return s.Report
}

func (b *fakeBank) Status(_ context.Context, reference string) (payments.Report, error) {
	return attempt(b, "status", func() (payments.Report, error) {
		if b.StatusFunc != nil {
			return b.StatusFunc(reference)
		}
		return b.with(reference, func(*session) {}), nil
	})
}

func (b *fakeBank) Capture(_ context.Context, in payments.Operation) (payments.Report, error) {
	return attempt(b, "capture", func() (payments.Report, error) {
		if b.CaptureFunc != nil {
			return b.CaptureFunc(in)
		}
		return b.take(in)
	})
}

func (b *fakeBank) take(in payments.Operation) (payments.Report, error) {
	var err error
	r := b.with(in.Reference, func(s *session) {
		if _, again := s.done[in.Key]; again {
			return
		}
		ok := s.State == payments.ReportAuthorized || s.State == payments.ReportCaptured
		if !ok || s.Captured+in.Amount.Minor > s.Amount {
			err = &payments.RejectedError{Code: "not_capturable"}
			return
		}
		s.State, s.Captured, s.OccurredAt = payments.ReportCaptured, s.Captured+in.Amount.Minor, b.clock.now()
		s.done[in.Key] = s.Report
	})
	return r, err
}

func (b *fakeBank) Void(_ context.Context, in payments.Operation) (payments.Report, error) {
	return attempt(b, "void", func() (payments.Report, error) {
		if b.VoidFunc != nil {
			return b.VoidFunc(in)
		}
		return b.end(in, payments.ReportAuthorized)
	})
}

func (b *fakeBank) Cancel(_ context.Context, in payments.Operation) (payments.Report, error) {
	return attempt(b, "cancel", func() (payments.Report, error) {
		if b.CancelFunc != nil {
			return b.CancelFunc(in)
		}
		return b.end(in, payments.ReportOpen)
	})
}

func (b *fakeBank) end(in payments.Operation, from payments.ReportState) (payments.Report, error) {
	return b.with(in.Reference, func(s *session) {
		if s.State == from {
			s.State, s.OccurredAt = payments.ReportCancelled, b.clock.now()
		}
	}), nil
}

func (b *fakeBank) Refund(_ context.Context, in payments.NewTransfer) (payments.Transfer, error) {
	return attempt(b, "refund", func() (payments.Transfer, error) {
		if b.RefundFunc != nil {
			return b.RefundFunc(in)
		}
		return b.refund(in)
	})
}

func (b *fakeBank) refund(in payments.NewTransfer) (payments.Transfer, error) {
	var t payments.Transfer
	var err error
	b.with(in.Reference, func(s *session) {
		known, again := s.transfers[in.Key]
		if again {
			t = known
			return
		}
		if s.sent()+in.Amount.Minor > s.Captured {
			err = &payments.RejectedError{Code: "exceeds"}
			return
		}
		t = payments.Transfer{Refund: in.Refund, Reference: "re_" + in.Refund, Amount: in.Amount.Minor, Status: payments.RefundSucceeded, At: b.clock.now()}
		if b.slow {
			t.Status = payments.RefundPending
		}
		s.transfers[in.Key] = t
		s.done[in.Key] = payments.Report{Captured: in.Amount.Minor}
	})
	return t, err
}

// refundItself is somebody at the bank who sends money back. It reports false
// where the bank would not.
func (b *fakeBank) refundItself(reference string, minor int64) (payments.Report, payments.Transfer, bool) {
	var t payments.Transfer
	ok := false
	report := b.with(reference, func(s *session) {
		if ok = s.State == payments.ReportCaptured && minor > 0 && s.sent()+minor <= s.Captured; !ok {
			return
		}
		key := fmt.Sprintf("own_%d", len(s.transfers)+1)
		t = payments.Transfer{Reference: "re_" + reference + "_" + key, Amount: minor, Status: payments.RefundSucceeded, At: b.clock.now()}
		if b.slow {
			t.Status = payments.RefundPending
		}
		s.transfers[key], s.done[key], s.OccurredAt = t, payments.Report{Captured: minor}, b.clock.now()
	})
	return report, t, ok
}

// sent is the sum of the refunds of a session.
func (s *session) sent() int64 {
	var sum int64
	for key := range s.transfers {
		sum += s.done[key].Captured
	}
	return sum
}

// settleTransfers ends the pending refunds of all sessions.
func (b *fakeBank) settleTransfers(well bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		for key, t := range s.transfers {
			if t.Status != payments.RefundPending {
				continue
			}
			t.Status, t.At = payments.RefundSucceeded, b.clock.now()
			if !well {
				t.Status, t.Code = payments.RefundFailed, "account_closed"
				s.done[key] = payments.Report{}
			}
			s.transfers[key] = t
		}
	}
}

// sentBack is what the bank has returned of a session.
func (b *fakeBank) sentBack(reference string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[reference].sent()
}

type wireCallback struct {
	EventID   string           `json:"event_id"`
	Type      string           `json:"type"`
	Payment   string           `json:"payment"`
	Reference string           `json:"reference"`
	Report    *payments.Report `json:"report"`
}

func (b *fakeBank) ParseCallback(header map[string][]string, body []byte, _ time.Time) (payments.Callback, error) {
	if len(header["signature"]) != 1 || header["signature"][0] != "good" {
		return payments.Callback{}, payments.ErrForged
	}
	var w wireCallback
	if err := json.Unmarshal(body, &w); err != nil {
		return payments.Callback{}, fmt.Errorf("%w: %w", payments.ErrMalformed, err)
	}
	return payments.Callback{EventID: w.EventID, Type: w.Type, Payment: w.Payment, Reference: w.Reference, Report: w.Report}, nil
}

// decide is the shopper at the bank's page: it changes the session and says nothing.
func (b *fakeBank) decide(reference string, state payments.ReportState) payments.Report {
	return b.with(reference, func(s *session) {
		s.State, s.OccurredAt = state, b.clock.now()
		if state == payments.ReportCaptured {
			s.Captured = s.Amount
		}
	})
}

// approve is a yes of the shopper, as the capture mode has it.
func (b *fakeBank) approve(reference string) payments.Report {
	b.mu.Lock()
	manual := b.sessions[reference].capture == payments.CaptureManual
	b.mu.Unlock()
	if manual {
		return b.decide(reference, payments.ReportAuthorized)
	}
	return b.decide(reference, payments.ReportCaptured)
}

// tryApprove is a shopper whom the bank refuses once the session has ended.
func (b *fakeBank) tryApprove(reference string) (payments.Report, bool) {
	ok := false
	report := b.with(reference, func(s *session) {
		if ok = s.State == payments.ReportOpen; ok {
			s.State, s.Captured, s.OccurredAt = payments.ReportCaptured, s.Amount, b.clock.now()
		}
	})
	return report, ok
}
