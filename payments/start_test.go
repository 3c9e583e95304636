package payments_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tracker/payments"
)

func TestStart_names_every_field_that_does_not_fit(t *testing.T) {
	t.Parallel()
	r := newRig(t, newMemStore(), payments.Options{})
	order := r.order(1999)
	cases := map[string]payments.Start{
		"/order_id":   {OrderID: "1042"},
		"/provider":   {OrderID: order, Provider: "nobody"},
		"/capture":    {OrderID: order, Capture: "sometimes"},
		"/return_url": {OrderID: order, ReturnURL: "javascript:alert(1)"},
	}
	for pointer, in := range cases {
		in.Merchant = merchant
		_, err := r.svc.Start(t.Context(), in)
		var bad *payments.InvalidError
		if !errors.As(err, &bad) || len(bad.Fields) != 1 || bad.Fields[0].Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	for _, address := range []string{"https://user:pass@shop.example/", "//shop.example", "https://", "ftp://x", "https://x/" + strings.Repeat("a", 2048)} {
		if _, err := r.svc.Start(t.Context(), payments.Start{Merchant: merchant, OrderID: order, ReturnURL: address}); err == nil {
			t.Errorf("accepted %.40s", address)
		}
	}
}

func TestStart_the_same_key_is_the_same_payment(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		in := payments.Start{Merchant: merchant, OrderID: order, Key: strings.Repeat("long key ", 50)}
		ids := make(chan string, 8)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				p, err := r.svc.Start(context.Background(), in)
				if err != nil {
					r.Error(err)
				}
				ids <- p.ID
			})
		}
		all.Wait()
		close(ids)
		first := <-ids
		for id := range ids {
			if id != first {
				r.Fatalf("two payments: %s and %s", id, first)
			}
		}
		in.OrderID = r.order(5)
		if _, err := r.svc.Start(r.Context(), in); !isConflict(err, payments.CodeKeyReused) {
			r.Fatalf("another order: %v", err)
		}
	})
}

func TestStart_when_nothing_can_be_paid(t *testing.T) {
	each(t, func(r *rig) {
		start := func(order string) error {
			_, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order})
			return err
		}
		missing, paid, closed := r.order(1), r.order(1), r.order(1)
		r.mu.Lock()
		delete(r.orders, missing)
		r.mu.Unlock()
		r.setDue(paid, payments.Due{Open: true, Status: "confirmed", Sequence: 3})
		r.setDue(closed, payments.Due{Amount: amount(1), Status: "cancelled", Sequence: 2})
		stated := func(err error, status string, sequence int64) {
			var refused *payments.ConflictError
			if !errors.As(err, &refused) || refused.Status != status || refused.Sequence != sequence {
				r.Errorf("%v does not carry the order's state: %+v", err, refused)
			}
		}
		stated(start(paid), "confirmed", 3)
		stated(start(closed), "cancelled", 2)
		if err := start(missing); !errors.Is(err, payments.ErrNotFound) {
			r.Errorf("missing: %v", err)
		}
		if err := start(paid); !isConflict(err, payments.CodeOrderPaid) {
			r.Errorf("paid: %v", err)
		}
		if err := start(closed); !isConflict(err, payments.CodeOrderClosed) {
			r.Errorf("closed: %v", err)
		}
		// The book lags behind: what we have heard ourselves decides.
		lagging := r.order(1)
		if err := r.svc.OnOrder(r.Context(), orderEvent(lagging, "order.expired")); err != nil {
			r.Fatal(err)
		}
		if err := start(lagging); !isConflict(err, payments.CodeOrderClosed) {
			r.Errorf("lagging book: %v", err)
		}
		r.setDue(lagging, payments.Due{Amount: amount(1), Open: true, Status: "pending_payment", Sequence: 1})
		stated(start(lagging), "expired", 0)
	})
}

// However often a merchant insists, an order stays small enough to be told of.
func TestStart_an_order_has_at_most_50_payments(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		var first payments.Payment
		for i := range 50 {
			p := r.startAs(payments.Start{OrderID: order, Key: fmt.Sprint(i)})
			if i == 0 {
				first = p
			}
		}
		_, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order, Key: "50"})
		if !isConflict(err, payments.CodeTooMany) {
			r.Fatalf("one more: %v", err)
		}
		if again := r.startAs(payments.Start{OrderID: order, Key: "0"}); again.ID != first.ID {
			r.Error("a repetition is not the first payment any more")
		}
	})
}

func TestStart_by_a_shopper_goes_on_with_the_open_payment(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		shopper := payments.Start{Merchant: merchant, OrderID: order, By: payments.CauseShopper}
		r.bank.FaultFunc = func(string) (error, error) { return payments.ErrTimeout, nil }
		if _, err := r.svc.Start(r.Context(), shopper); !errors.Is(err, payments.ErrUnavailable) {
			r.Fatalf("the bank is away: %v", err)
		}
		r.bank.FaultFunc = nil
		p, err := r.svc.Start(r.Context(), shopper)
		if err != nil || p.Status != payments.StatusRequiresAction {
			r.Fatalf("again: %v", err)
		}
		_, err = r.svc.Start(r.Context(), shopper)
		var c *payments.ConflictError
		if !errors.As(err, &c) || c.Code != payments.CodePaymentOpen || c.Payment.ID != p.ID || c.Payment.Summary().NextAction == nil {
			r.Fatalf("another tab: %v", err)
		}
		if other := r.start(order); other.ID == p.ID {
			r.Fatal("a merchant gets a payment of its own")
		}
		if c := r.counts(); c.Open != 2 {
			r.Fatalf("%+v", c)
		}
	})
}

func TestStart_refused_by_the_bank_is_a_failed_payment(t *testing.T) {
	each(t, func(r *rig) {
		r.bank.CreateFunc = func(payments.NewSession) (payments.Session, error) {
			return payments.Session{}, &payments.RejectedError{Code: "currency_not_supported"}
		}
		p := r.start(r.order(1999))
		if p.Status != payments.StatusFailed || p.DeclineCode != "currency_not_supported" || !p.Closed() {
			r.Fatalf("%s %s", p.Status, p.DeclineCode)
		}
	})
}

func TestStart_for_what_a_short_payment_left_open(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1000)
		p := r.start(order)
		r.bank.with(p.Reference, func(s *session) { s.State, s.Captured, s.Amount = payments.ReportCaptured, 600, 600 })
		r.say(p, "evt_1", payments.Report{State: payments.ReportCaptured, Currency: "EUR", Captured: 600})
		if _, err := r.svc.Review(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}, payments.DecisionAccept); err != nil {
			r.Fatal(err)
		}
		r.setDue(order, payments.Due{Amount: amount(400), Open: true})
		rest := r.start(order)
		r.say(rest, "evt_2", r.bank.approve(rest.Reference))
		r.want(rest.ID, payments.StatusCaptured)
		r.want(p.ID, payments.StatusPartiallyCaptured)
		r.setDue(order, payments.Due{Amount: amount(400), Open: true}) // and the book has not heard
		if _, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order}); !isConflict(err, payments.CodeOrderPaid) {
			r.Fatalf("a third: %v", err)
		}
	})
}

func TestCancel_while_the_session_is_being_made_closes_it(t *testing.T) {
	each(t, func(r *rig) {
		var p payments.Payment
		r.bank.CreateFunc = func(in payments.NewSession) (payments.Session, error) {
			p.ID = in.Payment
			mustCancel(r, p)
			return r.bank.create(in)
		}
		r.start(r.order(1999))
		r.settleAll(2 * time.Minute)
		got := r.want(p.ID, payments.StatusCancelled)
		if s := r.bank.sessions[got.Reference]; s.State != payments.ReportCancelled || !got.Closed() {
			r.Fatalf("the session is %s", s.State)
		}
	})
}

func TestStart_with_nobody_to_pay_through(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		r.svc = payments.NewService(r.store, nil, r, r.opt)
		_, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order})
		if !errors.Is(err, payments.ErrUnavailable) {
			r.Errorf("nobody is asked for: %v", err)
		}
		var invalid *payments.InvalidError
		_, err = r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order, Provider: "stripe"})
		if !errors.As(err, &invalid) {
			r.Errorf("somebody who is not there is asked for: %v", err)
		}
	})
}
