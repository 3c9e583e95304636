package payments_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tracker/payments"
)

func TestFlow_pay_and_refund(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		if p.Status != payments.StatusRequiresAction || p.Redirect == "" || p.NextCheckAt.IsZero() {
			r.Fatalf("started: %+v", p)
		}
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		got := r.want(p.ID, payments.StatusCaptured)
		if got.Captured != 1999 || !got.NextCheckAt.IsZero() || !got.Closed() {
			r.Fatalf("captured: %+v", got)
		}
		want := []string{"payment.created", "payment.requires_action", "payment.captured"}
		if diff := cmp.Diff(want, r.types(p.ID)); diff != "" {
			r.Fatalf("events (-want +got)\n%s", diff)
		}
		refund, after, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Amount: 500, Key: "a"})
		if err != nil || refund.Status != payments.RefundSucceeded || after.Status != payments.StatusPartiallyRefunded {
			r.Fatalf("refund: %v %+v %s", err, refund, after.Status)
		}
		_, after, err = r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Key: "b"})
		if err != nil || after.Status != payments.StatusRefunded || after.Refunded != 1999 {
			r.Fatalf("refund rest: %v %s %d", err, after.Status, after.Refunded)
		}
		if got := r.bank.sentBack(p.Reference); got != 1999 {
			r.Fatalf("the bank returned %d", got)
		}
	})
}
