package payments_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tracker/payments"
)

func TestRefund_that_fails_goes_before_a_person_and_can_be_sent_again(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1000)
		p := r.start(order)
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		r.bank.slow = true
		r.closeOrder(order, "order.cancelled")
		r.reconcile()
		if got := r.want(p.ID, payments.StatusCaptured); got.RefundPending != 1000 || got.Closed() {
			r.Fatalf("pending %d", got.RefundPending)
		}
		r.bank.settleTransfers(false)
		r.settleAll(2 * time.Hour)
		r.want(p.ID, payments.StatusReview)
		cmd := payments.Command{Merchant: merchant, ID: p.ID}
		if _, err := r.svc.Review(r.Context(), cmd, payments.DecisionAccept); !isConflict(err, payments.CodeOrderClosed) {
			r.Fatalf("keeping a cancelled order's money: %v", err)
		}
		r.bank.slow = false
		if got, err := r.svc.Review(r.Context(), cmd, payments.DecisionReturn); err != nil || got.Status != payments.StatusRefunded {
			r.Fatalf("again: %v %s", err, got.Status)
		}
		if got := r.bank.sentBack(p.Reference); got != 1000 {
			r.Fatalf("sent back %d", got)
		}
	})
}

func TestRefund_of_an_expired_order_does_not_hide_that_of_the_cancelled_one(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1000)
		p := r.start(order)
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		r.bank.RefundFunc = func(payments.NewTransfer) (payments.Transfer, error) {
			return payments.Transfer{}, &payments.RejectedError{Code: "account_closed"}
		}
		r.closeOrder(order, "order.expired")
		r.reconcile()
		r.want(p.ID, payments.StatusReview)
		r.bank.RefundFunc = nil
		r.closeOrder(order, "order.cancelled")
		r.reconcile()
		got := r.get(p.ID)
		if got.Status == payments.StatusReview { // a person decides, and may only return it
			if _, err := r.svc.Review(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}, payments.DecisionReturn); err != nil {
				r.Fatal(err)
			}
		}
		if r.want(p.ID, payments.StatusRefunded); r.bank.sentBack(p.Reference) != 1000 {
			r.Fatalf("sent back %d", r.bank.sentBack(p.Reference))
		}
	})
}

func TestRefund_a_payment_has_at_most_100(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		for i := range 101 {
			_, _, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Amount: 1, Key: fmt.Sprint(i)})
			if i < 100 && err != nil || i == 100 && !isConflict(err, payments.CodeTooMany) {
				r.Fatalf("refund %d: %v", i+1, err)
			}
		}
	})
}

func TestRefund_key_is_bound_to_its_amount(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		in := payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Amount: 100, Key: "k"}
		first, _, err := r.svc.Refund(r.Context(), in)
		if err != nil {
			r.Fatal(err)
		}
		got, err := r.svc.GetRefund(r.Context(), merchant, first.ID)
		if err != nil || got != first {
			r.Fatalf("%v\n%+v\n%+v", err, got, first)
		}
		in.Amount = 200
		if _, _, err := r.svc.Refund(r.Context(), in); !isConflict(err, payments.CodeKeyReused) {
			r.Fatalf("another amount: %v", err)
		}
		in.Amount, in.Merchant = 100, "mer_11111111111111111111111111"
		if _, _, err := r.svc.Refund(r.Context(), in); !errors.Is(err, payments.ErrNotFound) {
			r.Fatalf("a foreign merchant: %v", err)
		}
		in.Merchant, in.IfSequence = merchant, 1
		if again, _, err := r.svc.Refund(r.Context(), in); err != nil || again.ID != first.ID {
			r.Fatalf("the same refund again, though the payment went on: %v", err)
		}
		in.Key = "another"
		if _, _, err := r.svc.Refund(r.Context(), in); !isConflict(err, payments.CodeSequenceMismatch) {
			r.Fatalf("another one at an old sequence: %v", err)
		}
		var bad *payments.InvalidError
		in.Amount = -1
		if _, _, err := r.svc.Refund(r.Context(), in); !errors.As(err, &bad) {
			r.Fatalf("negative: %v", err)
		}
	})
}

var errDied = errors.New("the process died")

// A process dies after the provider did what was asked and before its answer was
// written down. The next process finds out, and nothing happens twice.
func TestCrash_between_the_call_and_its_answer(t *testing.T) {
	steps := map[string]struct {
		prepare func(r *rig) payments.Payment
		do      func(r *rig, p payments.Payment) error
		status  payments.Status
		check   func(b *fakeBank, p payments.Payment) bool
	}{
		"create": {
			prepare: func(*rig) payments.Payment { return payments.Payment{} },
			do: func(r *rig, _ payments.Payment) error {
				_, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: r.order(1000)})
				return err
			},
			status: payments.StatusRequiresAction,
			check: func(b *fakeBank, p payments.Payment) bool {
				return b.byKey[p.ID+"/create"] == p.Reference && len(b.byKey) == len(b.sessions)
			},
		},
		"capture": {
			prepare: authorizedPayment,
			do: func(r *rig, p payments.Payment) error {
				_, err := r.svc.Capture(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}, 400)
				return err
			},
			status: payments.StatusPartiallyCaptured,
			check:  func(b *fakeBank, p payments.Payment) bool { return b.sessions[p.Reference].Captured == 400 },
		},
		"void": {
			prepare: authorizedPayment,
			do: func(r *rig, p payments.Payment) error {
				_, err := r.svc.Void(r.Context(), payments.Command{Merchant: merchant, ID: p.ID})
				return err
			},
			status: payments.StatusVoided,
			check: func(b *fakeBank, p payments.Payment) bool {
				return b.sessions[p.Reference].State == payments.ReportCancelled
			},
		},
		"cancel": {
			prepare: func(r *rig) payments.Payment { return r.start(r.order(1000)) },
			do: func(r *rig, p payments.Payment) error {
				_, err := r.svc.Cancel(r.Context(), payments.Command{Merchant: merchant, ID: p.ID})
				return err
			},
			status: payments.StatusCancelled,
			check: func(b *fakeBank, p payments.Payment) bool {
				return b.sessions[p.Reference].State == payments.ReportCancelled
			},
		},
		"refund": {
			prepare: func(r *rig) payments.Payment {
				p := r.start(r.order(1000))
				r.say(p, "evt_r", r.bank.approve(p.Reference))
				return p
			},
			do: func(r *rig, p payments.Payment) error {
				_, _, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Amount: 300, Key: "k"})
				return err
			},
			status: payments.StatusPartiallyRefunded,
			check:  func(b *fakeBank, p payments.Payment) bool { return b.sentBack(p.Reference) == 300 },
		},
	}
	each(t, func(r *rig) {
		for name, step := range steps {
			p := step.prepare(r)
			dying := &dyingStore{Store: r.store}
			r.svc = payments.NewService(dying, map[string]payments.Provider{"fake": r.bank}, r, r.opt)
			r.bank.FaultFunc = func(string) (error, error) { dying.dead.Store(true); return nil, nil }
			if err := step.do(r, p); !errors.Is(err, errDied) {
				r.Fatalf("%s: error %v", name, err)
			}
			r.bank.FaultFunc = nil
			r.restart()
			r.settleAll(3 * time.Minute)
			if p.ID == "" {
				page, _ := r.store.List(r.Context(), merchant, payments.Filter{Limit: 1})
				p = page.Payments[0]
			}
			if got := r.want(p.ID, step.status); !step.check(r.bank, got) {
				r.Fatalf("%s: the bank has something else\n%s", name, story(got))
			}
			r.settleAll(time.Hour) // what this step left open ends before the next one
		}
	})
}

func authorizedPayment(r *rig) payments.Payment {
	p := r.startAs(payments.Start{OrderID: r.order(1000), Capture: payments.CaptureManual})
	r.say(p, "evt_a"+p.ID, r.bank.approve(p.Reference))
	return p
}

// A bank that says "later" to a merchant's refund has said it to all of us.
func TestRefund_that_the_bank_puts_off_keeps_everybody_away_from_it(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		other := r.start(r.order(500))
		r.bank.FaultFunc = func(string) (error, error) { return &payments.UnavailableError{RetryAfter: 10 * time.Minute}, nil }
		refund, _, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Key: "r1"})
		if err != nil || refund.Status != payments.RefundRequested {
			r.Fatalf("%s, %v", refund.Status, err)
		}
		r.bank.FaultFunc = nil
		r.clock.add(5 * time.Minute) // the other payment's check is due
		r.reconcile()
		if n := r.bank.called("status"); n != 0 {
			r.Errorf("the bank was asked %d times about %s while it wanted to be left alone", n, other.ID)
		}
		r.settleAll(time.Hour)
		if r.want(p.ID, payments.StatusRefunded); r.bank.called("status") == 0 {
			r.Error("nobody asks any more")
		}
	})
}
