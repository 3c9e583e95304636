package payments

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"tracker/notify/eventwire"
)

const maxReturnURL = 2048

// maxPayments of one order: each stands in every message of the order, which may
// grow only so long, and what becomes of a payment nobody may refuse to write down.
const maxPayments = 50

// Start begins a payment of what is due on an order and opens a session at the
// provider. The payment is committed before the provider hears of it. When the
// provider cannot be reached the error is ErrUnavailable or ErrTimeout, nothing
// was charged, and the same Start (the same Key) continues.
//
// Errors: ErrNotFound (no such order), *InvalidError, *ConflictError with
// CodePaymentOpen (carrying the open payment), CodeOrderClosed, CodeOrderPaid,
// CodeTooMany or CodeKeyReused.
func (s *Service) Start(ctx context.Context, in Start) (Payment, error) {
	if err := s.check(&in); err != nil {
		return Payment{}, err
	}
	p, err := s.resumed(ctx, in)
	if errors.Is(err, ErrNotFound) {
		if p, err = s.begin(ctx, in); err != nil {
			p, err = s.overtaken(ctx, in, err)
		}
	}
	if err != nil {
		return p, err
	}
	return s.opened(ctx, p)
}

func (s *Service) check(in *Start) error {
	if in.Provider == "" {
		in.Provider = s.opt.Provider
		if _, err := s.provider(in.Provider); err != nil {
			return fmt.Errorf("payments: nobody to pay through is set up: %w", ErrUnavailable)
		}
	}
	if in.Capture == "" {
		in.Capture = CaptureAutomatic
	}
	if in.By == "" {
		in.By = CauseMerchant
	}
	if in.Key != "" {
		in.Key = shortKey(in.Key)
	}
	var bad []FieldError
	if _, err := s.provider(in.Provider); err != nil {
		bad = append(bad, FieldError{"/provider", "unknown", "no such provider"})
	}
	if in.Capture != CaptureAutomatic && in.Capture != CaptureManual {
		bad = append(bad, FieldError{"/capture", "invalid", "must be automatic or manual"})
	}
	if !validReturn(in.ReturnURL) {
		bad = append(bad, FieldError{"/return_url", "invalid", "must be an absolute http or https URL of at most 2048 characters"})
	}
	if !eventwire.Orders.ValidID(in.OrderID) {
		bad = append(bad, FieldError{"/order_id", "invalid", "must be the id of an order"})
	}
	if bad != nil {
		return &InvalidError{bad}
	}
	return nil
}

func validReturn(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && len(text) <= maxReturnURL && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// resumed finds the payment that an earlier Start with the same key began.
func (s *Service) resumed(ctx context.Context, in Start) (Payment, error) {
	if in.Key == "" {
		return Payment{}, ErrNotFound
	}
	p, err := s.store.PaymentByKey(ctx, in.Merchant, in.Key)
	if err != nil {
		return p, err
	}
	if p.OrderID != in.OrderID || p.Capture != in.Capture {
		return p, conflict(&p, CodeKeyReused, "the key was used for another payment")
	}
	return p, nil
}

// overtaken looks whether a copy of the same Start was faster, for which the
// store refused this one.
func (s *Service) overtaken(ctx context.Context, in Start, failed error) (Payment, error) {
	p, err := s.resumed(ctx, in)
	if errors.Is(err, ErrNotFound) {
		return p, failed
	}
	return p, err
}

func (s *Service) begin(ctx context.Context, in Start) (Payment, error) {
	due, err := s.book.Payable(ctx, in.Merchant, in.OrderID)
	if err != nil {
		return Payment{}, fmt.Errorf("payments: start for %s: %w", in.OrderID, err)
	}
	if !due.Open || due.Amount.Minor <= 0 {
		return Payment{}, unpayable(due)
	}
	fresh := s.payment(in, due)
	why := s.why(in.By, in.Evidence)
	var began Payment
	err = s.store.Update(ctx, in.Merchant, in.OrderID, func(l *Ledger) error {
		if l.Closed != "" { // the book lags behind what we have heard ourselves
			due.Status, due.Sequence = string(l.Closed), 0
		}
		open, err := l.room(in, due)
		if err != nil {
			return err
		}
		if open != nil {
			began = open.clone()
			return nil
		}
		if _, err := s.apply(l, Began{fresh}, why); err != nil {
			return err
		}
		began = l.Payment(fresh.ID).clone()
		return nil
	})
	if err == nil {
		s.Wake()
	}
	return began, stated(err, due)
}

func (s *Service) payment(in Start, due Due) Payment {
	return Payment{
		ID: s.opt.NewID(eventwire.PrefixPayment, s.now()), Merchant: in.Merchant, OrderID: in.OrderID,
		Provider: in.Provider, Key: in.Key, Title: due.Reference, Capture: in.Capture,
		ReturnURL: in.ReturnURL, Amount: due.Amount, ExpiresAt: due.PayBy,
	}
}

func unpayable(due Due) error {
	if due.Amount.Minor <= 0 {
		return stated(&ConflictError{Code: CodeOrderPaid, Detail: "nothing is due on the order"}, due)
	}
	return stated(&ConflictError{Code: CodeOrderClosed, Detail: "the order takes no payment any more"}, due)
}

// stated gives a conflict that is about no payment the state of the order.
func stated(err error, due Due) error {
	var refused *ConflictError
	if errors.As(err, &refused) && refused.Status == "" {
		refused.Status, refused.Sequence = due.Status, due.Sequence
	}
	return err
}

// room decides from our own state, not from what others say, whether a payment
// may begin. It returns the payment to go on with instead, where there is one.
func (l *Ledger) room(in Start, due Due) (*Payment, error) {
	if l.Closed != "" {
		return nil, conflict(l.newest(), CodeOrderClosed, "the order takes no payment any more")
	}
	for _, p := range l.Payments {
		if in.Key != "" && p.Key == in.Key {
			return p, nil // two identical starts at once
		}
	}
	for _, p := range l.Payments {
		switch {
		case p.inDoubt() && !(in.Force && in.By == CauseMerchant):
			return nil, conflict(p, CodePaymentOpen, "another payment of the order is undecided")
		case in.By == CauseShopper && p.Status == StatusCreated && p.Redirect == "":
			return p, nil
		case in.By == CauseShopper && (p.Status == StatusCreated || p.Status == StatusRequiresAction):
			return nil, conflict(p, CodePaymentOpen, "another payment of the order is open")
		}
	}
	if l.Winner != "" && due.Amount.Minor > l.unfilled() {
		return nil, conflict(l.Payment(l.Winner), CodeOrderPaid, "the order is paid by another payment")
	}
	if len(l.Payments) >= maxPayments {
		return nil, conflict(nil, CodeTooMany, fmt.Sprintf("an order has at most %d payments", maxPayments))
	}
	return nil, nil
}

// inDoubt reports whether money of the payment may still come or stay.
func (p *Payment) inDoubt() bool {
	switch p.Status {
	case StatusProcessing, StatusUnknown, StatusAuthorized, StatusReview, StatusLateSuccess:
		return true
	}
	return p.OpenIntent() != nil && p.Status == StatusPartiallyCaptured
}

func (l *Ledger) newest() *Payment {
	if len(l.Payments) == 0 {
		return nil
	}
	return l.Payments[len(l.Payments)-1]
}

// opened makes sure that the provider has a session for the payment.
func (s *Service) opened(ctx context.Context, p Payment) (Payment, error) {
	if p.Status != StatusCreated || p.Reference != "" {
		return p, nil
	}
	after, err := s.perform(ctx, p)
	if err != nil {
		return after, err
	}
	if after.Status == StatusCreated && after.Reference == "" {
		return after, &UnavailableError{RetryAfter: s.opt.Policy.After}
	}
	return after, nil
}
