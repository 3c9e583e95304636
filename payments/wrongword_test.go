package payments_test

import (
	"context"
	"errors"
	"testing"

	"tracker/payments"
	"tracker/payments/money"
)

func TestRow09_order_book_silent_means_no_payment(t *testing.T) {
	each(t, func(r *rig) {
		svc := payments.NewService(r.store, map[string]payments.Provider{"fake": r.bank}, silentBook{}, r.opt)
		_, err := svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: r.order(1)})
		if !errors.Is(err, context.DeadlineExceeded) || r.bank.called("create") != 0 {
			r.Fatalf("error %v, %d sessions", err, r.bank.called("create"))
		}
	})
}

type silentBook struct{}

func (silentBook) Payable(context.Context, string, string) (payments.Due, error) {
	return payments.Due{}, context.DeadlineExceeded
}

func TestRow09_a_slow_bank_gets_the_same_session_again(t *testing.T) {
	each(t, func(r *rig) {
		r.bank.CreateFunc = func(in payments.NewSession) (payments.Session, error) {
			_, _ = r.bank.create(in)
			return payments.Session{}, payments.ErrTimeout
		}
		order := r.order(1999)
		in := payments.Start{Merchant: merchant, OrderID: order, Key: "k"}
		if _, err := r.svc.Start(r.Context(), in); !errors.Is(err, payments.ErrUnavailable) {
			r.Fatalf("start: %v", err)
		}
		r.bank.CreateFunc = nil
		p, err := r.svc.Start(r.Context(), in)
		if err != nil || p.Status != payments.StatusRequiresAction || len(r.bank.sessions) != 1 {
			r.Fatalf("again: %v %s, %d sessions", err, p.Status, len(r.bank.sessions))
		}
	})
}

func TestRow10_mismatch_goes_to_review(t *testing.T) {
	wrong := map[string]func(*payments.Report){
		"one_less":      func(r *payments.Report) { r.Captured, r.Amount = 1998, 1998 },
		"one_more":      func(r *payments.Report) { r.Captured, r.Amount = 2000, 2000 },
		"a_part":        func(r *payments.Report) { r.Captured = 500 },
		"no_sum":        func(r *payments.Report) { r.Captured = 0 },
		"negative":      func(r *payments.Report) { r.Captured, r.Amount = -1999, -1999 },
		"currency":      func(r *payments.Report) { r.Currency = "USD" },
		"other_payment": func(r *payments.Report) { r.Reference = "ses_of_another" },
	}
	each(t, func(r *rig) {
		for name, change := range wrong {
			p := r.start(r.order(1999))
			report := captured(1999)
			change(&report)
			r.say(p, "evt_"+name, report)
			got := r.want(p.ID, payments.StatusReview)
			if got.Reported == nil || got.Captured != 0 {
				r.Fatalf("%s: %+v", name, got)
			}
		}
	})
}

func TestRow10_review_is_decided_by_the_merchant(t *testing.T) {
	each(t, func(r *rig) {
		review := func(sum int64, currency money.Currency) payments.Payment {
			p := r.start(r.order(1999))
			r.bank.with(p.Reference, func(s *session) {
				s.State, s.Amount, s.Captured, s.Currency = payments.ReportCaptured, sum, sum, currency
			})
			r.say(p, "evt_"+p.ID, payments.Report{State: payments.ReportCaptured, Currency: currency, Amount: sum, Captured: sum})
			return r.want(p.ID, payments.StatusReview)
		}
		decide := func(p payments.Payment, d payments.Decision) (payments.Payment, error) {
			return r.svc.Review(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}, d)
		}
		less := review(1998, "EUR")
		for range 2 { // the same decision again is nothing
			got, err := decide(less, payments.DecisionAccept)
			if err != nil || got.Status != payments.StatusPartiallyCaptured || got.Captured != 1998 {
				r.Fatalf("accept less: %v %s %d", err, got.Status, got.Captured)
			}
		}
		more := review(2999, "EUR")
		got, err := decide(more, payments.DecisionReturn)
		if err != nil || got.Status != payments.StatusRefunded || r.bank.sentBack(more.Reference) != 2999 {
			r.Fatalf("return more: %v %s", err, got.Status)
		}
		foreign := review(1999, "USD")
		if _, err := decide(foreign, payments.DecisionAccept); !isConflict(err, payments.CodeCurrency) {
			r.Fatalf("accept another currency: %v", err)
		}
		if got, err := decide(foreign, payments.DecisionReturn); err != nil || got.Status != payments.StatusRefunded {
			r.Fatalf("return another currency: %v %s", err, got.Status)
		}
	})
}

func TestRow11_forged_callbacks_change_nothing(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		err := r.svc.Callback(r.Context(), "fake", map[string][]string{"signature": {"bad"}}, []byte(`{}`))
		if !errors.Is(err, payments.ErrForged) {
			r.Fatalf("error %v", err)
		}
		if err := r.svc.Callback(r.Context(), "fake", map[string][]string{"signature": {"good"}}, []byte(`{"event_id":`)); !errors.Is(err, payments.ErrMalformed) {
			r.Fatalf("error %v", err)
		}
		if err := r.svc.Callback(r.Context(), "nobody", nil, nil); !errors.Is(err, payments.ErrNotFound) {
			r.Fatalf("error %v", err)
		}
		if got := r.get(p.ID); got.Sequence != p.Sequence || r.counts().Forged != 1 {
			r.Fatalf("changed: %s, forged %d", story(got), r.counts().Forged)
		}
	})
}

func TestCallback_unknown_type_is_stored_and_has_no_effect(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		for range 2 {
			body := []byte(`{"event_id":"evt_x","type":"payout.created","payment":"` + p.ID + `"}`)
			if err := r.svc.Callback(r.Context(), "fake", map[string][]string{"signature": {"good"}}, body); err != nil {
				r.Fatal(err)
			}
		}
		if c := r.counts(); c.UnknownTypes != 1 || c.Parked != 0 {
			r.Fatalf("%+v", c)
		}
		r.want(p.ID, payments.StatusRequiresAction)
	})
}
