package payments_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"tracker/payments"
)

func TestRow12_cancel_against_pay(t *testing.T) {
	each(t, func(r *rig) {
		for i := range 20 {
			order := r.order(1999)
			p := r.start(order)
			var race sync.WaitGroup
			race.Go(func() { _ = r.trySay(p, "evt_"+p.ID, r.bank.approve(p.Reference)) })
			race.Go(func() { _ = r.svc.OnOrder(context.Background(), orderEvent(order, "order.cancelled")) })
			race.Wait()
			r.settleAll(2 * time.Hour)
			got := r.get(p.ID)
			if r.bank.sessions[p.Reference].Captured != r.bank.sentBack(p.Reference) || !got.Closed() || got.Captured != got.Refunded {
				r.Fatalf("round %d: captured %d, sent back %d\n%s", i, got.Captured, got.Refunded, story(got))
			}
		}
	})
}

func TestRow12_cancel_that_comes_second_is_a_conflict_with_the_state(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.bank.approve(p.Reference) // and the bank has not called yet
		_, err := r.svc.Cancel(r.Context(), payments.Command{Merchant: merchant, ID: p.ID})
		var c *payments.ConflictError
		if !errors.As(err, &c) || c.Status != string(payments.StatusCaptured) {
			r.Fatalf("error %v", err)
		}
		r.want(p.ID, payments.StatusCaptured)
	})
}

func TestRow13_the_sweeper_asks_the_bank_first(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		paid, unpaid := r.start(order), r.start(r.order(1))
		r.bank.approve(paid.Reference)
		r.clock.add(31 * time.Minute)
		r.reconcile()
		r.want(paid.ID, payments.StatusCaptured)
		r.want(unpaid.ID, payments.StatusExpired)
		down := r.start(r.order(2))
		r.bank.CancelFunc = func(payments.Operation) (payments.Report, error) { return payments.Report{}, payments.ErrTimeout }
		r.clock.add(31 * time.Minute)
		r.reconcile()
		r.want(down.ID, payments.StatusRequiresAction)
		r.say(down, "evt_1", r.bank.approve(down.Reference))
		r.want(down.ID, payments.StatusCaptured)
	})
}

func TestRow14_captured_then_taken_back(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		r.say(p, "evt_2", r.bank.decide(p.Reference, payments.ReportReversed))
		got := r.want(p.ID, payments.StatusReversed)
		if _, _, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID}); !isConflict(err, payments.CodeIllegalTransition) {
			r.Fatalf("refund after a reversal: %v", err)
		}
		if !got.Closed() {
			r.Fatal("a reversed payment waits for nothing")
		}
	})
}
