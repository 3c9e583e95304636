package orders_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tracker/notify/eventwire"
	"tracker/orders"
)

func TestEachNewest_goes_through_every_order_of_everybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for range 203 {
		want = append(want, w.create().ID)
	}
	var got []string
	err := w.service.EachNewest(context.Background(), func(e eventwire.Event) error {
		got = append(got, e.Subject)
		if e.Seq != 1 || len(e.Timeline) != 1 || e.Merchant != merchant {
			t.Errorf("a strange event: %+v", e)
		}
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	enough := errors.New("enough")
	if err := w.service.EachNewest(context.Background(), func(eventwire.Event) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestEachNewest_is_the_event_that_was_sent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	sent := w.store.events[len(w.store.events)-1]
	err := w.service.EachNewest(context.Background(), func(e eventwire.Event) error {
		if diff := cmp.Diff(sent, e); diff != "" {
			t.Errorf("(-sent +rebuilt)\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestService_an_order_that_carries_too_much_takes_no_more_but_money(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	in := w.newOrder()
	for len(in.Items) < orders.MaxItems {
		in.Items = append(in.Items, orders.Item{SKU: "X", Name: strings.Repeat("<", orders.MaxName), Quantity: 1, UnitAmount: 1})
	}
	o := w.must(w.service.Create(ctx, merchant, in))
	w.pay(o, money{Status: "captured", Captured: o.Amount})
	_, parcel := w.ship(o)
	var refused error
	for i := 0; refused == nil && i < 200; i++ {
		_, _, refused = w.service.CarrierEvent(ctx, merchant, parcel, orders.CarrierEvent{Status: orders.ShipmentInTransit,
			OccurredAt: w.now.Add(time.Duration(i) * time.Second), Location: strings.Repeat("<", orders.MaxLocation)})
	}
	wantConflict(t, refused, orders.CodeTooMany, "confirmed", w.get(o.ID).Sequence)
	o = w.pay(o, money{Status: "partially_refunded", Past: []string{"captured"}, Captured: o.Amount, Refunded: 1, Seq: 2})
	if o.PaymentStatus != orders.PaymentPartiallyRefunded {
		t.Errorf("the refund was not taken: %s", o.PaymentStatus)
	}
}
