package ordersdb_test

import (
	"fmt"
	"strings"
	"testing"

	"tracker/orders"
)

func TestStore_takes_the_largest_order_through_its_life(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.newOrder()
		in.Items = nil
		for i := range orders.MaxItems {
			in.Items = append(in.Items, orders.Item{SKU: fmt.Sprint(i) + strings.Repeat("<", orders.MaxSKU-2),
				Name: strings.Repeat("<", orders.MaxName), Quantity: orders.MaxQuantity, UnitAmount: 9_000_000})
		}
		o, err := w.service.Create(t.Context(), w.merchant, in)
		if err != nil {
			t.Fatal(err)
		}
		w.pay(t, o, payment{Status: "captured", Captured: o.Amount})
		if o, err = w.service.Cancel(t.Context(), w.merchant, o.ID, orders.Cancellation{Reason: strings.Repeat("<", orders.MaxReason)}); err != nil {
			t.Fatal(err)
		}
		if o.RefundDue() != o.Amount {
			t.Errorf("refund due %d of %d", o.RefundDue(), o.Amount)
		}
	})
}
