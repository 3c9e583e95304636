package ordersdb_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/txoutbox"
	"tracker/orders"
	"tracker/orders/ordersdb"
)

const keep = 90 * 24 * time.Hour

// delivered is an order that came to its end, with a parcel.
func (w *world) delivered(t *testing.T) (orders.Order, orders.Shipment) {
	t.Helper()
	o := w.paid(t)
	_, parcel, err := w.service.Ship(t.Context(), w.merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "0034"})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []orders.ShipmentStatus{orders.ShipmentInTransit, orders.ShipmentDelivered} {
		w.now = w.now.Add(time.Hour)
		if _, _, err := w.service.CarrierEvent(t.Context(), w.merchant, parcel.ID, orders.CarrierEvent{Status: status, Description: "as said"}); err != nil {
			t.Fatal(err)
		}
	}
	return w.get(t, o.ID), parcel
}

func (w *world) retire(t *testing.T, want int) {
	t.Helper()
	if n, err := w.service.Retire(t.Context(), w.store, keep); n != want || err != nil {
		t.Errorf("%d retired, want %d: %v", n, want, err)
	}
}

func (w *world) rows(t *testing.T, table string) (n int) {
	t.Helper()
	if err := w.db.Read(t.Context()).Raw("SELECT count(*) FROM " + table).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestArchive_holds_what_ended_long_ago_and_nothing_else(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		done, _ := w.delivered(t)
		cancelled := w.create(t)
		if _, err := w.service.Cancel(t.Context(), w.merchant, cancelled.ID, orders.Cancellation{}); err != nil {
			t.Fatal(err)
		}
		owed := w.paid(t) // cancelled with money to be given back: not closed
		if _, err := w.service.Cancel(t.Context(), w.merchant, owed.ID, orders.Cancellation{}); err != nil {
			t.Fatal(err)
		}
		open := w.paid(t)
		w.retire(t, 0)
		w.now = w.now.Add(keep + time.Minute)
		young := w.create(t)
		w.retire(t, 2)
		w.retire(t, 0)
		for _, id := range []string{owed.ID, open.ID, young.ID} {
			if got := w.rows(t, "orders WHERE id = '"+id+"'"); got != 1 {
				t.Errorf("%s is gone", id)
			}
		}
		for _, table := range []string{"order_items", "order_transitions", "order_payments"} {
			if n := w.rows(t, table+" WHERE order_id NOT IN (SELECT id FROM orders)"); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		for _, table := range []string{"shipments", "shipment_items", "shipment_events"} { // there was one parcel
			if n := w.rows(t, table); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		if n := w.rows(t, "orders_archive WHERE id IN ('"+done.ID+"', '"+cancelled.ID+"')"); n != 2 {
			t.Errorf("the archive has %d of them", n)
		}
	})
}

func TestArchive_is_read_like_everything_else(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		was, _ := w.delivered(t)
		event, err := w.service.Newest(t.Context(), w.merchant, was.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(keep + time.Minute)
		w.retire(t, 1)
		if diff := cmp.Diff(was, w.get(t, was.ID), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("the order changed (-before +after):\n%s", diff)
		}
		again, err := w.service.Newest(t.Context(), w.merchant, was.ID)
		if diff := cmp.Diff(event, again); err != nil || diff != "" {
			t.Errorf("its event changed: %v\n%s", err, diff)
		}
		if _, err := w.service.Get(t.Context(), "mer_00000000000000000000000000", was.ID); !errors.Is(err, orders.ErrNotFound) {
			t.Errorf("somebody else's: %v", err)
		}
		fresh := w.create(t)
		for _, c := range []struct {
			filter orders.Filter
			want   []string
		}{
			{orders.Filter{}, []string{fresh.ID}},
			{orders.Filter{Reference: "1042"}, []string{fresh.ID, was.ID}},
			{orders.Filter{Reference: "1042", Limit: 1}, []string{fresh.ID}},
			{orders.Filter{Reference: "1042", StartingAfter: fresh.ID}, []string{was.ID}},
			{orders.Filter{Reference: "1042", Status: []orders.Status{orders.StatusCompleted}}, []string{was.ID}},
			{orders.Filter{Reference: "1042", Status: []orders.Status{orders.StatusCancelled}}, []string{}},
			{orders.Filter{Reference: "1042", CreatedFrom: fresh.CreatedAt}, []string{fresh.ID}},
			{orders.Filter{Reference: "1043"}, []string{}},
		} {
			if diff := cmp.Diff(c.want, w.list(t, c.filter)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", c.filter, diff)
			}
		}
	})
}

func TestArchive_gives_back_what_changes_after_all(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		was, parcel := w.delivered(t)
		paid := was.Payments[0]
		w.now = w.now.Add(keep + time.Minute)
		w.retire(t, 1)
		w.pay(t, was, payment{ID: paid.ID, Status: "captured", Captured: was.Amount}) // what it has seen
		if n := w.rows(t, "orders"); n != 0 {
			t.Error("an old event thawed it")
		}
		w.pay(t, was, payment{ID: paid.ID, Status: "refunded", Captured: was.Amount, Refunded: was.Amount}, 2)
		now := w.get(t, was.ID)
		if now.Sequence <= was.Sequence || now.PaymentStatus != "refunded" || len(now.Timeline) != int(now.Sequence) || w.rows(t, "orders") != 1 || w.rows(t, "orders_archive") != 0 {
			t.Errorf("after the refund: %+v", now)
		}
		if diff := cmp.Diff(was.Shipments, now.Shipments); diff != "" {
			t.Errorf("the parcels changed:\n%s", diff)
		}
		w.now = w.now.Add(keep + time.Minute)
		w.retire(t, 1)
		back, _, err := w.service.CarrierEvent(t.Context(), w.merchant, parcel.ID, orders.CarrierEvent{Status: orders.ShipmentReturnedToSender})
		if err != nil || back.Sequence <= now.Sequence || w.rows(t, "shipments_archive") != 0 {
			t.Errorf("a parcel that comes back: %v, %+v", err, back)
		}
		events := w.announced(t, was.ID)
		for i, e := range events {
			if e.Seq != int64(i)+1 {
				t.Errorf("event %d has sequence %d", i, e.Seq)
			}
		}
	})
}

func TestArchive_several_processes_at_once(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const n = 30
		for range n {
			o := w.create(t)
			if _, err := w.service.Cancel(t.Context(), w.merchant, o.ID, orders.Cancellation{}); err != nil {
				t.Fatal(err)
			}
		}
		w.now = w.now.Add(keep + time.Minute)
		counts := make([]int, 4)
		for _, err := range race(len(counts), func(i int) (err error) {
			counts[i], err = w.service.Retire(t.Context(), w.store, keep)
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		if sum := counts[0] + counts[1] + counts[2] + counts[3]; sum != n || w.rows(t, "orders_archive") != n || w.rows(t, "orders") != 0 {
			t.Errorf("%v retired", counts)
		}
	})
}

// A binary of the release before starts, and works, on the schema of this one.
func TestMigrations_are_survived_by_an_older_binary(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		first, err := fs.ReadFile(ordersdb.Migrations(db.Dialect()), "00001_orders.sql")
		if err != nil {
			t.Fatal(err)
		}
		older := []dbconn.MigrationSet{
			{Name: txoutbox.Name, FS: txoutbox.Migrations(db.Dialect())},
			{Name: ordersdb.Name, FS: fstest.MapFS{"00001_orders.sql": {Data: first}}},
		}
		if err := db.Migrate(context.Background(), older...); err != nil {
			t.Error(err)
		}
	})
}
