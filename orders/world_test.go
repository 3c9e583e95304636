package orders_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"tracker/notify/eventwire"
	"tracker/orders"
)

// memory is a store in memory for tests of the domain. SaveFunc, where set, is
// asked first.
type memory struct {
	mu       sync.Mutex
	list     map[string]orders.Order
	events   []eventwire.Event
	SaveFunc func(orders.Change) error
}

var _ orders.Store = (*memory)(nil)

func (m *memory) Save(_ context.Context, c orders.Change) error {
	if m.SaveFunc != nil {
		if err := m.SaveFunc(c); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list[c.Order.ID].Sequence != c.Base {
		return orders.ErrStale
	}
	if m.list == nil {
		m.list = map[string]orders.Order{}
	}
	m.list[c.Order.ID] = c.Order
	m.events = append(m.events, c.Events...)
	return nil
}

func (m *memory) Together(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (m *memory) Order(_ context.Context, merchant, id string) (orders.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.list[id]
	if !ok || o.Merchant != merchant {
		return orders.Order{}, orders.ErrNotFound
	}
	return o, nil
}

func (m *memory) OrderOf(_ context.Context, merchant, shipmentID string) (string, error) {
	for _, o := range m.all() {
		if _, ok := o.Shipment(shipmentID); ok && o.Merchant == merchant {
			return o.ID, nil
		}
	}
	return "", orders.ErrNotFound
}

func (m *memory) List(_ context.Context, merchant string, f orders.Filter) (orders.Page, error) {
	var page orders.Page
	for _, o := range m.all() {
		if o.Merchant == merchant && (len(f.Status) == 0 || slices.Contains(f.Status, o.Status)) {
			page.Orders = append(page.Orders, o)
		}
	}
	return page, nil
}

func (m *memory) Counts(_ context.Context, merchant string) (orders.Counts, error) {
	page, _ := m.List(context.Background(), merchant, orders.Filter{})
	return orders.Counts{Total: int64(len(page.Orders))}, nil
}

func (m *memory) Unpaid(_ context.Context, now time.Time, limit int) ([]orders.Ref, error) {
	var refs []orders.Ref
	for _, o := range m.all() {
		if o.Status == orders.StatusPendingPayment && !now.Before(o.PayBy) && len(refs) < limit {
			refs = append(refs, orders.Ref{Merchant: o.Merchant, ID: o.ID})
		}
	}
	return refs, nil
}

func (m *memory) All(_ context.Context, after string, limit int) ([]orders.Order, error) {
	list := slices.DeleteFunc(m.all(), func(o orders.Order) bool { return o.ID <= after })
	return list[:min(limit, len(list))], nil
}

func (m *memory) all() []orders.Order {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.list), func(a, b orders.Order) int { return cmp.Compare(a.ID, b.ID) })
}

// world is a service on a store in memory, with a clock that the test moves and
// ids that are always the same.
type world struct {
	tb      rapid.TB
	store   *memory
	service *orders.Service
	now     time.Time
	made    int
}

const merchant = "mer_0000000000000000000000000m"

func newWorld(tb rapid.TB) *world {
	tb.Helper()
	w := &world{tb: tb, store: &memory{}, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	w.service = orders.NewService(w.store, orders.Options{Now: func() time.Time { return w.now }, NewID: w.id})
	return w
}

func (w *world) id(prefix string, _ time.Time) string {
	w.made++
	return prefix + fmt.Sprintf("%026d", w.made)
}

func (w *world) newOrder() orders.NewOrder {
	return orders.NewOrder{
		Reference: "1042", Currency: "EUR",
		Items: []orders.Item{
			{SKU: "MUG", Name: "Mug", Quantity: 2, UnitAmount: 1499},
			{SKU: "PLATE", Name: "Plate", Quantity: 1, UnitAmount: 1200},
		},
		Metadata: map[string]string{"customer": "somebody@shop.example"},
		Shop:     orders.Shop{Name: "Kiln & Clay", URL: "https://kiln.example"},
	}
}

func (w *world) must(o orders.Order, err error) orders.Order {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
	return o
}

func (w *world) create() orders.Order {
	w.tb.Helper()
	return w.must(w.service.Create(context.Background(), merchant, w.newOrder()))
}

func (w *world) get(id string) orders.Order {
	w.tb.Helper()
	return w.must(w.service.Get(context.Background(), merchant, id))
}

func (w *world) paid() orders.Order {
	w.tb.Helper()
	o := w.create()
	w.pay(o, money{Status: "captured", Captured: o.Amount})
	return w.get(o.ID)
}

// money is the part of data.payment that an order reads, and the seq it has.
type money struct {
	ID            string     `json:"id"`
	OrderID       string     `json:"order_id"`
	Status        string     `json:"status"`
	Amount        int64      `json:"amount"`
	Currency      string     `json:"currency"`
	Captured      int64      `json:"captured"`
	Refunded      int64      `json:"refunded"`
	RefundPending int64      `json:"refund_pending"`
	NextCheckAt   *time.Time `json:"next_check_at,omitempty"`

	Seq  int64    `json:"-"` // 0: 1
	Past []string `json:"-"` // the states before, for the timeline
}

const firstPayment = "pay_0000000000000000000000000a"

func (w *world) event(o orders.Order, m money) eventwire.Event {
	w.tb.Helper()
	m.ID, m.OrderID = cmp.Or(m.ID, firstPayment), cmp.Or(m.OrderID, o.ID)
	m.Amount, m.Currency, m.Seq = cmp.Or(m.Amount, o.Amount), cmp.Or(m.Currency, o.Currency), cmp.Or(m.Seq, 1)
	var timeline []eventwire.Transition
	for i, state := range append(slices.Clone(m.Past), m.Status) {
		at := w.now.Add(time.Duration(i) * time.Second)
		timeline = append(timeline, eventwire.Transition{Seq: m.Seq - int64(len(m.Past)) + int64(i),
			Type: "payment." + state, To: state, At: at, Cause: "callback", TheirTime: &at})
	}
	e, err := eventwire.New(eventwire.Key{Merchant: o.Merchant, Kind: eventwire.Payments, ID: m.ID}, o.ID, 0, false, timeline, m)
	if err != nil {
		w.tb.Fatal(err)
	}
	return e
}

func (w *world) pay(o orders.Order, m money) orders.Order {
	w.tb.Helper()
	if err := w.service.OnPayment(context.Background(), w.event(o, m)); err != nil {
		w.tb.Fatal(err)
	}
	return w.get(o.ID)
}

func (w *world) ship(o orders.Order, items ...orders.ShipmentItem) (orders.Order, string) {
	w.tb.Helper()
	o, parcel, err := w.service.Ship(context.Background(), o.Merchant, o.ID,
		orders.NewShipment{Carrier: "DHL", TrackingNumber: "0034", Items: items})
	if err != nil {
		w.tb.Fatal(err)
	}
	return o, parcel.ID
}

func (w *world) report(parcel string, status orders.ShipmentStatus, occurred time.Time) orders.Order {
	w.tb.Helper()
	o, _, err := w.service.CarrierEvent(context.Background(), merchant, parcel,
		orders.CarrierEvent{Status: status, OccurredAt: occurred})
	if err != nil {
		w.tb.Fatal(err)
	}
	return o
}

// story is the timeline in short: "1 order.created →pending_payment".
func story(o orders.Order) string {
	var b strings.Builder
	for _, t := range o.Timeline {
		fmt.Fprintf(&b, "%d %s %s→%s %s\n", t.Seq, strings.TrimPrefix(t.Type, "order."), t.From, t.To, t.Cause)
	}
	return b.String()
}
