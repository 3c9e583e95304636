package orders_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tracker/notify/eventwire"
	"tracker/orders"
)

// Run with -update to write the files anew, and read the difference: it is what
// every receiver will see.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	os.Exit(m.Run())
}

func golden(t *testing.T, name string, value any) {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	text.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if updating() {
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("%s (-golden +got)\n%s", path, diff)
	}
}

// full is an order with one of everything.
func full(w *world) orders.Order {
	o := w.create()
	w.now = w.now.Add(90 * time.Second)
	check := w.now.Add(time.Minute)
	w.pay(o, money{Status: "processing", NextCheckAt: &check})
	o = w.pay(o, money{Status: "captured", Captured: o.Amount, Seq: 2})
	w.now = w.now.Add(time.Hour)
	o, parcel, err := w.service.Ship(context.Background(), merchant, o.ID, orders.NewShipment{Carrier: "DHL",
		TrackingNumber: "00340434", EstimatedFrom: "2026-11-26", EstimatedTo: "2026-11-27"})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	o, _, err = w.service.CarrierEvent(context.Background(), merchant, parcel.ID, orders.CarrierEvent{
		Status: orders.ShipmentInTransit, OccurredAt: w.now.Add(-10 * time.Minute), Location: "Leipzig", Description: "raw text of the carrier"})
	w.must(o, err)
	return w.report(parcel.ID, orders.ShipmentDelivered, w.now)
}

func TestSummary_golden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	golden(t, "summary_new", w.create().Summary())
	golden(t, "summary_full", full(newWorld(t)).Summary())
}

func TestEvent_golden_of_every_type(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	cancelled := w.pay(w.create(), money{ID: payB, Status: "captured", Captured: 4198})
	w.must(w.service.Cancel(context.Background(), merchant, cancelled.ID, orders.Cancellation{Reason: "out of stock"}))
	w.create()
	w.now = w.now.Add(orders.DefaultPayWithin)
	if n, err := w.service.Sweep(context.Background()); n != 1 || err != nil {
		t.Fatalf("%d expired, %v", n, err)
	}
	first := map[string]eventwire.Event{}
	for _, e := range w.store.events {
		if _, ok := first[e.Type]; !ok {
			first[e.Type] = e
		}
	}
	types := []string{orders.TypeCreated, orders.TypePaymentChanged, orders.TypeConfirmed, orders.TypeShipmentCreated,
		orders.TypeShipmentChanged, orders.TypeCompleted, orders.TypeCancelled, orders.TypeExpired}
	if len(first) != len(types) {
		t.Errorf("%d types were announced, want %d", len(first), len(types))
	}
	for _, kind := range types {
		golden(t, "event_"+strings.TrimPrefix(kind, "order."), first[kind])
	}
}
