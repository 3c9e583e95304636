package ordersdb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tracker/orders"
)

// race runs n copies of fn at once and returns their errors.
func race(n int, fn func(i int) error) []error {
	start, errs := make(chan struct{}), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

func TestStore_two_systems_at_once_one_wins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.create(t)
		errs := race(8, func(i int) error {
			_, err := w.service.Cancel(t.Context(), w.merchant, o.ID, orders.Cancellation{Reason: fmt.Sprint(i), IfSequence: o.Sequence})
			return err
		})
		won := 0
		for _, err := range errs {
			var lost *orders.ConflictError
			switch {
			case err == nil:
				won++
			case !errors.As(err, &lost):
				t.Errorf("got %v", err)
			case lost.Code != orders.CodeSequenceMismatch || lost.Sequence != 2 || lost.Status != "cancelled":
				t.Errorf("the loser is told %+v", lost)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

func TestStore_never_ships_more_than_ordered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.paid(t)
		errs := race(6, func(int) error {
			_, _, err := w.service.Ship(t.Context(), w.merchant, o.ID,
				orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434", Items: []orders.ShipmentItem{{SKU: "MUG", Quantity: 1}}})
			return err
		})
		shipped := 0
		for _, err := range errs {
			var lost *orders.ConflictError
			switch {
			case err == nil:
				shipped++
			case !errors.As(err, &lost) || lost.Code != orders.CodeOverShipment:
				t.Errorf("got %v", err)
			}
		}
		o = w.get(t, o.ID)
		if shipped != 2 || len(o.Shipments) != 2 || o.FulfillmentStatus != orders.FulfillmentPartiallyFulfilled {
			t.Errorf("%d shipped, %d shipments, %s", shipped, len(o.Shipments), o.FulfillmentStatus)
		}
	})
}

func TestStore_cancel_against_pay_always_ends_in_a_refund(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for range 20 {
			o := w.create(t)
			race(2, func(i int) error {
				if i == 0 {
					w.pay(t, o, payment{Status: "captured", Captured: o.Amount})
					return nil
				}
				_, err := w.service.Cancel(t.Context(), w.merchant, o.ID, orders.Cancellation{})
				return err
			})
			o = w.get(t, o.ID)
			if o.Status != orders.StatusCancelled || o.RefundDue() != o.Amount || o.Closed() {
				t.Fatalf("%s, refund due %d, closed %v", o.Status, o.RefundDue(), o.Closed())
			}
			events := w.announced(t, o.ID)
			if last := events[len(events)-1]; last.Closed || int64(len(events)) != o.Sequence {
				t.Fatalf("%d events up to %d, closed %v", len(events), o.Sequence, last.Closed)
			}
		}
	})
}

func TestStore_fifty_copies_of_a_payment_event_are_one_transition(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.create(t)
		id := w.pay(t, o, payment{Status: "created"})
		race(50, func(int) error {
			w.pay(t, o, payment{ID: id, Status: "captured", Captured: o.Amount}, 2)
			return nil
		})
		if o = w.get(t, o.ID); o.Sequence != 4 || o.Status != orders.StatusConfirmed {
			t.Errorf("sequence %d, %s", o.Sequence, o.Status)
		}
		if n := len(w.announced(t, o.ID)); n != 4 {
			t.Errorf("%d events", n)
		}
	})
}

func TestStore_a_reader_never_sees_half_a_change(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.paid(t)
		_, parcel, err := w.service.Ship(t.Context(), w.merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var both errgroup.Group
		both.Go(func() error {
			defer stop()
			for i := range 40 {
				_, _, err := w.service.CarrierEvent(t.Context(), w.merchant, parcel.ID, orders.CarrierEvent{
					Status: orders.ShipmentInTransit, OccurredAt: w.now.Add(time.Duration(i) * time.Second)})
				if err != nil {
					return err
				}
			}
			return nil
		})
		both.Go(func() error {
			for ctx.Err() == nil {
				o, err := w.service.Get(t.Context(), w.merchant, o.ID)
				if err != nil {
					return err
				}
				if int(o.Sequence) != len(o.Timeline) || len(o.Shipments[0].Scans) != len(o.Timeline)-4 {
					return fmt.Errorf("sequence %d, timeline of %d, %d scans", o.Sequence, len(o.Timeline), len(o.Shipments[0].Scans))
				}
			}
			return nil
		})
		if err := both.Wait(); err != nil {
			t.Error(err)
		}
	})
}
