package drill

import "fmt"

// Truth is one order or payment as the database has it.
type Truth struct {
	ID       string
	Sequence int64
	Status   string
	Timeline []string // types of transitions; the first has sequence 1
	Closed   bool     // nothing more is to come

	Amount, Captured, Refunded, Pending int64 // of a payment, minor units
	Settled                             bool  // it is final, or its next check is scheduled
}

// Verdict is what a history has that the truth has not, or the other way round.
type Verdict struct {
	Lost   int64    // accepted or committed and not there, or not delivered
	Twice  int64    // accepted once, with more than one effect
	Untrue int64    // announced, and not what the database has
	Money  int64    // promises about money that do not hold
	Unsure int64    // what could not be found out
	Faults []string // the first of them, in words
}

// OK reports whether nothing is wrong.
func (v Verdict) OK() bool { return v.Lost+v.Twice+v.Untrue+v.Money+v.Unsure == 0 }

func (v *Verdict) fault(count *int64, by int64, format string, args ...any) {
	*count += by
	if len(v.Faults) < maxNotes {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Verify holds what was told about the feeds against the truth. A feed without a
// truth is lost. Feeds that hold are clean until something is said about them
// again.
func (h *History) Verify(feeds []*Feed, truth map[string]Truth) Verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all Verdict
	byOrder := map[string][]Truth{}
	for _, f := range feeds {
		var v Verdict
		t, found := truth[f.ID]
		switch {
		case f.known:
		case !found:
			v.fault(&v.Lost, 1, "%s: it was accepted, and the database has none", f.ID)
		default:
			v.answers(f, t)
			v.events(f, t)
			v.watchers(f, t)
			v.payment(f, t)
		}
		if f.Parent != "" && found && !f.known {
			byOrder[f.Parent] = append(byOrder[f.Parent], t)
		}
		if v.OK() {
			delete(h.dirty, f.ID)
		}
		all.add(v)
	}
	for order, list := range byOrder {
		all.order(truth[order], order, list)
	}
	return all
}

func (v *Verdict) add(o Verdict) {
	v.Lost, v.Twice, v.Untrue = v.Lost+o.Lost, v.Twice+o.Twice, v.Untrue+o.Untrue
	v.Money, v.Unsure = v.Money+o.Money, v.Unsure+o.Unsure
	for _, f := range o.Faults {
		v.fault(new(int64), 0, "%s", f)
	}
}

// answers: what was accepted is there, once.
func (v *Verdict) answers(f *Feed, t Truth) {
	if t.Sequence != int64(len(t.Timeline)) {
		v.fault(&v.Lost, 1, "%s: its sequence is %d and its timeline has %d", f.ID, t.Sequence, len(t.Timeline))
	}
	if t.Sequence < f.least {
		v.fault(&v.Lost, f.least-t.Sequence, "%s: an answer named sequence %d, and the database is at %d", f.ID, f.least, t.Sequence)
	}
	have := map[string]int{}
	for _, kind := range t.Timeline {
		have[kind]++
	}
	for kind, want := range f.effects {
		switch got := have[kind]; {
		case got < want:
			v.fault(&v.Lost, int64(want-got), "%s: %d × %s were accepted, and the database has %d", f.ID, want, kind, got)
		case got > want:
			v.fault(&v.Twice, int64(got-want), "%s: %d × %s were accepted, and the database has %d", f.ID, want, kind, got)
		}
	}
}

// events: what was announced is what the database has.
func (v *Verdict) events(f *Feed, t Truth) {
	for i, kind := range f.seen {
		switch {
		case kind == "":
		case i >= len(t.Timeline):
			v.fault(&v.Untrue, 1, "%s: %d %s was announced, and the database ends at %d", f.ID, i+1, kind, len(t.Timeline))
		case t.Timeline[i] != kind:
			v.fault(&v.Untrue, 1, "%s: %d was announced as %s, and the database has %s", f.ID, i+1, kind, t.Timeline[i])
		}
	}
}

// watchers: each has everything.
func (v *Verdict) watchers(f *Feed, t Truth) {
	for w := range f.views {
		if missing := t.Sequence - w.Last; missing > 0 {
			v.fault(&v.Lost, missing, "%s: a watcher has %d of %d", f.ID, w.Last, t.Sequence)
		}
		if n := len(w.holes); n > 0 {
			v.fault(&v.Lost, int64(n), "%s: a watcher at %d has %d holes", f.ID, w.Last, n)
		}
	}
	for at, n := range f.ends {
		if t.Closed && at != t.Sequence {
			v.fault(&v.Lost, int64(n)*max(1, t.Sequence-at), "%s: %d watchers were sent away at %d of %d", f.ID, n, at, t.Sequence)
		}
	}
}

func (v *Verdict) payment(f *Feed, t Truth) {
	if f.Parent == "" {
		return
	}
	captures := 0
	for _, kind := range t.Timeline {
		if kind == "payment.captured" {
			captures++
		}
	}
	switch {
	case t.Captured > t.Amount, t.Refunded < 0, t.Captured < 0:
		v.fault(&v.Money, 1, "%s: %d captured of %d", f.ID, t.Captured, t.Amount)
	case t.Refunded+t.Pending > t.Captured:
		v.fault(&v.Money, 1, "%s: %d and %d refunded of %d captured", f.ID, t.Refunded, t.Pending, t.Captured)
	case f.money > t.Refunded+t.Pending:
		v.fault(&v.Money, 1, "%s: refunds of %d were accepted, and %d is refunded or pending", f.ID, f.money, t.Refunded+t.Pending)
	case captures > 1:
		v.fault(&v.Money, 1, "%s: captured %d times", f.ID, captures)
	case !t.Settled:
		v.fault(&v.Money, 1, "%s: %s, and no check is scheduled", f.ID, t.Status)
	}
}

// order: one payment is kept at most, and none where the order has ended.
func (v *Verdict) order(t Truth, id string, list []Truth) {
	kept := 0
	for _, p := range list {
		if p.Captured > p.Refunded+p.Pending {
			kept++
		}
	}
	if kept > 1 {
		v.fault(&v.Money, 1, "%s: %d payments are kept", id, kept)
	}
	if kept > 0 && (t.Status == "cancelled" || t.Status == "expired") {
		v.fault(&v.Money, 1, "%s is %s, and a payment is kept", id, t.Status)
	}
}
