package ordersdb_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"tracker/orders"
	"tracker/orders/ordersdb"
)

func (w *world) list(t *testing.T, f orders.Filter) []string {
	t.Helper()
	page, err := w.service.List(t.Context(), w.merchant, f)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, o := range page.Orders {
		ids = append(ids, o.ID)
	}
	return ids
}

// many makes n orders, one a second, and returns their ids, newest first.
func (w *world) many(t *testing.T, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range n {
		w.now = w.now.Add(time.Second)
		in := w.newOrder()
		in.Reference = fmt.Sprintf("A_%d Ü", i)
		o, err := w.service.Create(t.Context(), w.merchant, in)
		if err != nil {
			t.Fatal(err)
		}
		ids[n-1-i] = o.ID
	}
	return ids
}

func TestStore_List_pages_are_stable_under_inserts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		want := w.many(t, 7)
		var got []string
		after := ""
		for {
			page, err := w.service.List(t.Context(), w.merchant, orders.Filter{Limit: 3, StartingAfter: after})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Orders {
				got = append(got, o.ID)
			}
			if !page.HasMore {
				break
			}
			after = got[len(got)-1]
			w.many(t, 2) // new orders come in between two pages
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestStore_List_filters(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ids := w.many(t, 4)
		unpaid, cancelled, shipped, processing := ids[0], ids[1], ids[2], ids[3]
		start := w.now.Add(-3 * time.Second)
		if _, err := w.service.Cancel(t.Context(), w.merchant, cancelled, orders.Cancellation{}); err != nil {
			t.Fatal(err)
		}
		o := w.get(t, shipped)
		payID := w.pay(t, o, payment{Status: "captured", Captured: o.Amount})
		if _, _, err := w.service.Ship(t.Context(), w.merchant, shipped, orders.NewShipment{Carrier: "DHL", TrackingNumber: "JD_014%99"}); err != nil {
			t.Fatal(err)
		}
		w.pay(t, w.get(t, processing), payment{Status: "processing"})
		for name, c := range map[string]struct {
			filter orders.Filter
			want   []string
		}{
			"everything":       {orders.Filter{}, ids},
			"status":           {orders.Filter{Status: []orders.Status{orders.StatusCancelled, orders.StatusConfirmed}}, []string{cancelled, shipped}},
			"payment status":   {orders.Filter{PaymentStatus: []orders.PaymentStatus{orders.PaymentProcessing}}, []string{processing}},
			"fulfilment":       {orders.Filter{FulfillmentStatus: []orders.FulfillmentStatus{orders.FulfillmentFulfilled}}, []string{shipped}},
			"waits for":        {orders.Filter{WaitsFor: []orders.Actor{orders.ActorShopper, orders.ActorBank}}, []string{unpaid, processing}},
			"task":             {orders.Filter{Task: []orders.Task{orders.TaskDeliver}}, []string{shipped}},
			"reference":        {orders.Filter{Reference: "A_3 Ü"}, []string{unpaid}},
			"created":          {orders.Filter{CreatedFrom: start.Add(time.Second), CreatedTo: start.Add(3 * time.Second)}, []string{cancelled, shipped}},
			"q reference":      {orders.Filter{Query: " a_2"}, []string{cancelled}},
			"q beyond ASCII":   {orders.Filter{Query: "a_2 Ü"}, []string{cancelled}},
			"q is not a regex": {orders.Filter{Query: "a%2"}, []string{}},
			"q underscore":     {orders.Filter{Query: "a1"}, []string{}},
			"q tracking":       {orders.Filter{Query: "jd_014%9"}, []string{shipped}},
			"q id":             {orders.Filter{Query: strings.ToUpper(processing)}, []string{processing}},
			"q payment":        {orders.Filter{Query: payID}, []string{shipped}},
			"both":             {orders.Filter{Query: "A_", Status: []orders.Status{orders.StatusCancelled}}, []string{cancelled}},
			"nothing":          {orders.Filter{Reference: "a_3"}, []string{}},
		} {
			if diff := cmp.Diff(c.want, w.list(t, c.filter)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", name, diff)
			}
		}
	})
}

func TestStore_List_rows_are_whole_but_for_the_timeline(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.paid(t)
		o, parcel, err := w.service.Ship(t.Context(), w.merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434"})
		if err != nil {
			t.Fatal(err)
		}
		if o, _, err = w.service.CarrierEvent(t.Context(), w.merchant, parcel.ID, orders.CarrierEvent{Status: orders.ShipmentPickedUp}); err != nil {
			t.Fatal(err)
		}
		page, err := w.service.List(t.Context(), w.merchant, orders.Filter{})
		if err != nil || len(page.Orders) != 1 {
			t.Fatalf("%d orders, %v", len(page.Orders), err)
		}
		want := w.get(t, o.ID)
		want.Timeline = nil
		if diff := cmp.Diff(want, page.Orders[0]); diff != "" {
			t.Errorf("(-got by id +listed)\n%s", diff)
		}
	})
}

// counted counts the statements of the reads that go through it.
type counted struct {
	*world
	n int
}

func (c *counted) Read(ctx context.Context) *gorm.DB {
	tx := c.db.Read(ctx).Session(&gorm.Session{})
	count := func(*gorm.DB) { c.n++ }
	_ = tx.Callback().Query().Replace("count", count)
	_ = tx.Callback().Row().Replace("count", count)
	return tx
}

func (c *counted) Write(ctx context.Context, fn func(context.Context, *gorm.DB) error) error {
	return c.db.Write(ctx, fn)
}

func TestStore_List_takes_the_same_number_of_statements_however_long(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		statements := func(limit int) int {
			db := &counted{world: w}
			page, err := ordersdb.New(db).List(t.Context(), w.merchant, orders.Filter{Limit: limit})
			if err != nil || len(page.Orders) != limit {
				t.Fatalf("%d orders, %v", len(page.Orders), err)
			}
			return db.n
		}
		for range 6 {
			o := w.paid(t)
			if _, _, err := w.service.Ship(t.Context(), w.merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434"}); err != nil {
				t.Fatal(err)
			}
		}
		one, six := statements(1), statements(6)
		if one != six || one == 0 || one > 8 {
			t.Errorf("%d statements for one order, %d for six", one, six)
		}
	})
}

func TestStore_Counts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.create(t)
		w.paid(t)
		w.paid(t)
		c, err := w.service.Counts(t.Context(), w.merchant)
		if err != nil {
			t.Fatal(err)
		}
		want := orders.Counts{
			Total:       3,
			Status:      map[orders.Status]int64{orders.StatusPendingPayment: 1, orders.StatusConfirmed: 2},
			Payment:     map[orders.PaymentStatus]int64{orders.PaymentUnpaid: 1, orders.PaymentPaid: 2},
			Fulfillment: map[orders.FulfillmentStatus]int64{orders.FulfillmentUnfulfilled: 3},
			WaitsFor:    map[orders.Actor]int64{orders.ActorShopper: 1, orders.ActorMerchant: 2},
			Task:        map[orders.Task]int64{orders.TaskPay: 1, orders.TaskShip: 2},
		}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestStore_All_pages_through_everything(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		want := w.many(t, 5)
		slices.Reverse(want)
		var got []string
		after := ""
		for {
			list, err := w.store.All(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range list {
				got = append(got, o.ID)
				if diff := cmp.Diff(w.get(t, o.ID), o); diff != "" {
					t.Errorf("(-got by id +got with all)\n%s", diff)
				}
			}
			if len(list) < 2 {
				break
			}
			after = got[len(got)-1]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
