package payments_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/paymentsdb"
)

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rig is a service over a real database and the fake bank.
type rig struct {
	testing.TB
	db    *dbconn.DB // nil in memory
	store payments.Store
	clock *clock
	bank  *fakeBank
	svc   *payments.Service
	opt   payments.Options

	mu     sync.Mutex
	orders map[string]payments.Due
}

func sets(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{
		{Name: txoutbox.Name, FS: txoutbox.Migrations(dialect)},
		{Name: paymentsdb.Name, FS: paymentsdb.Migrations(dialect)},
	}
}

// each runs fn on both databases and in memory.
func each(t *testing.T, fn func(r *rig)) { eachWith(t, payments.Options{}, fn) }

func eachWith(t *testing.T, opt payments.Options, fn func(r *rig)) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		fn(newRig(t, newMemStore(), opt))
	})
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		r := newRig(t, paymentsdb.New(db), opt)
		r.db = db
		fn(r)
	})
}

func newRig(t testing.TB, store payments.Store, opt payments.Options) *rig {
	c := newClock()
	r := &rig{TB: t, store: store, clock: c, bank: newFakeBank(c), opt: opt, orders: map[string]payments.Due{}}
	r.opt.Now = c.now
	r.restart()
	return r
}

// restart is a new process over the same database and bank.
func (r *rig) restart() {
	r.svc = payments.NewService(r.store, map[string]payments.Provider{"fake": r.bank}, r, r.opt)
}

func (r *rig) Payable(_ context.Context, _, order string) (payments.Due, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due, ok := r.orders[order]
	if !ok {
		return due, payments.ErrNotFound
	}
	return due, nil
}

const merchant = "mer_00000000000000000000000000"

func amount(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: "EUR"} }

func (r *rig) order(minor int64) string {
	id := eventwire.NewID(eventwire.PrefixOrder, r.clock.now())
	r.setDue(id, payments.Due{Amount: amount(minor), Open: true, Reference: "1042"})
	return id
}

func (r *rig) setDue(order string, due payments.Due) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orders[order] = due
}

func (r *rig) start(order string) payments.Payment {
	r.Helper()
	return r.startAs(payments.Start{OrderID: order})
}

func (r *rig) startAs(in payments.Start) payments.Payment {
	r.Helper()
	in.Merchant = merchant
	p, err := r.svc.Start(r.Context(), in)
	if err != nil {
		r.Fatalf("start: %v", err)
	}
	return p
}

func (r *rig) get(id string) payments.Payment {
	r.Helper()
	p, err := r.svc.Get(r.Context(), merchant, id)
	if err != nil {
		r.Fatalf("get %s: %v", id, err)
	}
	return p
}

// say is a callback of the bank about p.
func (r *rig) say(p payments.Payment, event string, report payments.Report) {
	r.Helper()
	if err := r.trySay(p, event, report); err != nil {
		r.Fatalf("callback %s: %v", event, err)
	}
}

func (r *rig) trySay(p payments.Payment, event string, report payments.Report) error {
	body, err := json.Marshal(wireCallback{event, "payment." + string(report.State), p.ID, p.Reference, &report})
	if err != nil {
		return err
	}
	return r.svc.Callback(context.Background(), "fake", map[string][]string{"signature": {"good"}}, body)
}

func (r *rig) reconcile() {
	r.Helper()
	if _, err := r.svc.Reconcile(r.Context()); err != nil {
		r.Fatalf("reconcile: %v", err)
	}
}

// settleAll moves the clock from check to check until nothing is due within d.
func (r *rig) settleAll(d time.Duration) {
	r.Helper()
	end := r.clock.now().Add(d)
	for range 10_000 {
		r.reconcile()
		at, due, err := r.store.NextDue(r.Context(), "fake")
		if err != nil {
			r.Fatal(err)
		}
		if !due || at.After(end) {
			return
		}
		r.clock.add(max(at.Sub(r.clock.now()), time.Millisecond))
	}
	r.Fatal("the reconciler never rests")
}

func (r *rig) want(id string, status payments.Status) payments.Payment {
	r.Helper()
	p := r.get(id)
	if p.Status != status {
		r.Fatalf("status is %s, want %s\n%s", p.Status, status, story(p))
	}
	return p
}

func story(p payments.Payment) string {
	text := ""
	for _, t := range p.Timeline {
		text += fmt.Sprintf("%d %s %s→%s by %s (%s)\n", t.Seq, t.Type, t.From, t.To, t.Cause, t.Evidence)
	}
	return text
}

// events lists what a payment announced, in order.
func (r *rig) events(id string) []eventwire.Event {
	r.Helper()
	if r.db == nil {
		return r.memory().announced(id)
	}
	var bodies [][]byte
	if err := r.db.Read(r.Context()).Raw("SELECT body FROM outbox WHERE resource = ? ORDER BY seq", id).Scan(&bodies).Error; err != nil {
		r.Fatal(err)
	}
	list := make([]eventwire.Event, len(bodies))
	for i, body := range bodies {
		e, err := eventwire.Decode(body)
		if err != nil {
			r.Fatal(err)
		}
		list[i] = e
	}
	return list
}

func (r *rig) memory() *memStore {
	if frail, ok := r.store.(*frailStore); ok {
		return frail.Store.(*memStore)
	}
	return r.store.(*memStore)
}

func (r *rig) types(id string) []string {
	r.Helper()
	var list []string
	for i, e := range r.events(id) {
		if e.Seq != int64(i+1) {
			r.Fatalf("event %d has sequence %d", i+1, e.Seq)
		}
		list = append(list, e.Type)
	}
	return list
}

func (r *rig) closeOrder(order, kind string) {
	r.Helper()
	r.mu.Lock()
	due := r.orders[order]
	due.Open = false
	r.orders[order] = due
	r.mu.Unlock()
	if err := r.svc.OnOrder(context.Background(), orderEvent(order, kind)); err != nil {
		r.Fatalf("on order: %v", err)
	}
}

func orderEvent(order, kind string) eventwire.Event {
	return eventwire.Event{ID: eventwire.EventID(order, 2), Kind: eventwire.Orders, Type: kind, Subject: order, Merchant: merchant, Seq: 2}
}

func (r *rig) counts() payments.Counts {
	r.Helper()
	c, err := r.svc.Counts(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return c
}
