package orders

import (
	"slices"
	"strings"
	"time"

	"tracker/notify/eventwire"
)

// The functions of this file and of decide_shipment.go are the whole of what
// can happen to an order: the order and a wish in, a change out, nothing else
// touched. A change without events means that the wish is already fulfilled.

func unchanged(o Order) (Change, error) { return Change{Base: o.Sequence, Order: o}, nil }

// place makes the order that o describes.
func place(o Order, now time.Time, cause Cause, evidence string) (Change, error) {
	o.Status = StatusPendingPayment
	o.TokenEpoch = 1
	o.CreatedAt, o.UpdatedAt = now, now
	o.PaymentStatus = paymentStatus(o.Amount, o.Currency, nil)
	o.FulfillmentStatus = deriveFulfillment(o)
	d := revise(o, now, cause, evidence)
	d.step(eventwire.Transition{Type: TypeCreated, To: string(StatusPendingPayment)})
	d.settle()
	return d.done()
}

// cancel ends an order of which nothing was shipped. Captured money becomes the
// order's RefundDue, which the event carries.
func cancel(o Order, in Cancellation, now time.Time) (Change, error) {
	switch {
	case o.Status == StatusCancelled:
		return unchanged(o)
	case !o.Status.Allows(StatusCancelled):
		return Change{}, conflict(o, CodeIllegalTransition, "an order that is %s cannot be cancelled", o.Status)
	case o.shipped():
		return Change{}, conflict(o, CodeAlreadyShipped, "a part of the order was already shipped; a return is another thing")
	}
	d := revise(o, now, in.By, in.Evidence)
	d.Order.CancelledBy, d.Order.CancelReason = d.cause, in.Reason
	d.Order.OnHold = false
	d.Order.FulfillmentStatus = deriveFulfillment(d.Order)
	d.move(StatusCancelled, TypeCancelled)
	return d.done()
}

// expire ends an order that was not paid in time. It waits as long as a bank
// may still say that the money is on its way.
func expire(o Order, now time.Time) (Change, error) {
	if o.Status != StatusPendingPayment || now.Before(o.PayBy) || has(o.Payments, BlocksExpiry()...) {
		return unchanged(o)
	}
	d := revise(o, now, CauseTimer, "")
	d.move(StatusExpired, TypeExpired)
	return d.done()
}

// notePayment takes what a payment event says into the order. Only the payment's
// own sequence decides what is newer, so events may repeat and come late.
func notePayment(o Order, p Payment, their *time.Time, evidence string, now time.Time) (Change, error) {
	i, known := slices.BinarySearchFunc(o.Payments, p.ID, func(p Payment, id string) int { return strings.Compare(p.ID, id) })
	old := Payment{}
	if known {
		old = o.Payments[i]
	}
	if old.Sequence >= p.Sequence {
		return unchanged(o)
	}
	p.Counts, p.Accepted, p.Reversed = p.Counts || old.Counts, p.Accepted || old.Accepted, p.Reversed || old.Reversed
	d := revise(o, now, CausePayment, evidence)
	d.Payment = &p
	list := slices.Clone(o.Payments)
	if known {
		list[i] = p
	} else {
		list = slices.Insert(list, i, p)
	}
	from := o.PaymentStatus
	d.Order.Payments = list
	d.Order.PaymentStatus = paymentStatus(o.Amount, o.Currency, list)
	d.step(eventwire.Transition{Type: TypePaymentChanged, From: string(from), To: string(d.Order.PaymentStatus),
		Subject: p.ID, TheirTime: their})
	d.settle()
	if p.Reversed && !old.Reversed && !d.Order.Status.Final() {
		d.hold(true)
	}
	return d.done()
}

// hold pauses or releases. Its event is order.shipment_changed: fulfilment is
// what changes.
func (d *draft) hold(on bool) {
	o := &d.Order
	if o.OnHold == on {
		return
	}
	from := o.FulfillmentStatus
	o.OnHold = on
	o.FulfillmentStatus = deriveFulfillment(*o)
	d.step(eventwire.Transition{Type: TypeShipmentChanged, From: string(from), To: string(o.FulfillmentStatus)})
}

func setHold(o Order, on bool, in Hold, now time.Time) (Change, error) {
	if o.OnHold == on {
		return unchanged(o)
	}
	if o.Status.Final() {
		return Change{}, conflict(o, CodeIllegalTransition, "an order that is %s cannot be put on hold or released", o.Status)
	}
	d := revise(o, now, in.By, in.Evidence)
	d.hold(on)
	d.settle()
	return d.fit(o)
}

// rotateToken revokes all tracking tokens made so far. No event type speaks of
// tokens; order.payment_changed with SubjectToken carries the new epoch to
// notify and says nothing new about money.
func rotateToken(o Order, now time.Time) (Change, error) {
	d := revise(o, now, CauseMerchant, "")
	d.Order.TokenEpoch++
	same := string(o.PaymentStatus)
	d.step(eventwire.Transition{Type: TypePaymentChanged, From: same, To: same, Subject: SubjectToken})
	return d.fit(o)
}
