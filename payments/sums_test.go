package payments_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tracker/payments"
)

func TestRow15_a_hundred_refunds_at_once(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		done := make(chan error, 100)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				_, _, err := r.svc.Refund(context.Background(), payments.NewRefund{
					Merchant: merchant, PaymentID: p.ID, Amount: 30, Key: fmt.Sprint("key", i),
				})
				done <- err
			})
		}
		all.Wait()
		close(done)
		ok := 0
		for err := range done {
			if err == nil {
				ok++
			} else if !isConflict(err, payments.CodeRefundExceeds) {
				r.Fatal(err)
			}
		}
		got := r.get(p.ID)
		if ok != 66 || got.Refunded != 1980 || r.bank.sentBack(p.Reference) != 1980 || got.RefundPending != 0 {
			r.Fatalf("%d refunds, refunded %d, sent %d", ok, got.Refunded, r.bank.sentBack(p.Reference))
		}
	})
}

func TestRow15_captures_in_parts(t *testing.T) {
	each(t, func(r *rig) {
		p := r.startAs(payments.Start{OrderID: r.order(1000), Capture: payments.CaptureManual})
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		cmd := payments.Command{Merchant: merchant, ID: p.ID}
		take := func(amount int64, key string) payments.Payment {
			r.Helper()
			cmd.Key = key
			got, err := r.svc.Capture(r.Context(), cmd, amount)
			if err != nil {
				r.Fatalf("capture %d: %v", amount, err)
			}
			return got
		}
		for range 2 { // a repeated request captures once
			if got := take(400, "a"); got.Status != payments.StatusPartiallyCaptured || got.Captured != 400 {
				r.Fatalf("%s %d", got.Status, got.Captured)
			}
		}
		if got := take(100, "b"); got.Captured != 500 {
			r.Fatalf("captured %d", got.Captured)
		}
		cmd.Key = "c"
		if _, err := r.svc.Capture(r.Context(), cmd, 501); !isConflict(err, payments.CodeCaptureExceeds) {
			r.Fatalf("too much: %v", err)
		}
		cmd.IfSequence = 1
		if _, err := r.svc.Capture(r.Context(), cmd, 1); !isConflict(err, payments.CodeSequenceMismatch) {
			r.Fatalf("old sequence: %v", err)
		}
		cmd.IfSequence = 0
		if got := take(0, "d"); got.Status != payments.StatusCaptured || got.Captured != 1000 {
			r.Fatalf("%s %d", got.Status, got.Captured)
		}
		want := []string{"payment.created", "payment.requires_action", "payment.authorized",
			"payment.partially_captured", "payment.partially_captured", "payment.captured"}
		if diff := cmp.Diff(want, r.types(p.ID)); diff != "" {
			r.Fatalf("events (-want +got)\n%s", diff)
		}
	})
}

// The bank calls about a capture before it has answered it.
func TestRow15_callback_of_a_part_overtakes_the_answer(t *testing.T) {
	each(t, func(r *rig) {
		p := authorizedPayment(r)
		r.bank.CaptureFunc = func(in payments.Operation) (payments.Report, error) {
			report, err := r.bank.take(in)
			r.say(p, "evt_part", payments.Report{State: payments.ReportCaptured, Currency: "EUR", Amount: 400, Captured: 400})
			return report, err
		}
		got, err := r.svc.Capture(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}, 400)
		if err != nil || got.Status != payments.StatusPartiallyCaptured || got.Captured != 400 || got.OpenIntent() != nil {
			r.Fatalf("%v %s %d", err, got.Status, got.Captured)
		}
		other := authorizedPayment(r)
		r.say(other, "evt_other", payments.Report{State: payments.ReportCaptured, Currency: "EUR", Captured: 400})
		r.want(other.ID, payments.StatusReview) // nobody asked for that part
	})
}

func TestRow16_one_cause_one_refund(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		ids := make(chan string, 10)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				refund, _, err := r.svc.Refund(context.Background(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Amount: 700, Key: "cause"})
				if err != nil {
					r.Error(err)
				}
				ids <- refund.ID
			})
		}
		all.Wait()
		close(ids)
		first := <-ids
		for id := range ids {
			if id != first {
				r.Fatalf("two refunds: %s and %s", id, first)
			}
		}
		if got := r.get(p.ID); got.Refunded != 700 || r.bank.sentBack(p.Reference) != 700 {
			r.Fatalf("refunded %d, sent %d", got.Refunded, r.bank.sentBack(p.Reference))
		}
	})
}
