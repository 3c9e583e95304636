package ordersdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
	"tracker/orders"
	"tracker/orders/ordersdb"
)

// each runs fn over both databases, with a service on the store under test.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := &world{db: db, store: ordersdb.New(db), now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
		w.merchant = eventwire.NewID(eventwire.PrefixMerchant, w.now)
		w.service = orders.NewService(w.store, orders.Options{Now: func() time.Time { return w.now }})
		fn(t, w)
	})
}

func sets(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{
		{Name: txoutbox.Name, FS: txoutbox.Migrations(dialect)},
		{Name: ordersdb.Name, FS: ordersdb.Migrations(dialect)},
	}
}

// world is one database and what is needed to make orders in it. Its clock is
// only moved while nothing else runs.
type world struct {
	db       *dbconn.DB
	store    *ordersdb.Store
	service  *orders.Service
	merchant string
	now      time.Time
}

func (w *world) newOrder() orders.NewOrder {
	return orders.NewOrder{
		Reference: "1042", Currency: "EUR",
		Items: []orders.Item{
			{SKU: "MUG", Name: "Mug \"größer\" 🫖", Quantity: 2, UnitAmount: 1499},
			{SKU: "PLATE", Name: "Plate", Quantity: 1, UnitAmount: 1200},
		},
		Metadata: map[string]string{"cart": "77"},
		Shop:     orders.Shop{Name: "Kiln & Clay", HelpURL: "https://kiln.example/help"},
	}
}

func (w *world) create(t *testing.T) orders.Order {
	t.Helper()
	o, err := w.service.Create(t.Context(), w.merchant, w.newOrder())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// paid creates an order and takes a captured payment over all of it into it.
func (w *world) paid(t *testing.T) orders.Order {
	t.Helper()
	o := w.create(t)
	w.pay(t, o, payment{Status: "captured", Captured: o.Amount})
	return w.get(t, o.ID)
}

func (w *world) get(t *testing.T, id string) orders.Order {
	t.Helper()
	o, err := w.service.Get(t.Context(), w.merchant, id)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

type payment struct {
	ID            string `json:"id"`
	OrderID       string `json:"order_id"`
	Status        string `json:"status"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	Captured      int64  `json:"captured"`
	Refunded      int64  `json:"refunded"`
	RefundPending int64  `json:"refund_pending"`
}

// pay sends the order a payment event, seq 1 unless told.
func (w *world) pay(t *testing.T, o orders.Order, p payment, seq ...int64) string {
	t.Helper()
	if p.ID == "" {
		p.ID = eventwire.NewID(eventwire.PrefixPayment, w.now)
	}
	p.OrderID, p.Amount, p.Currency = o.ID, o.Amount, o.Currency
	n := int64(1)
	if len(seq) > 0 {
		n = seq[0]
	}
	e, err := eventwire.New(eventwire.Key{Merchant: o.Merchant, Kind: eventwire.Payments, ID: p.ID}, o.ID, 0, false,
		[]eventwire.Transition{{Seq: n, Type: "payment." + p.Status, To: p.Status, At: w.now, Cause: "callback"}}, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.service.OnPayment(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return p.ID
}

// announced reads the outbox of one order back, in the order of its sequence.
func (w *world) announced(t *testing.T, id string) []eventwire.Event {
	t.Helper()
	var bodies [][]byte
	err := w.db.Read(t.Context()).Raw("SELECT body FROM outbox WHERE resource = ? ORDER BY id", id).Scan(&bodies).Error
	if err != nil {
		t.Fatal(err)
	}
	list := make([]eventwire.Event, len(bodies))
	for i, body := range bodies {
		if list[i], err = eventwire.Decode(body); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func TestStore_reads_back_what_it_saved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.paid(t)
		w.now = w.now.Add(time.Hour)
		o, parcel, err := w.service.Ship(t.Context(), w.merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "0034 0434",
			Items: []orders.ShipmentItem{{SKU: "MUG", Quantity: 2}}, EstimatedFrom: "2026-11-26", EstimatedTo: "2026-11-27"})
		if err != nil {
			t.Fatal(err)
		}
		o, parcel, err = w.service.CarrierEvent(t.Context(), w.merchant, parcel.ID, orders.CarrierEvent{
			Status: orders.ShipmentInTransit, OccurredAt: w.now.Add(-time.Minute), Location: "Leipzig",
			Description: "handed over by Mr Example", EstimatedFrom: "2026-11-28"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, w.get(t, o.ID), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-returned +read)\n%s", diff)
		}
		if parcel.EstimatedFrom != "2026-11-28" || parcel.EstimatedTo != "" || parcel.TrackingURL == "" {
			t.Errorf("the parcel: %+v", parcel)
		}
	})
}

func TestStore_announces_each_transition_once(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.paid(t)
		events := w.announced(t, o.ID)
		var got []string
		for i, e := range events {
			got = append(got, fmt.Sprintf("%d %s", e.Seq, e.Type))
			if e.Seq != int64(i+1) || len(e.Timeline) != i+1 {
				t.Errorf("event %d: seq %d, timeline of %d", i, e.Seq, len(e.Timeline))
			}
		}
		want := []string{"1 order.created", "2 order.payment_changed", "3 order.confirmed"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		newest, err := w.service.Newest(t.Context(), w.merchant, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		sent, _ := events[2].Encode()
		asked, err := newest.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(sent), string(asked)); diff != "" {
			t.Errorf("the newest event from the database is not the one sent (-sent +asked)\n%s", diff)
		}
	})
}

func TestStore_Save_of_a_stale_change_writes_nothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.create(t)
		first, err := w.service.Cancel(t.Context(), w.merchant, o.ID, orders.Cancellation{Reason: "first"})
		if err != nil {
			t.Fatal(err)
		}
		second := first
		second.CancelReason = "second"
		event, err := second.Event()
		if err != nil {
			t.Fatal(err)
		}
		err = w.store.Save(t.Context(), orders.Change{Base: o.Sequence, Order: second, Events: []eventwire.Event{event}})
		if !errors.Is(err, orders.ErrStale) {
			t.Fatalf("got %v", err)
		}
		if diff := cmp.Diff(first, w.get(t, o.ID), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("something was written\n%s", diff)
		}
		if n := len(w.announced(t, o.ID)); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	})
}

func TestStore_joins_a_transaction(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var kept, lost string
		undo := errors.New("undo")
		err := w.db.Write(t.Context(), func(ctx context.Context, _ *gorm.DB) error {
			o, err := w.service.Create(ctx, w.merchant, w.newOrder())
			if err != nil {
				return err
			}
			kept = o.ID
			_, err = w.service.Cancel(ctx, w.merchant, o.ID, orders.Cancellation{IfSequence: 1})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if o := w.get(t, kept); o.Status != orders.StatusCancelled || o.Sequence != 2 {
			t.Errorf("after the commit: %s, %d", o.Status, o.Sequence)
		}
		err = w.db.Write(t.Context(), func(ctx context.Context, _ *gorm.DB) error {
			o, err := w.service.Create(ctx, w.merchant, w.newOrder())
			lost = o.ID
			return errors.Join(err, undo)
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		if _, err := w.service.Get(t.Context(), w.merchant, lost); !errors.Is(err, orders.ErrNotFound) {
			t.Errorf("after the rollback: %v", err)
		}
		if n := len(w.announced(t, lost)); n != 0 {
			t.Errorf("%d events of an order that never was", n)
		}
	})
}

func TestStore_answers_a_merchant_only_for_its_own(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.paid(t)
		_, parcel, err := w.service.Ship(t.Context(), w.merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434"})
		if err != nil {
			t.Fatal(err)
		}
		other := eventwire.NewID(eventwire.PrefixMerchant, w.now)
		_, getErr := w.service.Get(t.Context(), other, o.ID)
		_, cancelErr := w.service.Cancel(t.Context(), other, o.ID, orders.Cancellation{})
		_, _, shipErr := w.service.Ship(t.Context(), other, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434"})
		_, _, scanErr := w.service.CarrierEvent(t.Context(), other, parcel.ID, orders.CarrierEvent{Status: orders.ShipmentDelivered})
		_, dueErr := w.service.Payable(t.Context(), other, o.ID)
		_, newestErr := w.service.Newest(t.Context(), other, o.ID)
		_, rotateErr := w.service.RotateToken(t.Context(), other, o.ID, 0)
		for name, err := range map[string]error{"get": getErr, "cancel": cancelErr, "ship": shipErr, "carrier event": scanErr,
			"payable": dueErr, "newest": newestErr, "rotate": rotateErr} {
			if !errors.Is(err, orders.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		page, err := w.service.List(t.Context(), other, orders.Filter{})
		if err != nil || len(page.Orders) != 0 {
			t.Errorf("list: %d orders, %v", len(page.Orders), err)
		}
		if w.get(t, o.ID).Sequence != 4 {
			t.Error("somebody else changed the order")
		}
	})
}
