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
	w.wheel, w.slot = h, int32((h.at+ahead)%len(h.slot))
	w.slotAt = int32(len(h.slot[w.slot]))
	h.slot[w.slot] = append(h.slot[w.slot], w)
	return true
}

// leaveWheel takes w off its wheel, if it is on one.
func (w *watcher) leaveWheel() {
	h := w.wheel
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.slot < 0 {
		return
	}
	list := h.slot[w.slot]
	last := len(list) - 1
	list[w.slotAt] = list[last]
	list[w.slotAt].slotAt = w.slotAt
	list[last] = nil
	h.slot[w.slot], w.slot = list[:last], -1
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

// turn runs the heartbeat wheel until ctx ends.
func (n *Notifier) turn(ctx context.Context) {
	period := min(n.opt.Heartbeat, n.opt.Lifetime/2)
	tick := time.NewTicker(max(time.Millisecond, period/slots))
	defer tick.Stop()
	var list []*watcher
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list = n.wheel.next(list[:0])
		for _, w := range list {
			n.visit(w)
		}
		clear(list)
	}
}

// expire runs the wheel of waiting polls until ctx ends. A late tick is made
// up for.
func (n *Notifier) expire(ctx context.Context) {
	tick := time.NewTicker(waitTick)
	defer tick.Stop()
	start, done := time.Now(), 0
	var list []*watcher
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for ; done < int(time.Since(start)/waitTick); done++ {
			list = n.waits.next(list[:0])
			for _, w := range list {
				n.end(w, expired)
			}
			clear(list)
		}
	}
}

// visit ends a watcher whose time is over and lets the others feel a heartbeat
// where nothing else was written for half a period.
func (n *Notifier) visit(w *watcher) {
	now := n.millis()
	if now >= w.ends {
		n.end(w, aged)
		return
	}
	if now-w.beat.Load() < n.opt.Heartbeat.Milliseconds()/2 {
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
