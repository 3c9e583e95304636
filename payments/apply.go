package payments

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tracker/notify/eventwire"
)

// Fact is one thing that is known now: a provider's word, a command, the clock.
type Fact interface {
	apply(c *change) (Verdict, error)
}

// Why says on whose word a fact is taken, for the record of each transition.
type Why struct {
	At       time.Time
	Cause    Cause
	Evidence string
	// Calls says that whoever brings the fact calls the provider itself, so that
	// the reconciler leaves it some time.
	Calls bool
	// Quiet says which providers asked this process for silence, and until when: no
	// check of theirs is set before that. What another process heard, the store
	// knows, and puts off the check when it is due.
	Quiet map[string]time.Time
}

// Verdict is what a fact came to.
type Verdict int

// The verdicts.
const (
	Same    Verdict = iota // nothing new: a duplicate, or older than what we know
	Applied                // something changed
	Early                  // it cannot be true yet: keep it and try again
)

// Apply is the one transition function: callbacks, polls, timers, merchants and
// shoppers all end here. It is pure: no clock, no randomness, no I/O; the same
// ledger and fact give the same result. An error means that the fact does not
// fit the state, and the ledger must then be thrown away.
//
// After the fact it does what follows from it: parked callbacks whose time has
// come, what a closed order owes, and the time of the next check.
func (l *Ledger) Apply(f Fact, why Why, pol Policy) (Verdict, error) {
	c := &change{Ledger: l, Why: why, pol: pol.withDefaults(), touched: map[*Payment]bool{}}
	verdict, err := f.apply(c)
	if err == nil {
		err = c.follow()
	}
	if err == nil {
		err = c.broken
	}
	if err != nil {
		return Same, err
	}
	c.schedule()
	return verdict, nil
}

// change is one run of Apply.
type change struct {
	*Ledger
	Why
	pol       Policy
	theirs    time.Time         // the provider's time of the report at hand
	notBefore time.Time         // the provider asked us to wait
	answers   string            // key of the intent that the report at hand answers
	touched   map[*Payment]bool // payments whose next check must be computed anew
	broken    error             // a transition that the table does not allow
}

// payment finds the payment and checks what every fact must meet.
func (c *change) payment(id string) (*Payment, error) {
	p := c.Payment(id)
	if p == nil {
		return nil, fmt.Errorf("payments: %s in the ledger of %s: %w", id, c.Order, ErrNotFound)
	}
	return p, nil
}

// enter moves p to a status. Entering the same status again is nothing, but for
// one more part of a partial capture.
func (c *change) enter(p *Payment, to Status) {
	if p.Status == to && to != StatusPartiallyCaptured {
		return
	}
	if !p.Status.CanBecome(to) {
		c.broken = fmt.Errorf("payments: %s: %s may not become %s", p.ID, p.Status, to)
		return
	}
	from := p.Status
	p.Status = to
	if to.ended() && c.Winner == p.ID {
		c.Winner = ""
	}
	c.record(p, "payment."+string(to), string(from), string(to), "")
}

func (c *change) record(p *Payment, kind, from, to, subject string) {
	at := c.At
	if at.Before(p.UpdatedAt) {
		at = p.UpdatedAt // two processes' clocks; a timeline never runs backwards
	}
	p.Sequence++
	p.UpdatedAt, p.Tries, p.Misses, p.Nudged = at, 0, 0, false
	p.Timeline = append(p.Timeline, eventwire.Transition{
		Seq: p.Sequence, Type: kind, From: from, To: to, At: at, Cause: string(c.Cause),
		Evidence: c.Evidence, TheirTime: timeOrNil(c.theirs), Subject: subject,
	})
	c.touch(p)
	c.marks = append(c.marks, mark{p, p.clone()})
}

// onBehalfOf runs fn with another cause on record.
func (c *change) onBehalfOf(by Cause, fn func()) {
	now := c.Cause
	c.Cause = by
	fn()
	c.Cause = now
}

func (c *change) touch(p *Payment) { c.touched[p] = true }

// claim makes p the payment that fills the order.
func (c *change) claim(p *Payment) {
	if c.Winner == "" {
		c.Winner, c.Round = p.ID, p.Round
	}
}

// follow does what follows from the fact, until nothing does.
func (c *change) follow() error {
	for progress := true; progress; {
		progress = false
		for _, in := range c.Parked {
			if in.State == InboxParked && c.unpark(in) {
				progress = true
			}
		}
		for _, p := range c.Payments {
			if c.obey(p) {
				progress = true
			}
		}
	}
	return nil
}

// unpark tries a waiting callback again and reports whether its time had come.
func (c *change) unpark(in *Inbound) bool {
	p := c.addressee(in)
	if p == nil {
		return false
	}
	now := c.Why
	defer func() { c.Why = now }()
	c.Why = Why{At: now.At, Cause: CauseCallback, Evidence: in.EventID}
	if c.report(p, *in.Report) == Early {
		return false
	}
	in.State, in.AppliedAt = InboxApplied, now.At
	return true
}

// addressee is the payment that a callback speaks of: by our id, else by the
// provider's. Another provider's word about it counts for nothing.
func (l *Ledger) addressee(in *Inbound) *Payment {
	for _, p := range l.Payments {
		byID := in.Payment == p.ID
		byReference := in.Payment == "" && in.Reference != "" && in.Reference == p.Reference
		if p.Provider == in.Provider && (byID || byReference) {
			return p
		}
	}
	return nil
}

func (c *change) schedule() {
	for _, p := range c.Payments {
		if !c.touched[p] && p.NextCheckAt.IsZero() == p.Closed() {
			continue
		}
		p.NextCheckAt = c.pol.next(p, c.At, !c.Calls)
		for _, quiet := range []time.Time{c.notBefore, c.Quiet[p.Provider]} {
			if !p.NextCheckAt.IsZero() && p.NextCheckAt.Before(quiet) {
				p.NextCheckAt = quiet
			}
		}
	}
}

// shortKey turns text of any length into a key of fixed length and alphabet.
func shortKey(text string) string {
	return strings.TrimPrefix(eventwire.EventID(text, 0), eventwire.PrefixEvent)
}

// refundID is a function of the payment and the cause: whoever finds the cause
// first, and however often, it is the same refund.
func refundID(payment, key string) string {
	return eventwire.PrefixRefund + shortKey(payment+"/refund/"+key)
}

// addIntent commits us to an operation. key "" numbers the operations of its kind.
func (c *change) addIntent(p *Payment, op Op, amount int64, key string) {
	if key == "" {
		n := 1
		for _, in := range p.Intents {
			if in.Op == op {
				n++
			}
		}
		key = string(op) + "/" + strconv.Itoa(n)
	}
	p.Intents = append(p.Intents, Intent{
		Key: key, Op: op, Amount: amount, Target: p.Captured + amount, Cause: c.Cause,
		State: IntentOpen, CreatedAt: c.At,
	})
	p.Tries = 0
	c.touch(p)
}
