package web_test

import (
	"testing"
	"time"

	"tracker/notify/eventwire"
	"tracker/payments"
	"tracker/payments/money"
)

// paidEvent is what payments announces once the bank has the money.
func paidEvent(t *testing.T, merchant, order string, amount int64) eventwire.Event {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	id := eventwire.NewID(eventwire.PrefixPayment, now)
	key := eventwire.Key{Merchant: merchant, Kind: eventwire.Payments, ID: id}
	timeline := []eventwire.Transition{{Seq: 1, Type: "payment.captured", To: "captured", At: now, Cause: "callback"}}
	return must(eventwire.New(key, order, 0, false, timeline, map[string]any{
		"id": id, "order_id": order, "status": "captured", "amount": amount, "currency": "EUR", "captured": amount, "refunded": 0, "refund_pending": 0,
	}))
}

// samplePayment is a payment as the service would return it.
func samplePayment(merchant, order string, status payments.Status) payments.Payment {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return payments.Payment{
		ID: eventwire.NewID(eventwire.PrefixPayment, now), Merchant: merchant, OrderID: order, Provider: "sandbox", Reference: "bank_1",
		Capture: payments.CaptureAutomatic, Status: status, Sequence: 2, Redirect: "https://bank.test/pay/bank_1",
		Amount: money.Amount{Minor: 4198, Currency: "EUR"}, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(30 * time.Minute),
		NextCheckAt: now.Add(90 * time.Second),
		Timeline: []eventwire.Transition{
			{Seq: 1, Type: "payment.created", To: "created", At: now, Cause: "merchant"},
			{Seq: 2, Type: "payment.requires_action", From: "created", To: "requires_action", At: now, Cause: "merchant"},
		},
	}
}
