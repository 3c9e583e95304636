package notify

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const slots = 16

// wheel visits every watcher once per turn, a sixteenth of them at each tick:
// one ticker for all heartbeats and all lifetimes. Who joins gets a random slot,
// so that a herd that came at once is not visited at once.
type wheel struct {
	mu     sync.Mutex
	closed bool
	slot   [slots][]*watcher
}

// add reports false when the wheel turns no more.
func (h *wheel) add(w *watcher) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || w.over.Load() {
		return !h.closed
	}
	w.slot = rand.Int32N(slots)
	w.slotAt = int32(len(h.slot[w.slot]))
	h.slot[w.slot] = append(h.slot[w.slot], w)
	return true
}

// close stops the wheel and returns who is left on it.
func (h *wheel) close() []*watcher {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	return h.everyone()
}

func (h *wheel) remove(w *watcher) {
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

// at returns the watchers of one slot, appended to list.
func (h *wheel) at(slot int, list []*watcher) []*watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(list, h.slot[slot]...)
}

// everyone returns all watchers in random order of slots.
func (h *wheel) everyone() (list []*watcher) {
	for _, slot := range rand.Perm(slots) {
		list = h.at(slot, list)
	}
	return list
}

// turn runs the wheel until ctx ends.
func (n *Notifier) turn(ctx context.Context) {
	period := min(n.opt.Heartbeat, n.opt.Lifetime/2)
	tick := time.NewTicker(max(time.Millisecond, period/slots))
	defer tick.Stop()
	var list []*watcher
	for slot := 0; ; slot = (slot + 1) % slots {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list = n.wheel.at(slot, list[:0])
		for _, w := range list {
			n.visit(w)
		}
		clear(list)
		if slot == 0 {
			n.gate.sweep(n.now())
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
