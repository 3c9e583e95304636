package ordersdb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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

func TestStore_an_order_that_carries_too_much_takes_no_more_but_money(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		in := w.newOrder()
		for i := range 97 {
			in.Items = append(in.Items, orders.Item{SKU: fmt.Sprint(i), Name: strings.Repeat("<", orders.MaxName), Quantity: 1, UnitAmount: 1})
		}
		o, err := w.service.Create(t.Context(), w.merchant, in)
		if err != nil {
			t.Fatal(err)
		}
		id := w.pay(t, o, payment{Status: "captured", Captured: o.Amount})
		_, parcel, err := w.service.Ship(t.Context(), w.merchant, o.ID, orders.NewShipment{Carrier: "DHL"})
		if err != nil {
			t.Fatal(err)
		}
		var full *orders.ConflictError
		for i := 0; !errors.As(err, &full); i++ {
			if err != nil || i == 200 {
				t.Fatalf("after %d reports: %v", i, err)
			}
			_, _, err = w.service.CarrierEvent(t.Context(), w.merchant, parcel.ID, orders.CarrierEvent{Status: orders.ShipmentInTransit,
				OccurredAt: w.now.Add(time.Duration(i) * time.Second), Location: strings.Repeat("<", orders.MaxLocation)})
		}
		before := w.get(t, o.ID)
		if full.Code != orders.CodeTooMany || full.Sequence != before.Sequence || full.Status != "confirmed" {
			t.Errorf("refused with %+v at %d", full, before.Sequence)
		}
		w.pay(t, o, payment{ID: id, Status: "partially_refunded", Captured: o.Amount, Refunded: 1}, 2)
		if after := w.get(t, o.ID); after.PaymentStatus != orders.PaymentPartiallyRefunded {
			t.Errorf("the refund was not taken: %s", after.PaymentStatus)
		}
	})
}
