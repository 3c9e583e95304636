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
	p := samplePayment(merchant, order, payments.StatusCaptured)
	p.Amount.Minor, p.Captured, p.Sequence = amount, amount, 1
	p.Timeline = []eventwire.Transition{{Seq: 1, Type: "payment.captured", To: "captured", At: p.UpdatedAt, Cause: "callback"}}
	return must(p.Newest())
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
