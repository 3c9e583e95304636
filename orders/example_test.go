package orders_test

import (
	"context"
	"fmt"
	"time"

	"tracker/orders"
)

// An order is placed, cannot be cancelled by somebody who looks at an old
// version of it, and is cancelled by somebody who does not.
func ExampleService() {
	ctx, merchant := context.Background(), "mer_0000000000000000000000000m"
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	service := orders.NewService(&memory{}, orders.Options{Now: func() time.Time { return now }})

	order, err := service.Create(ctx, merchant, orders.NewOrder{
		Reference: "1042", Currency: "EUR", ExpiresIn: 30 * time.Minute,
		Items: []orders.Item{{SKU: "MUG", Name: "Mug", Quantity: 2, UnitAmount: 1499}},
	})
	fmt.Println(order.Status, order.Amount, order.PayBy.Format(time.TimeOnly), err)

	_, err = service.Cancel(ctx, merchant, order.ID, orders.Cancellation{IfSequence: 7})
	fmt.Println(err)

	order, err = service.Cancel(ctx, merchant, order.ID, orders.Cancellation{IfSequence: order.Sequence})
	fmt.Println(order.Status, order.Sequence, err)

	// Output:
	// pending_payment 2998 09:30:00 <nil>
	// orders: sequence_mismatch: the order is at sequence 1, not 7 (status pending_payment, sequence 1)
	// cancelled 2 <nil>
}

func ExampleOrder_Waits() {
	order := orders.Order{Status: orders.StatusPendingPayment, PaymentStatus: orders.PaymentProcessing}
	waits := order.Waits()
	fmt.Printf("waits for the %s to %s\n", waits.For, waits.Task)
	// Output: waits for the bank to confirm
}
