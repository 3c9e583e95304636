package drill

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Load lives the lives of orders: created, paid at the bank, sent, carried about
// and delivered; some of them cancelled or given back.
type Load struct {
	rig     *Rig
	history *History
	moves   int // carrier's reports per order
	few     int // feeds below which nobody is sent to one

	pace    chan struct{} // a step each
	gate    sync.RWMutex  // held for writing while the load rests
	mu      sync.Mutex
	open    []*Feed          // feeds that are worth watching
	doing   map[string]doing // what each life is at
	next    atomic.Int64
	failed  chan error
	working sync.WaitGroup
}

// run begins width lives at once, with perSecond steps in all, until ctx ends.
func (l *Load) run(ctx context.Context, width, perSecond int) {
	l.working.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(max(perSecond, 1)))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			select {
			case l.pace <- struct{}{}:
			default: // the tracker is slower, or away
			}
		}
	})
	for i := range width {
		l.working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := l.live(ctx, i+n); err != nil && ctx.Err() == nil {
					select {
					case l.failed <- err:
					default:
					}
					_ = rest(ctx, time.Second) // ctx is asked in any case
				}
			}
		})
	}
}

// pause lets the steps that are under way end, and no new one begin, until the
// function that it returns is called.
func (l *Load) pause() (resume func()) {
	l.gate.Lock()
	return l.gate.Unlock
}

// doing is what a life is at, and since when.
type doing struct {
	what  string
	since time.Time
}

// at notes what a life is at.
func (w *life) at(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.Load.doing == nil {
		w.Load.doing = map[string]doing{}
	}
	w.Load.doing[w.key] = doing{what, time.Now()}
}

// over forgets a life.
func (w *life) over() {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.Load.doing, w.key)
}

// step waits for the life's turn, and does one thing.
func (w *life) step(ctx context.Context, what string, do func() error) error {
	w.at("waits to " + what)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.pace:
	}
	w.gate.RLock()
	defer w.gate.RUnlock()
	w.at(what)
	return do()
}

// pick is a feed to watch, nil when there is none, or too few: the first one would
// have all watchers, and when its order waits for something, nothing would seem to
// arrive anywhere.
func (l *Load) pick() *Feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == 0 || len(l.open) < l.few {
		return nil
	}
	return l.open[int(l.next.Add(1))%len(l.open)]
}

func (l *Load) show(f *Feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, f)
}

func (l *Load) hide(f *Feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range l.open {
		if o == f {
			l.open = append(l.open[:i:i], l.open[i+1:]...)
			return
		}
	}
}

// life is one order.
type life struct {
	*Load
	key      string // begins every Idempotency-Key of it
	order    *Feed
	payment  *Feed
	shipment string
}

// live is a whole life.
func (l *Load) live(ctx context.Context, n int) error {
	w := &life{Load: l, key: rand.Text()}
	defer w.over()
	if err := w.step(ctx, "create", func() error { return w.create(ctx) }); err != nil {
		return err
	}
	l.show(w.order)
	defer l.hide(w.order)
	if err := w.pay(ctx, n); err != nil {
		return err
	}
	if n%8 == 7 {
		return w.step(ctx, "cancel", func() error { return w.cancel(ctx) })
	}
	if err := w.step(ctx, "ship", func() error { return w.ship(ctx) }); err != nil {
		return err
	}
	return w.carry(ctx, n)
}

func (w *life) create(ctx context.Context) error {
	var o orderAnswer
	err := w.rig.post(ctx, "/v1/orders", w.key+"-create", object{"reference": w.key, "currency": "EUR",
		"items": []object{{"sku": "mug", "name": "Mug", "quantity": 2, "unit_amount": 1500}, {"sku": "plate", "name": "Plate", "quantity": 1, "unit_amount": 1198}}}, &o)
	if err != nil {
		return err
	}
	w.order = w.history.Feed(o.ID, "")
	w.history.Accepted(w.order, "order.created", o.Sequence)
	return nil
}

// decisions are what the bank is told, one payment after the other.
func decisions() []string {
	return []string{"approve", "approve_silent", "approve_twice", "approve_reordered", "approve", "decline", "pend"}
}

// pay goes to the bank until the order is confirmed.
func (w *life) pay(ctx context.Context, n int) error {
	for try := 0; ; try++ {
		decision := decisions()[(n+try)%len(decisions())]
		if err := w.step(ctx, "pay", func() error { return w.attempt(ctx, try, decision) }); err != nil {
			return err
		}
		paid, err := w.outcome(ctx)
		if paid || err != nil {
			return err
		}
		if try > 20 {
			return fmt.Errorf("%s is not paid after %d payments", w.order.ID, try)
		}
	}
}

func (w *life) attempt(ctx context.Context, try int, decision string) error {
	var p paymentAnswer
	if err := w.rig.post(ctx, "/v1/payments", fmt.Sprint(w.key, "-pay-", try), object{"order_id": w.order.ID}, &p); err != nil {
		return err
	}
	if w.payment != nil {
		w.hide(w.payment)
	}
	w.payment = w.history.Feed(p.ID, w.order.ID)
	w.history.Accepted(w.payment, "payment.created", p.Sequence)
	if try == 0 && mathrand.IntN(4) == 0 {
		w.show(w.payment)
	}
	if p.NextAction == nil { // the answer came late, and somebody was faster
		return nil
	}
	if err := w.rig.decide(ctx, p.NextAction.URL, decision); err != nil || decision != "pend" {
		return err
	}
	return w.rig.decide(ctx, p.NextAction.URL, "approve")
}

// outcome waits until the payment has one, and the order knows.
func (w *life) outcome(ctx context.Context) (paid bool, err error) {
	w.at("learn what became of " + w.payment.ID)
	for {
		var p paymentAnswer
		if err := w.rig.get(ctx, "/v1/payments/"+w.payment.ID, &p); err != nil {
			return false, err
		}
		switch p.Status {
		case "captured":
			return true, w.until(ctx, func(o orderAnswer) bool { return o.Status == "confirmed" })
		case "failed", "expired", "cancelled":
			return false, nil
		}
		if err := rest(ctx, 300*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// until waits for the order to be as it should.
func (w *life) until(ctx context.Context, ok func(orderAnswer) bool) error {
	w.at("see it in " + w.order.ID)
	for {
		var o orderAnswer
		if err := w.rig.get(ctx, "/v1/orders/"+w.order.ID, &o); err != nil {
			return err
		}
		if ok(o) {
			return nil
		}
		if err := rest(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

func (w *life) cancel(ctx context.Context) error {
	var o orderAnswer
	if err := w.rig.post(ctx, "/v1/orders/"+w.order.ID+"/cancel", w.key+"-cancel", object{"reason": "drill"}, &o); err != nil {
		return err
	}
	w.history.Accepted(w.order, "order.cancelled", o.Sequence)
	w.history.Accepted(w.payment, "", 0)
	return nil
}

func (w *life) ship(ctx context.Context) error {
	var s struct {
		ID    string
		Order orderAnswer
	}
	if err := w.rig.post(ctx, "/v1/orders/"+w.order.ID+"/shipments", w.key+"-ship", object{"carrier": "DHL", "tracking_number": "00340434"}, &s); err != nil {
		return err
	}
	w.shipment = s.ID
	w.history.Accepted(w.order, "order.shipment_created", s.Order.Sequence)
	return nil
}

// carry reports where the parcel is, again and again, and in the end delivers it.
func (w *life) carry(ctx context.Context, n int) error {
	for move := range w.moves {
		status := []string{"in_transit", "delayed"}[move%2]
		if err := w.step(ctx, "report", func() error { return w.report(ctx, move, status) }); err != nil {
			return err
		}
	}
	if n%4 == 1 {
		if err := w.step(ctx, "refund", func() error { return w.refund(ctx, 500) }); err != nil {
			return err
		}
		// A refund that begins after the delivery reopens a closed feed, and a watcher
		// that was sent away before has no cause to complain.
		if err := w.until(ctx, func(o orderAnswer) bool { return o.PaymentStatus == "partially_refunded" }); err != nil {
			return err
		}
	}
	return w.step(ctx, "deliver", func() error { return w.report(ctx, w.moves, "delivered") })
}

func (w *life) report(ctx context.Context, move int, status string) error {
	var s struct{ Order orderAnswer }
	at := time.Date(2026, 11, 23, 10, 0, move, 0, time.UTC).Format(time.RFC3339)
	err := w.rig.post(ctx, "/v1/shipments/"+w.shipment+"/events", fmt.Sprint(w.key, "-move-", move), object{"status": status, "occurred_at": at}, &s)
	if err == nil {
		w.history.Accepted(w.order, "order.shipment_changed", s.Order.Sequence)
	}
	return err
}

func (w *life) refund(ctx context.Context, minor int64) error {
	if err := w.rig.post(ctx, "/v1/refunds", w.key+"-refund", object{"payment_id": w.payment.ID, "amount": minor}, nil); err != nil {
		return err
	}
	w.history.Refunded(w.payment, minor)
	w.history.Accepted(w.order, "", 0)
	return nil
}
