package orders

import (
	"cmp"
	"slices"
	"time"

	"tracker/notify/eventwire"
)

// The types of order events. The list is closed: what has no type of its own
// goes under the nearest one, see doc.go.
const (
	TypeCreated         = "order.created"
	TypePaymentChanged  = "order.payment_changed"
	TypeConfirmed       = "order.confirmed"
	TypeShipmentCreated = "order.shipment_created"
	TypeShipmentChanged = "order.shipment_changed"
	TypeCompleted       = "order.completed"
	TypeCancelled       = "order.cancelled"
	TypeExpired         = "order.expired"
)

// SubjectToken is the subject of the transition that revokes tracking tokens.
const SubjectToken = "tracking_token"

// Change is what one decision does to an order: the order as it is afterwards,
// and one event for each transition on the way there. A [Store] writes all of it
// or nothing.
type Change struct {
	Base   int64 // the sequence that it was decided on; 0 for a new order
	Order  Order
	Events []eventwire.Event

	NewShipment *Shipment // to insert
	Scanned     *Shipment // to update, with Scan to insert
	Scan        *Scan
	Payment     *Payment // to insert or update
}

// Transitions is what the change adds to the timeline.
func (c Change) Transitions() []eventwire.Transition { return c.Order.Timeline[c.Base:] }

// draft is a Change in the making.
type draft struct {
	Change
	now      time.Time
	cause    Cause
	evidence string
	err      error
}

// revise starts a change of o. Time never runs backwards within an order, even
// where two processes disagree about it.
func revise(o Order, now time.Time, cause Cause, evidence string) *draft {
	if now.Before(o.UpdatedAt) {
		now = o.UpdatedAt
	}
	o.Timeline = slices.Clip(o.Timeline)
	return &draft{Change: Change{Base: o.Sequence, Order: o}, now: now,
		cause: cmp.Or(cause, CauseMerchant), evidence: evidence}
}

// step records that the order, as it is in the draft now, came to be by t.
func (d *draft) step(t eventwire.Transition) {
	o := &d.Order
	o.Sequence++
	o.UpdatedAt = d.now
	t.Seq, t.At = o.Sequence, d.now
	t.Cause, t.Evidence = cmp.Or(t.Cause, string(d.cause)), cmp.Or(t.Evidence, d.evidence)
	o.Timeline = append(o.Timeline, t)
	o.Latest = t
	event, err := o.Event()
	if err != nil && d.err == nil {
		d.err = err
	}
	d.Events = append(d.Events, event)
}

// move is a step of the order's status.
func (d *draft) move(to Status, kind string) {
	from := d.Order.Status
	d.Order.Status = to
	d.step(eventwire.Transition{Type: kind, From: string(from), To: string(to)})
}

// settle takes the steps that follow by themselves: covered orders are
// confirmed, delivered ones are completed.
func (d *draft) settle() {
	o := &d.Order
	if o.Status == StatusPendingPayment && covered(o.Amount, o.Currency, o.Payments) {
		d.move(StatusConfirmed, TypeConfirmed)
	}
	if o.Status == StatusConfirmed && !o.OnHold && o.arrived() {
		d.move(StatusCompleted, TypeCompleted)
	}
}

// arrived reports whether everything that had to be sent was delivered.
func (o Order) arrived() bool {
	if !o.RequiresShipping {
		return true
	}
	if len(o.Remaining()) > 0 {
		return false
	}
	for _, s := range o.Shipments {
		if s.Status != ShipmentDelivered && !s.Status.givesBack() {
			return false
		}
	}
	return true
}

func (d *draft) done() (Change, error) { return d.Change, d.err }

// maxMessage leaves room, below what a message may be, for changes that nobody
// may refuse: payments, expiry, cancellation.
const maxMessage = 400 << 10

// fit is done for changes that may be refused: an order whose message would grow
// too large does not take them.
func (d *draft) fit(was Order) (Change, error) {
	if d.err != nil || len(d.Events) == 0 {
		return d.done()
	}
	body, err := d.Events[len(d.Events)-1].Encode()
	if err != nil {
		return Change{}, err
	}
	if len(body) > maxMessage {
		return Change{}, conflict(was, CodeTooMany, "the order carries as much as an order may")
	}
	return d.done()
}
