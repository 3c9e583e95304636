package payments

import (
	"time"

	"tracker/notify/eventwire"
)

// Closing says that an order takes no money any more, and why.
type Closing string

// The ways an order closes.
const (
	ClosedCancelled Closing = "cancelled" // whatever arrives goes back
	ClosedExpired   Closing = "expired"   // whatever arrives is a late success
)

// Ledger is everything that must change together: all payments of one order,
// who of them won, whether the order still takes money, and the callbacks that
// wait. It is the unit of compare-and-set, so that of two successes only one can
// win and a cancel and a payment cannot both be first.
type Ledger struct {
	Merchant string
	Order    string
	Version  int64 // of the stored row; 0 = not stored yet
	// Winner is the payment that fills the order in this Round. A new round
	// begins when a payment is started for what the last winner left unpaid.
	Winner   string
	Round    int
	Closed   Closing
	Payments []*Payment
	Parked   []*Inbound // waiting callbacks of these payments, oldest first

	marks []mark
}

type mark struct {
	payment *Payment
	then    Payment
}

// Inbound is one stored callback.
type Inbound struct {
	Provider   string
	EventID    string
	Type       string
	Payment    string
	Reference  string
	Report     *Report // nil: the type means nothing to us
	State      InboxState
	ReceivedAt time.Time
	AppliedAt  time.Time
}

// InboxState is what became of a callback.
type InboxState string

// The states of a stored callback.
const (
	InboxApplied     InboxState = "applied"      // taken into account, also where it changed nothing
	InboxParked      InboxState = "parked"       // too early, or its payment is not there yet
	InboxUnknownType InboxState = "unknown_type" // stored and acknowledged, no effect
)

// Payment returns the payment with that id, or nil.
func (l *Ledger) Payment(id string) *Payment {
	for _, p := range l.Payments {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// Events are the events of the transitions since the ledger was loaded, in
// order. The last event of each payment carries its final state.
func (l *Ledger) Events() ([]eventwire.Event, error) {
	last := map[*Payment]int{}
	for i, m := range l.marks {
		last[m.payment] = i
	}
	list := make([]eventwire.Event, 0, len(l.marks))
	for i, m := range l.marks {
		p := &m.then
		if last[m.payment] == i {
			p = m.payment
		}
		e, err := p.Newest()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// lost reports whether the order has no room for p's money: it is closed, or
// another payment filled it.
func (l *Ledger) lost(p *Payment) bool { return l.Closed != "" || l.beaten(p) }

func (l *Ledger) beaten(p *Payment) bool {
	return (l.Winner != "" && l.Winner != p.ID) || p.Round < l.Round
}

// mustReturn reports whether p's money has to go back whatever the policy.
func (l *Ledger) mustReturn(p *Payment) bool { return l.Closed == ClosedCancelled || l.beaten(p) }

// unfilled is what the current winner left open of what it was asked for.
func (l *Ledger) unfilled() int64 {
	w := l.Payment(l.Winner)
	switch {
	case w == nil || w.Status == StatusReversed:
		return 0
	case w.Status == StatusAuthorized:
		return w.Amount.Minor - w.approved()
	}
	return w.Amount.Minor - (w.Captured - w.Refunded - w.RefundPending)
}
