package payments_test

import (
	"context"
	"fmt"

	"tracker/payments"
)

func ExampleStatus_Next() {
	fmt.Println(payments.StatusCaptured.Next())
	fmt.Println(payments.StatusFailed.CanBecome(payments.StatusCaptured))
	// Output:
	// [partially_refunded refunded reversed review]
	// false
}

// A payment from its start to a refund. The bank of this example is the fake of
// the tests; the store is in memory.
func ExampleService() {
	ctx, at := context.Background(), newClock()
	bank := newFakeBank(at)
	svc := payments.NewService(newMemStore(), map[string]payments.Provider{"fake": bank}, payableBook{}, payments.Options{Now: at.now})

	p, _ := svc.Start(ctx, payments.Start{Merchant: merchant, OrderID: "ord_00000000000000000000000000", Key: "checkout-1042"})
	fmt.Println(p.Status, p.Summary().NextAction.URL)

	bank.approve(p.Reference)
	body := fmt.Sprintf(`{"event_id":"evt_1","payment":%q,"report":{"state":"captured","currency":"EUR","captured":1999}}`, p.ID)
	err := svc.Callback(ctx, "fake", map[string][]string{"signature": {"good"}}, []byte(body))
	p, _ = svc.Get(ctx, merchant, p.ID)
	fmt.Println(err, p.Status, p.Captured)

	_, p, _ = svc.Refund(ctx, payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Amount: 500, Key: "return-7"})
	fmt.Println(p.Status, p.Refunded)
	// Output:
	// requires_action https://bank.example/pay/ses_1
	// <nil> captured 1999
	// partially_refunded 500
}

type payableBook struct{}

func (payableBook) Payable(context.Context, string, string) (payments.Due, error) {
	return payments.Due{Amount: amount(1999), Open: true, Reference: "1042"}, nil
}
