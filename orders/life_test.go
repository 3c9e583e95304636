package orders_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracker/orders"
)

// life is one order to which anything may happen.
type life struct {
	*world
	t        *rapid.T
	id       string
	payments []money // not yet heard of, in any order
}

// step draws one thing and makes it happen. A refusal is as good as a success;
// any other error is not.
func (l *life) step() {
	ctx, o := context.Background(), l.get(l.id)
	var err error
	switch rapid.SampledFrom([]string{"pay", "pay", "ship", "report", "report", "cancel", "hold", "release", "rotate", "sweep"}).Draw(l.t, "what") {
	case "pay":
		if len(l.payments) > 0 {
			l.pay(o, l.payments[0])
			l.payments = l.payments[1:]
		}
	case "ship":
		items := rapid.SampledFrom([][]orders.ShipmentItem{nil, {{SKU: "MUG", Quantity: 1}}, {{SKU: "PLATE", Quantity: 1}}}).Draw(l.t, "items")
		_, _, err = l.service.Ship(ctx, merchant, l.id, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434", Items: items})
	case "report":
		if len(o.Shipments) > 0 {
			_, _, err = l.service.CarrierEvent(ctx, merchant, rapid.SampledFrom(o.Shipments).Draw(l.t, "parcel").ID,
				orders.CarrierEvent{Status: rapid.SampledFrom(orders.ShipmentStatuses()).Draw(l.t, "status"),
					OccurredAt: l.now.Add(time.Duration(rapid.IntRange(-3, 3).Draw(l.t, "hour")) * time.Hour)})
		}
	case "cancel":
		_, err = l.service.Cancel(ctx, merchant, l.id, orders.Cancellation{IfSequence: rapid.SampledFrom([]int64{0, o.Sequence, 1}).Draw(l.t, "if")})
	case "hold":
		_, err = l.service.Hold(ctx, merchant, l.id, orders.Hold{})
	case "release":
		_, err = l.service.Release(ctx, merchant, l.id, orders.Hold{})
	case "rotate":
		_, err = l.service.RotateToken(ctx, merchant, l.id, 0)
	case "sweep":
		l.now = l.now.Add(9 * time.Hour)
		_, err = l.service.Sweep(ctx)
	}
	var refused *orders.ConflictError
	if err != nil && !errors.As(err, &refused) {
		l.t.Fatal(err)
	}
}

func TestService_any_life_of_an_order_keeps_the_promises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		o := w.create()
		l := &life{world: w, t: t, id: o.ID}
		l.payments = rapid.Permutation(slices.Concat(histories(t, o.Amount)...)).Draw(t, "payments")
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			before := w.get(o.ID)
			l.step()
			after := w.get(o.ID)
			checkStep(t, before, after)
			checkParcels(t, before, after)
		}
		for i, e := range w.store.events {
			if e.Seq != int64(i+1) || len(e.Timeline) != i+1 {
				t.Fatalf("event %d has sequence %d and a timeline of %d", i, e.Seq, len(e.Timeline))
			}
		}
		if after := w.get(o.ID); len(w.store.events) != int(after.Sequence) {
			t.Fatalf("%d events for sequence %d", len(w.store.events), after.Sequence)
		}
	})
}

// checkParcels: a shipment is only ever added when there is something to put into
// it, and an order of which something is under way is never cancelled.
func checkParcels(t *rapid.T, before, after orders.Order) {
	t.Helper()
	if len(after.Shipments) > len(before.Shipments) {
		left := map[string]int64{}
		for _, item := range before.Remaining() {
			left[item.SKU] = item.Quantity
		}
		for _, item := range after.Shipments[len(after.Shipments)-1].Items {
			if item.Quantity > left[item.SKU] {
				t.Fatalf("%d of %s shipped, %d were left", item.Quantity, item.SKU, left[item.SKU])
			}
		}
	}
	if before.Status != orders.StatusCancelled && after.Status == orders.StatusCancelled {
		for _, s := range before.Shipments {
			if s.Status != orders.ShipmentCancelled {
				t.Fatalf("cancelled with a parcel that is %s", s.Status)
			}
		}
	}
	if before.Status.Final() && before.Status != after.Status {
		t.Fatalf("%s became %s", before.Status, after.Status)
	}
}
