package payments_test

import (
	"testing"
	"time"

	"tracker/payments"
)

// partly is a payment of 1000 of which 400 were captured.
func (r *rig) partly(order string) payments.Payment {
	r.Helper()
	p := r.startAs(payments.Start{OrderID: order, Capture: payments.CaptureManual})
	r.say(p, "evt_held", r.bank.approve(p.Reference))
	p, err := r.svc.Capture(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}, 400)
	if err != nil || p.Status != payments.StatusPartiallyCaptured || p.Capturable() != 600 {
		r.Fatalf("%s, %d capturable, %v", p.Status, p.Capturable(), err)
	}
	return p
}

func TestPartialCapture_the_rest_can_be_voided(t *testing.T) {
	each(t, func(r *rig) {
		p := r.partly(r.order(1000))
		cmd := payments.Command{Merchant: merchant, ID: p.ID}
		for range 2 {
			got, err := r.svc.Void(r.Context(), cmd)
			if err != nil || got.Status != payments.StatusPartiallyCaptured || got.Capturable() != 0 || !got.Closed() {
				r.Fatalf("%s, %d capturable, %v", got.Status, got.Capturable(), err)
			}
		}
		if n := r.bank.called("void"); n != 1 {
			r.Errorf("%d voids", n)
		}
		if _, err := r.svc.Capture(r.Context(), cmd, 100); !isConflict(err, payments.CodeCaptureExceeds) {
			r.Errorf("captured what was voided: %v", err)
		}
		if _, got, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID}); err != nil || got.Status != payments.StatusRefunded {
			r.Errorf("refund of the captured part: %s, %v", got.Status, err)
		}
	})
}

// A callback about the capture is not the answer to the void.
func TestPartialCapture_void_without_an_answer_is_repeated(t *testing.T) {
	each(t, func(r *rig) {
		p := r.partly(r.order(1000))
		r.bank.VoidFunc = func(payments.Operation) (payments.Report, error) { return payments.Report{}, payments.ErrTimeout }
		if _, err := r.svc.Void(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}); err != nil {
			r.Fatal(err)
		}
		r.say(p, "evt_late", r.bank.with(p.Reference, func(*session) {}))
		if got := r.get(p.ID); got.OpenIntent() == nil || got.Capturable() != 600 {
			r.Fatalf("taken for done: %+v", got.Intents)
		}
		r.bank.VoidFunc = nil
		r.settleAll(time.Hour)
		if got := r.get(p.ID); got.OpenIntent() != nil || got.Capturable() != 0 {
			r.Errorf("%+v", got.Intents)
		}
	})
}

func TestPartialCapture_a_void_that_is_refused_leaves_the_rest(t *testing.T) {
	each(t, func(r *rig) {
		p := r.partly(r.order(1000))
		r.bank.VoidFunc = func(payments.Operation) (payments.Report, error) {
			return payments.Report{}, &payments.RejectedError{Code: "no"}
		}
		if _, err := r.svc.Void(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}); !isConflict(err, payments.CodeRejected) {
			r.Fatalf("%v", err)
		}
		if got := r.get(p.ID); got.Capturable() != 600 || got.OpenIntent() != nil {
			r.Errorf("%d capturable, %+v", got.Capturable(), got.Intents)
		}
	})
}

func TestPartialCapture_of_a_cancelled_order_goes_back_and_the_rest_is_released(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1000)
		p := r.partly(order)
		r.closeOrder(order, "order.cancelled")
		if got := r.get(p.ID); got.RefundPending != 400 {
			r.Fatalf("the refund is not recorded with the cancel: pending %d", got.RefundPending)
		}
		r.settleAll(time.Hour)
		got := r.want(p.ID, payments.StatusRefunded)
		if got.Refunded != 400 || got.Capturable() != 0 || r.bank.called("void") != 1 {
			r.Errorf("refunded %d, %d capturable, %d voids", got.Refunded, got.Capturable(), r.bank.called("void"))
		}
	})
}
