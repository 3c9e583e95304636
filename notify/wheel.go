package notify

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	slots     = 16                     // of the heartbeat wheel: it turns once per period
	waitSlots = 640                    // of the wheel of waiting polls: longer than the longest wait
	waitTick  = 100 * time.Millisecond // how exactly a parked poll's wait ends
)

// wheel holds watchers in slots that are visited one after the other: one
// ticker for any number of heartbeats, lifetimes or waits.
type wheel struct {
	mu     sync.Mutex
	closed bool
	slot   [][]*watcher
	at     int // the slot visited last
}

func newWheel(slots int) *wheel { return &wheel{slot: make([][]*watcher, slots)} }

// add puts w so many slots ahead of the visitor. It reports false when the
// wheel turns no more.
func (h *wheel) add(w *watcher, ahead int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || w.over.Load() {
		return !h.closed
	}
	w.wheel = h
	h.put(w, ahead)
	return true
}

// move puts w so many slots ahead of the visitor, if it is still on the wheel.
func (h *wheel) move(w *watcher, ahead int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.slot >= 0 {
		h.take(w)
		h.put(w, ahead)
	}
}

// put needs the lock, and a w that is in no slot.
func (h *wheel) put(w *watcher, ahead int) {
	w.slot = int32((h.at + ahead) % len(h.slot))
	w.slotAt = int32(len(h.slot[w.slot]))
	h.slot[w.slot] = append(h.slot[w.slot], w)
}

// take needs the lock, and a w that is in a slot.
func (h *wheel) take(w *watcher) {
	list := h.slot[w.slot]
	last := len(list) - 1
	list[w.slotAt] = list[last]
	list[w.slotAt].slotAt = w.slotAt
	list[last] = nil
	h.slot[w.slot], w.slot = list[:last], -1
}

// leaveWheel takes w off its wheel, if it is on one.
func (w *watcher) leaveWheel() {
	h := w.wheel
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.slot >= 0 {
		h.take(w)
	}
}

// next moves on by one slot and returns who is in it, appended to list.
func (h *wheel) next(list []*watcher) []*watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = (h.at + 1) % len(h.slot)
	return append(list, h.slot[h.at]...)
}

// everyone returns all watchers.
func (h *wheel) everyone() (list []*watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, slot := range h.slot {
		list = append(list, slot...)
	}
	return list
}

// close stops the wheel and returns who is left on it.
func (h *wheel) close() []*watcher {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	return h.everyone()
}

// everyone returns all watchers in random order.
func (n *Notifier) everyone() []*watcher {
	list := append(n.wheel.everyone(), n.waits.everyone()...)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// run visits slot after slot, one per tick, until ctx ends. A late tick is made
// up for.
func (h *wheel) run(ctx context.Context, tick time.Duration, visit func(*watcher)) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	start, done := time.Now(), 0
	var list []*watcher
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for ; done < int(time.Since(start)/tick); done++ {
			list = h.next(list[:0])
			for _, w := range list {
				visit(w)
			}
			clear(list)
		}
	}
}

// turn runs the heartbeat wheel until ctx ends.
func (n *Notifier) turn(ctx context.Context) {
	period := min(n.opt.Heartbeat, n.opt.Lifetime/2)
	n.wheel.run(ctx, max(time.Millisecond, period/slots), n.visit)
}

// expire runs the wheel of waiting polls until ctx ends.
func (n *Notifier) expire(ctx context.Context) {
	n.waits.run(ctx, waitTick, func(w *watcher) { n.end(w, expired) })
}

// visit ends a watcher whose time is over and lets the others feel a heartbeat,
// so that no silence is longer than a period. Who was written to lately is
// visited again after three quarters to all of one: spread, since a whole feed
// was written to at once.
func (n *Notifier) visit(w *watcher) {
	now := n.millis()
	if now >= w.ends {
		n.end(w, aged)
		return
	}
	silent, period := now-w.beat.Load(), n.opt.Heartbeat.Milliseconds()
	if silent < period/2 {
		n.wheel.move(w, slots-int(silent*slots/max(1, period))-1-rand.IntN(slots/4))
		return
	}
	w.beat.Store(now)
	if why := w.sink.beat(); why != goesOn {
		n.end(w, why)
	}
}

// lifetime is when a connection that starts now ends: up to a quarter later
// than the configured least.
func (n *Notifier) lifetime() int64 {
	return n.millis() + n.opt.Lifetime.Milliseconds() + rand.Int64N(max(1, n.opt.Lifetime.Milliseconds()/4))
}
