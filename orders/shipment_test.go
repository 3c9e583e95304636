package orders_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tracker/orders"
)

func TestService_Ship(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	ship := func(w *world, o orders.Order, items ...orders.ShipmentItem) error {
		_, _, err := w.service.Ship(ctx, merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434", Items: items})
		return err
	}
	t.Run("in two parcels", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o, _ := w.ship(w.paid(), orders.ShipmentItem{SKU: "MUG", Quantity: 1})
		if o.FulfillmentStatus != orders.FulfillmentPartiallyFulfilled || o.Waits().Task != orders.TaskShip {
			t.Fatalf("%s, %v", o.FulfillmentStatus, o.Waits())
		}
		o, _ = w.ship(o)
		want := []orders.ShipmentItem{{SKU: "MUG", Quantity: 1}, {SKU: "PLATE", Quantity: 1}}
		if diff := cmp.Diff(want, o.Shipments[1].Items); diff != "" || o.FulfillmentStatus != orders.FulfillmentFulfilled {
			t.Errorf("the rest, %s (-want +got)\n%s", o.FulfillmentStatus, diff)
		}
	})
	t.Run("not before it is paid", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		wantConflict(t, ship(w, w.create()), orders.CodeNotConfirmed, "pending_payment", 1)
	})
	t.Run("not after it was cancelled", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.must(w.service.Cancel(ctx, merchant, w.create().ID, orders.Cancellation{}))
		wantConflict(t, ship(w, o), orders.CodeIllegalTransition, "cancelled", 2)
	})
	t.Run("not more than ordered", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.paid()
		wantConflict(t, ship(w, o, orders.ShipmentItem{SKU: "MUG", Quantity: 3}), orders.CodeOverShipment, "confirmed", 3)
		wantConflict(t, ship(w, o, orders.ShipmentItem{SKU: "MUG", Quantity: 2}, orders.ShipmentItem{SKU: "MUG", Quantity: 1}),
			orders.CodeOverShipment, "confirmed", 3)
		w.ship(o)
		wantConflict(t, ship(w, o), orders.CodeOverShipment, "confirmed", 4)
	})
	t.Run("not what was never ordered", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var invalid *orders.InvalidError
		if err := ship(w, w.paid(), orders.ShipmentItem{SKU: "VASE", Quantity: 1}); !errors.As(err, &invalid) || invalid.Fields[0].Pointer != "/items/0/sku" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("again what was lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o, parcel := w.ship(w.paid())
		if o = w.report(parcel, orders.ShipmentLost, w.now); o.FulfillmentStatus != orders.FulfillmentUnfulfilled {
			t.Fatalf("lost: %s", o.FulfillmentStatus)
		}
		o, parcel = w.ship(o)
		if o = w.report(parcel, orders.ShipmentDelivered, w.now); o.Status != orders.StatusCompleted {
			t.Errorf("%s", o.Status)
		}
	})
	t.Run("with the carrier's page", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.paid()
		_, parcel, err := w.service.Ship(ctx, merchant, o.ID, orders.NewShipment{Carrier: " dhl ", TrackingNumber: "00 34/ä&b=c"})
		if err != nil {
			t.Fatal(err)
		}
		if want := "tracking-id=00+34%2F%C3%A4%26b%3Dc"; !strings.HasPrefix(parcel.TrackingURL, "https://") || !strings.HasSuffix(parcel.TrackingURL, want) {
			t.Errorf("%s", parcel.TrackingURL)
		}
	})
}

func TestCarrierEvent_moves_the_headline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ reports, want string }{
		{"in_transit", "in_transit"},
		{"in_transit picked_up", "in_transit"},
		{"out_for_delivery in_transit", "out_for_delivery"},
		{"out_for_delivery delayed in_transit", "delayed"},
		{"out_for_delivery delivery_attempted out_for_delivery", "out_for_delivery"},
		{"in_transit exception in_transit", "in_transit"},
		{"in_transit on_hold available_for_pickup delivered", "delivered"},
		{"delivered out_for_delivery", "delivered"},
		{"delivered delayed", "delivered"},
		{"delivered lost", "delivered"},
		{"delivered exception", "exception"},
		{"delivered exception in_transit", "exception"},
		{"delivered exception delivered", "delivered"},
		{"delivered exception delivered exception", "delivered"},
		{"delivered exception lost", "lost"},
		{"delivered exception delayed", "exception"},
		{"delivered exception returned_to_sender", "returned_to_sender"},
		{"delivered returned_to_sender delivered", "returned_to_sender"},
		{"lost in_transit", "lost"},
		{"lost delivered", "delivered"},
		{"cancelled in_transit", "cancelled"},
		{"pending", "label_created"},
	} {
		w := newWorld(t)
		o, parcel := w.ship(w.paid())
		for i, s := range strings.Fields(c.reports) {
			o = w.report(parcel, orders.ShipmentStatus(s), w.now.Add(time.Duration(i)*time.Minute))
		}
		if got := string(o.Shipments[0].Status); got != c.want {
			t.Errorf("%s: %s, want %s", c.reports, got, c.want)
		}
	}
}

func TestCarrierEvent_repeats_are_no_ops(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	_, parcel := w.ship(w.paid())
	berlin := time.FixedZone("+01:00", 3600)
	first := w.report(parcel, orders.ShipmentInTransit, w.now)
	again := w.report(parcel, orders.ShipmentInTransit, w.now.In(berlin))
	if first.Sequence != again.Sequence {
		t.Error("the same moment in another time zone is a new report")
	}
	w.now = w.now.Add(time.Hour)
	untimed, _, err := w.service.CarrierEvent(ctx, merchant, parcel, orders.CarrierEvent{Status: orders.ShipmentInTransit})
	if err != nil || untimed.Sequence != first.Sequence {
		t.Errorf("a report without a time that says nothing new: sequence %d, %v", untimed.Sequence, err)
	}
	if later := w.report(parcel, orders.ShipmentInTransit, w.now); later.Sequence != first.Sequence+1 {
		t.Error("another scan of the same status was lost")
	}
}

func TestCarrierEvent_an_exception_after_completion_reopens_the_feed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, parcel := w.ship(w.paid())
	if o := w.report(parcel, orders.ShipmentDelivered, w.now); !o.Closed() {
		t.Fatal("not closed after the delivery")
	}
	o := w.report(parcel, orders.ShipmentException, w.now.Add(time.Hour))
	e, err := o.Event()
	if err != nil {
		t.Fatal(err)
	}
	if o.Status != orders.StatusCompleted || e.Closed || e.Type != orders.TypeShipmentChanged ||
		e.Transition.From != "delivered" || e.Transition.To != "exception" {
		t.Errorf("%s, closed %v, %+v", o.Status, e.Closed, e.Transition)
	}
	if o = w.report(parcel, orders.ShipmentReturnedToSender, w.now.Add(2*time.Hour)); !o.Closed() || o.FulfillmentStatus != orders.FulfillmentReturned {
		t.Errorf("after it came back: closed %v, %s", o.Closed(), o.FulfillmentStatus)
	}
}

func TestCarrierEvent_raw_text_is_kept_and_never_announced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, parcel := w.ship(w.paid())
	o, _, err := w.service.CarrierEvent(context.Background(), merchant, parcel, orders.CarrierEvent{
		Status: orders.ShipmentDelivered, Location: "Leipzig", Description: "left with Ms Example"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Shipments[0].Scans[0].Raw != "left with Ms Example" {
		t.Errorf("kept: %+v", o.Shipments[0].Scans[0])
	}
	for _, e := range w.store.events {
		body, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "Ms Example") || strings.Contains(string(body), "somebody@shop.example") {
			t.Errorf("announced: %s", body)
		}
	}
}

func TestCarrierEvent_of_a_returned_parcel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, first := w.ship(w.paid(), orders.ShipmentItem{SKU: "PLATE", Quantity: 1})
	_, second := w.ship(o)
	w.report(second, orders.ShipmentDelivered, w.now)
	if o := w.report(first, orders.ShipmentReturnedToSender, w.now); o.FulfillmentStatus != orders.FulfillmentPartiallyReturned ||
		o.Status != orders.StatusConfirmed || o.Waits() != (orders.Waits{For: orders.ActorMerchant, Task: orders.TaskLook}) {
		t.Errorf("%s, %s, %v", o.FulfillmentStatus, o.Status, o.Waits())
	}
}

func TestCarrierEvent_a_shipment_is_bounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, parcel := w.ship(w.paid())
	for i := range 200 {
		w.report(parcel, orders.ShipmentInTransit, w.now.Add(time.Duration(i)*time.Second))
	}
	_, _, err := w.service.CarrierEvent(context.Background(), merchant, parcel,
		orders.CarrierEvent{Status: orders.ShipmentInTransit, OccurredAt: w.now.Add(time.Hour)})
	wantConflict(t, err, orders.CodeTooMany, "confirmed", 204)
}

// goesBack says which moves of a headline nothing may cause. A report that comes
// late may tell several moves at once: cancelled to exception is one of a parcel
// that, by the carrier's clock, was delivered before it was cancelled.
func goesBack(from, to orders.ShipmentStatus) bool {
	ordinary := []orders.ShipmentStatus{orders.ShipmentPending, orders.ShipmentLabelCreated, orders.ShipmentPickedUp,
		orders.ShipmentInTransit, orders.ShipmentOutForDelivery, orders.ShipmentDelivered}
	before, after := slices.Index(ordinary, from), slices.Index(ordinary, to)
	switch {
	case from == to:
		return false
	case from == orders.ShipmentReturnedToSender:
		return true
	case before >= 0 && after >= 0:
		return after < before
	}
	return from.Ended() && !to.Ended() && to != orders.ShipmentException
}

// log is what must not depend on the order in which reports arrive.
func log(o orders.Order) string {
	s := o.Shipments[0]
	text := fmt.Sprintln(s.Status, s.EstimatedFrom, s.EstimatedTo)
	for _, scan := range s.Scans {
		text += fmt.Sprintln(scan.Status, scan.OccurredAt)
	}
	return text
}

func TestCarrierEvent_any_order_of_reports_ends_in_the_same(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		a, b := w.paid(), w.create()
		b = w.pay(b, money{ID: payB, Status: "captured", Captured: b.Amount})
		_, parcelA := w.ship(a)
		_, parcelB := w.ship(b)
		seen := map[string]bool{}
		reports := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) orders.CarrierEvent {
			return orders.CarrierEvent{
				Status:        rapid.SampledFrom(orders.ShipmentStatuses()).Draw(t, "status"),
				OccurredAt:    w.now.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "hour")) * time.Hour),
				EstimatedFrom: rapid.SampledFrom([]string{"", "2026-11-26", "2026-11-28"}).Draw(t, "estimate"),
			}
		}), 1, 8).Filter(func(list []orders.CarrierEvent) bool {
			clear(seen)
			for _, r := range list { // of two reports of one moment and status, the first is kept
				key := fmt.Sprint(r.Status, r.OccurredAt)
				if seen[key] {
					return false
				}
				seen[key] = true
			}
			return true
		}).Draw(t, "reports")
		take := func(o orders.Order, parcel string, list []orders.CarrierEvent) orders.Order {
			for _, r := range list {
				before := w.get(o.ID)
				after, s, err := w.service.CarrierEvent(context.Background(), merchant, parcel, r)
				if err != nil {
					t.Fatal(err)
				}
				if old, _ := before.Shipment(parcel); goesBack(old.Status, s.Status) {
					t.Fatalf("the headline went from %s to %s", old.Status, s.Status)
				}
				checkStep(t, before, after)
				o = after
			}
			return o
		}
		a = take(a, parcelA, reports)
		b = take(b, parcelB, rapid.Permutation(reports).Draw(t, "order"))
		if diff := cmp.Diff(log(a), log(b)); diff != "" {
			t.Fatalf("(-in order +shuffled)\n%s", diff)
		}
	})
}
