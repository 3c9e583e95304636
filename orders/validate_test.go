package orders_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tracker/orders"
)

func TestService_Create_names_every_field_that_does_not_fit(t *testing.T) {
	t.Parallel()
	item := func(change func(*orders.Item)) func(*orders.NewOrder) {
		return func(in *orders.NewOrder) { change(&in.Items[1]) }
	}
	metadata := func(key, value string) func(*orders.NewOrder) {
		return func(in *orders.NewOrder) { in.Metadata = map[string]string{key: value} }
	}
	for want, change := range map[string]func(*orders.NewOrder){
		"/reference required":               func(in *orders.NewOrder) { in.Reference = "  " },
		"/reference too_long":               func(in *orders.NewOrder) { in.Reference = strings.Repeat("ü", 201) },
		"/reference control_character":      func(in *orders.NewOrder) { in.Reference = "10\n42" },
		"/reference invalid":                func(in *orders.NewOrder) { in.Reference = "\xff" },
		"/currency required":                func(in *orders.NewOrder) { in.Currency = "" },
		"/currency unknown_currency":        func(in *orders.NewOrder) { in.Currency = "eur" },
		"/expires_in out_of_range":          func(in *orders.NewOrder) { in.ExpiresIn = -time.Second },
		"/items required":                   func(in *orders.NewOrder) { in.Items = nil },
		"/items too_many":                   func(in *orders.NewOrder) { in.Items = slices.Repeat(in.Items, 51) },
		"/items/1/sku required":             item(func(i *orders.Item) { i.SKU = "" }),
		"/items/1/sku too_long":             item(func(i *orders.Item) { i.SKU = strings.Repeat("x", 65) }),
		"/items/1/name required":            item(func(i *orders.Item) { i.Name = "" }),
		"/items/1/name too_long":            item(func(i *orders.Item) { i.Name = strings.Repeat("x", 501) }),
		"/items/1/quantity out_of_range":    item(func(i *orders.Item) { i.Quantity = 10000 }),
		"/items/1/unit_amount out_of_range": item(func(i *orders.Item) { i.UnitAmount = -1 }),
		"/items/1/unit_amount overflow":     item(func(i *orders.Item) { i.UnitAmount, i.Quantity = 1<<53-1, 9999 }),
		"/metadata too_many": func(in *orders.NewOrder) {
			in.Metadata = map[string]string{}
			for i := range 51 {
				in.Metadata[fmt.Sprint(i)] = ""
			}
		},
		"/metadata/ required":                metadata("", "x"),
		"/metadata/a~1b~0 too_long":          metadata("a/b~", strings.Repeat("x", 501)),
		"/metadata/x control_character":      metadata("x", "\x00"),
		"/metadata/x invalid":                metadata("x", "\xff\n"),
		"/shop/url invalid":                  func(in *orders.NewOrder) { in.Shop.URL = "ftp://kiln.example" },
		"/shop/help_url invalid":             func(in *orders.NewOrder) { in.Shop.HelpURL = "javascript:alert(1)" },
		"/shop/name too_long":                func(in *orders.NewOrder) { in.Shop.Name = strings.Repeat("x", 201) },
		"/items/0/quantity out_of_range":     func(in *orders.NewOrder) { in.Items[0].Quantity = 0 },
		"/expires_in out_of_range (too far)": func(in *orders.NewOrder) { in.ExpiresIn = 30*24*time.Hour + time.Millisecond },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			in := w.newOrder()
			change(&in)
			_, err := w.service.Create(context.Background(), merchant, in)
			pointer, code, _ := strings.Cut(strings.TrimSuffix(want, " (too far)"), " ")
			wantInvalid(t, err, pointer, code)
			if len(w.store.all()) != 0 {
				t.Error("an order was created all the same")
			}
		})
	}
}

func wantInvalid(t *testing.T, err error, pointer, code string) {
	t.Helper()
	var invalid *orders.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v, want %s %s", err, pointer, code)
	}
	for _, f := range invalid.Fields {
		if f.Pointer == pointer && f.Code == code && f.Detail != "" {
			return
		}
	}
	t.Errorf("got %+v, want %s %s", invalid.Fields, pointer, code)
}

func TestService_Create_takes_what_is_just_within_the_limits(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*orders.NewOrder){
		"the longest texts": func(in *orders.NewOrder) {
			in.Reference = strings.Repeat("ü", 200)
			in.Items[0].SKU, in.Items[0].Name = strings.Repeat("s", 64), strings.Repeat("🫖", 500)
			in.Metadata = map[string]string{strings.Repeat("k", 40): strings.Repeat("v", 500), "lines": "a\nb\tc"}
		},
		"the largest total": func(in *orders.NewOrder) {
			in.Items = []orders.Item{{SKU: "A", Name: "A", Quantity: 1, UnitAmount: 1<<53 - 2}, {SKU: "B", Name: "B", Quantity: 1, UnitAmount: 1}}
		},
		"a hundred items": func(in *orders.NewOrder) { in.Items = slices.Repeat(in.Items, 50) },
		"a millisecond":   func(in *orders.NewOrder) { in.ExpiresIn = time.Millisecond },
		"thirty days":     func(in *orders.NewOrder) { in.ExpiresIn = 30 * 24 * time.Hour },
		"no metadata":     func(in *orders.NewOrder) { in.Metadata = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			in := w.newOrder()
			change(&in)
			w.must(w.service.Create(context.Background(), merchant, in))
		})
	}
}

func TestService_Ship_and_CarrierEvent_name_what_does_not_fit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	o, parcel := w.ship(w.paid(), orders.ShipmentItem{SKU: "MUG", Quantity: 1})
	for want, in := range map[string]orders.NewShipment{
		"/carrier required":                  {},
		"/carrier too_long":                  {Carrier: strings.Repeat("x", 65)},
		"/tracking_number required":          {Carrier: "DHL"},
		"/tracking_number too_long":          {Carrier: "DHL", TrackingNumber: strings.Repeat("1", 129)},
		"/tracking_number control_character": {Carrier: "DHL", TrackingNumber: "1\x7f"},
		"/items/0/quantity out_of_range":     {Carrier: "DHL", Items: []orders.ShipmentItem{{SKU: "MUG"}}},
		"/items/0/sku required":              {Carrier: "DHL", Items: []orders.ShipmentItem{{Quantity: 1}}},
		"/items too_many":                    {Carrier: "DHL", Items: make([]orders.ShipmentItem, 101)},
		"/estimated_from invalid":            {Carrier: "DHL", EstimatedFrom: "26.11.2026"},
		"/estimated_to out_of_range":         {Carrier: "DHL", EstimatedFrom: "2026-11-26", EstimatedTo: "2026-11-25"},
	} {
		_, _, err := w.service.Ship(ctx, merchant, o.ID, in)
		pointer, code, _ := strings.Cut(want, " ")
		wantInvalid(t, err, pointer, code)
	}
	for want, in := range map[string]orders.CarrierEvent{
		"/status required":             {},
		"/status unknown":              {Status: "sent"},
		"/occurred_at out_of_range":    {Status: orders.ShipmentDelivered, OccurredAt: w.now.Add(27 * time.Hour)},
		"/location control_character":  {Status: orders.ShipmentDelivered, Location: "Leip\nzig"},
		"/location too_long":           {Status: orders.ShipmentDelivered, Location: strings.Repeat("x", 201)},
		"/description too_long":        {Status: orders.ShipmentDelivered, Description: strings.Repeat("x", 2001)},
		"/estimated_to invalid":        {Status: orders.ShipmentDelivered, EstimatedTo: "0001-01-01"},
		"/occurred_at out_of_range #2": {Status: orders.ShipmentDelivered, OccurredAt: time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)},
	} {
		_, _, err := w.service.CarrierEvent(ctx, merchant, parcel, in)
		pointer, code, _ := strings.Cut(strings.TrimSuffix(want, " #2"), " ")
		wantInvalid(t, err, pointer, code)
	}
	_, err := w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{Reason: strings.Repeat("x", 501)})
	wantInvalid(t, err, "/reason", "too_long")
	if w.get(o.ID).Sequence != 4 {
		t.Error("something was changed all the same")
	}
}

func TestService_List_names_the_parameter_that_does_not_fit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, f := range map[string]orders.Filter{
		"/limit out_of_range":         {Limit: 101},
		"/limit out_of_range #2":      {Limit: -1},
		"/status unknown":             {Status: []orders.Status{"paid"}},
		"/payment_status unknown":     {PaymentStatus: []orders.PaymentStatus{"x"}},
		"/fulfillment_status unknown": {FulfillmentStatus: []orders.FulfillmentStatus{"x"}},
		"/waits_for unknown":          {WaitsFor: []orders.Actor{"godot"}},
		"/task unknown":               {Task: []orders.Task{"x"}},
		"/starting_after invalid":     {StartingAfter: "7"},
		"/q too_long":                 {Query: strings.Repeat("x", 201)},
	} {
		_, err := w.service.List(context.Background(), merchant, f)
		pointer, code, _ := strings.Cut(strings.TrimSuffix(want, " #2"), " ")
		wantInvalid(t, err, pointer, code)
	}
}

func TestService_ids_that_are_none_are_not_found(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.create()
	for _, id := range []string{"", "ord_", "ord_*", "ord_>", "pay_00000000000000000000000001", "ord_0000000000000000000000000u", "../../etc"} {
		if _, err := w.service.Get(ctx, merchant, id); !errors.Is(err, orders.ErrNotFound) {
			t.Errorf("order %q: %v", id, err)
		}
		if _, _, err := w.service.CarrierEvent(ctx, merchant, id, orders.CarrierEvent{Status: orders.ShipmentDelivered}); !errors.Is(err, orders.ErrNotFound) {
			t.Errorf("shipment %q: %v", id, err)
		}
	}
}
