package payments_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tracker/payments"
)

// FuzzCallback lets a provider say anything that can be signed and encoded. The
// answer is always "taken" or "cannot be read", the money always adds up, and a
// payment that is not closed keeps a next check.
func FuzzCallback(f *testing.F) {
	for _, state := range []payments.ReportState{
		payments.ReportOpen, payments.ReportProcessing, payments.ReportAuthorized, payments.ReportCaptured,
		payments.ReportFailed, payments.ReportExpired, payments.ReportCancelled, payments.ReportReversed, "else",
	} {
		f.Add(fmt.Sprintf(`{"state":%q,"currency":"EUR","amount":1999,"captured":1999}`, state), "")
		f.Add(`{"state":"captured","captured":1999}`, fmt.Sprintf(`{"state":%q,"captured":-1}`, state))
		f.Add(`{"state":"authorized","amount":1999}`, fmt.Sprintf(`{"state":%q,"captured":9223372036854775807}`, state))
	}
	f.Add(`{"state":"captured","captured":1999,"transfers":[{"reference":"x","status":"succeeded"}]}`, `{"state":"captured","currency":"usd"}`)
	f.Add(`null`, `{"state":"captured","occurred_at":"0000-01-01T00:00:00Z"}`)
	f.Add(`{"state":`, `{"captured":1e400}`)
	f.Fuzz(func(t *testing.T, first, second string) {
		r := newRig(t, newMemStore(), payments.Options{})
		order := r.order(1999)
		p := r.startAs(payments.Start{OrderID: order, Capture: payments.CaptureManual})
		for i, report := range []string{first, second, first} {
			body := fmt.Sprintf(`{"event_id":"evt_%d","type":"t","payment":%q,"report":%s}`, i, p.ID, report)
			err := r.svc.Callback(t.Context(), "fake", map[string][]string{"signature": {"good"}}, []byte(body))
			if err != nil && !errors.Is(err, payments.ErrMalformed) {
				t.Fatalf("%s: %v", report, err)
			}
			mustAddUp(t, r.get(p.ID))
		}
		r.closeOrder(order, "order.cancelled")
		mustAddUp(t, r.get(p.ID))
		r.settleAll(3 * time.Hour)
		mustAddUp(t, r.get(p.ID))
	})
}

func mustAddUp(t *testing.T, p payments.Payment) {
	t.Helper()
	switch {
	case p.Refunded < 0 || p.RefundPending < 0 || p.Captured < 0 || p.Refunded+p.RefundPending > p.Captured:
		t.Fatalf("captured %d, refunded %d, pending %d\n%s", p.Captured, p.Refunded, p.RefundPending, story(p))
	case p.Closed() != p.NextCheckAt.IsZero():
		t.Fatalf("%s: closed %v, next check %v\n%s", p.Status, p.Closed(), p.NextCheckAt, story(p))
	case int(p.Sequence) != len(p.Timeline):
		t.Fatalf("sequence %d, %d transitions", p.Sequence, len(p.Timeline))
	}
}
