package drill

import (
	"fmt"
	"sync"
)

// History is what the outside world was told: by answers to its writes, and by
// events at its watchers. Safe for concurrent use.
type History struct {
	mu    sync.Mutex
	feeds map[string]*Feed
	dirty map[string]*Feed // those that something was said about since the last Verify that held

	accepted, deliveries     int64
	doubled, disordered      int64
	resets, strangers, early int64
	notes                    []string // the first few faults at watchers
}

// NewHistory is empty.
func NewHistory() *History { return &History{feeds: map[string]*Feed{}, dirty: map[string]*Feed{}} }

// Feed is what was told about one order or payment.
type Feed struct {
	ID     string
	Parent string // a payment's order

	least   int64          // the newest sequence that an answer has named
	effects map[string]int // accepted writes by the type of the transition that each makes
	money   int64          // refunds accepted, minor units
	seen    []string       // types of events by sequence, as the first watcher had them
	ends    map[int64]int  // how many watchers were sent away at which sequence
	views   map[*View]struct{}
	known   bool // its faults were told, and are not told again
}

// View is one watcher's stay at one feed.
type View struct {
	Feed  *Feed
	Last  int64
	holes map[int64]struct{}
}

// Feed is the record of a resource, made when it is first named.
func (h *History) Feed(id, parent string) *Feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[id]
	if f == nil {
		f = &Feed{ID: id, Parent: parent, effects: map[string]int{}, ends: map[int64]int{}, views: map[*View]struct{}{}}
		h.feeds[id] = f
	}
	h.dirty[id] = f
	return f
}

// Accepted notes that a write was answered with success. Its effect is one
// transition of the type given, or none that is counted when that is empty; seq is
// the sequence that the answer named, 0 for none.
func (h *History) Accepted(f *Feed, effect string, seq int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirty[f.ID] = f
	h.accepted++
	f.least = max(f.least, seq)
	if effect != "" {
		f.effects[effect]++
	}
}

// Refunded notes an accepted refund of so many minor units.
func (h *History) Refunded(f *Feed, minor int64) {
	h.Accepted(f, "payment.refund_requested", 0)
	h.mu.Lock()
	defer h.mu.Unlock()
	f.money += minor
}

// Join begins a watcher's stay, at the beginning of a feed.
func (h *History) Join(f *Feed) *View {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirty[f.ID] = f
	v := &View{Feed: f}
	f.views[v] = struct{}{}
	return v
}

// Leave ends it. closed says that the watcher was told that the feed is at its end.
func (h *History) Leave(v *View, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(v.Feed.views, v)
	if closed {
		v.Feed.ends[v.Last]++
		h.dirty[v.Feed.ID] = v.Feed
	}
}

// Saw notes an event at a watcher.
func (h *History) Saw(v *View, seq int64, kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := v.Feed
	h.dirty[f.ID] = f
	h.deliveries++
	switch _, hole := v.holes[seq]; {
	case hole:
		delete(v.holes, seq)
		h.disordered++
		h.note("%s: %d came after %d", f.ID, seq, v.Last)
	case seq <= v.Last:
		h.doubled++
		h.note("%s: %d came again after %d", f.ID, seq, v.Last)
	default:
		for missing := v.Last + 1; missing < seq; missing++ {
			if v.holes == nil {
				v.holes = map[int64]struct{}{}
			}
			v.holes[missing] = struct{}{}
			h.note("%s: %d came where %d was next", f.ID, seq, missing)
		}
		v.Last = seq
	}
	h.announced(f, seq, kind)
}

// announced holds an event against what other watchers had under its sequence.
func (h *History) announced(f *Feed, seq int64, kind string) {
	if seq < 1 || seq > 1<<20 {
		h.strangers++
		h.note("%s: an event with the sequence %d", f.ID, seq)
		return
	}
	for int64(len(f.seen)) < seq {
		f.seen = append(f.seen, "")
	}
	switch before := f.seen[seq-1]; before {
	case "":
		f.seen[seq-1] = kind
	case kind:
	default:
		h.strangers++
		h.note("%s: %d was %s to one watcher and %s to another", f.ID, seq, before, kind)
	}
}

// Reset notes that a watcher was told to begin anew: the feed denied what it had
// sent before.
func (h *History) Reset(v *View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resets++
	h.note("%s: a watcher that had %d was reset", v.Feed.ID, v.Last)
	v.Last, v.holes = 0, nil
}

// Denied notes that a resource which an answer had promised was not found.
func (h *History) Denied(f *Feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.early++
	h.note("%s: it was accepted, and then not found", f.ID)
}

// Counts are the totals so far.
func (h *History) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Counts{h.accepted, h.deliveries, h.doubled, h.disordered, h.resets + h.strangers + h.early}
}

// Counts are totals of a history. Wrong is what was denied, reset or announced in
// two ways.
type Counts struct{ Accepted, Deliveries, Doubled, Disordered, Wrong int64 }

func (c Counts) minus(o Counts) Counts {
	return Counts{c.Accepted - o.Accepted, c.Deliveries - o.Deliveries, c.Doubled - o.Doubled, c.Disordered - o.Disordered, c.Wrong - o.Wrong}
}

const maxNotes = 20

// note keeps the first faults. It is called with the lock held.
func (h *History) note(format string, args ...any) {
	if len(h.notes) < maxNotes {
		h.notes = append(h.notes, fmt.Sprintf(format, args...))
	}
}

// Notes are the first faults at watchers, and are then forgotten.
func (h *History) Notes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.notes
	h.notes = nil
	return list
}

// Dirty lists the feeds that have to be verified.
func (h *History) Dirty() (list []*Feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.dirty {
		list = append(list, f)
	}
	return list
}

// Made counts the orders and the payments that were accepted.
func (h *History) Made() (orders, payments int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.feeds {
		if f.Parent == "" {
			orders++
		} else {
			payments++
		}
	}
	return orders, payments
}

// Condemn forgets the feeds that did not hold: their faults belong to the drill
// that is over, and not to the next one.
func (h *History) Condemn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, f := range h.dirty {
		f.known = true
		delete(h.dirty, id)
	}
}
