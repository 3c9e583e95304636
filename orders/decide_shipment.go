package orders

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tracker/notify/eventwire"
)

// Bounds on what one order may carry, so that its message stays small.
const (
	maxShipments = 100
	maxScans     = 200
)

// ship hands a parcel to its carrier. The parcel comes with its id, link and
// wished items; none wished means everything that is left.
func ship(o Order, parcel Shipment, by Cause, evidence string, now time.Time) (Change, error) {
	if err := shippable(o); err != nil {
		return Change{}, err
	}
	items, err := take(o, parcel.Items)
	if err != nil {
		return Change{}, err
	}
	d := revise(o, now, by, evidence)
	parcel.OrderID, parcel.Items = o.ID, items
	parcel.Status = parcel.firstStatus()
	parcel.EstimatedFrom, parcel.EstimatedTo = parcel.PlannedFrom, parcel.PlannedTo
	parcel.CreatedAt, parcel.UpdatedAt = d.now, d.now
	from := o.FulfillmentStatus
	d.NewShipment = &parcel
	d.Order.Shipments = append(slices.Clip(o.Shipments), parcel)
	d.Order.FulfillmentStatus = deriveFulfillment(d.Order)
	d.step(eventwire.Transition{Type: TypeShipmentCreated, From: string(from),
		To: string(d.Order.FulfillmentStatus), Subject: parcel.ID})
	return d.fit(o)
}

func shippable(o Order) error {
	switch {
	case o.Status == StatusPendingPayment:
		return conflict(o, CodeNotConfirmed, "the order is not paid, so nothing is to be sent yet")
	case o.Status != StatusConfirmed:
		return conflict(o, CodeIllegalTransition, "an order that is %s cannot be shipped", o.Status)
	case o.OnHold:
		return conflict(o, CodeOnHold, "the order is on hold; release it first")
	case !o.RequiresShipping:
		return conflict(o, CodeIllegalTransition, "the order has nothing to ship")
	case len(o.Shipments) >= maxShipments:
		return conflict(o, CodeTooMany, "an order has at most %d shipments", maxShipments)
	}
	return nil
}

// take checks the wished items against what is left, lines of the same SKU
// taken together.
func take(o Order, wished []ShipmentItem) ([]ShipmentItem, error) {
	left := o.Remaining()
	if len(left) == 0 {
		return nil, conflict(o, CodeOverShipment, "everything was already shipped")
	}
	if len(wished) == 0 {
		return left, nil
	}
	var items []ShipmentItem
	for i, w := range wished {
		if !slices.ContainsFunc(o.Items, func(item Item) bool { return item.SKU == w.SKU }) {
			return nil, &InvalidError{Fields: []FieldError{{Pointer: fmt.Sprintf("/items/%d/sku", i), Code: "unknown",
				Detail: "is not an item of this order"}}}
		}
		at := slices.IndexFunc(items, func(item ShipmentItem) bool { return item.SKU == w.SKU })
		if at < 0 {
			items, at = append(items, ShipmentItem{SKU: w.SKU}), len(items)
		}
		items[at].Quantity += w.Quantity
		if rest := quantityOf(left, w.SKU); items[at].Quantity > rest {
			return nil, conflict(o, CodeOverShipment, "%q: %d to be shipped, %d left", w.SKU, items[at].Quantity, rest)
		}
	}
	return items, nil
}

func quantityOf(list []ShipmentItem, sku string) int64 {
	for _, item := range list {
		if item.SKU == sku {
			return item.Quantity
		}
	}
	return 0
}

// report takes a carrier's scan into the shipment and lets the order follow.
// timed says whether the carrier gave a time; a report without one that says
// what is known already is a repeat.
func report(o Order, shipmentID string, scan Scan, timed bool, by Cause, evidence string, now time.Time) (Change, error) {
	i := slices.IndexFunc(o.Shipments, func(s Shipment) bool { return s.ID == shipmentID })
	if i < 0 {
		return Change{}, ErrNotFound
	}
	old := o.Shipments[i]
	if !timed && old.Status == scan.Status && scan.EstimatedFrom == "" && scan.EstimatedTo == "" {
		return unchanged(o)
	}
	d := revise(o, now, cmp.Or(by, CauseCallback), cmp.Or(evidence, label(old)))
	scan.RecordedAt = d.now
	parcel, changed := old.with(scan, d.now)
	switch {
	case !changed:
		return unchanged(o)
	case len(parcel.Scans) > maxScans:
		return Change{}, conflict(o, CodeTooMany, "a shipment has at most %d events", maxScans)
	}
	d.Scanned, d.Scan = &parcel, &scan
	d.Order.Shipments = slices.Clone(o.Shipments)
	d.Order.Shipments[i] = parcel
	d.Order.FulfillmentStatus = deriveFulfillment(d.Order)
	d.step(eventwire.Transition{Type: TypeShipmentChanged, From: string(old.Status), To: string(parcel.Status),
		Subject: parcel.ID, TheirTime: &scan.OccurredAt})
	d.settle()
	return d.fit(o)
}

// label names a parcel the way a person would prove it.
func label(s Shipment) string {
	if s.TrackingNumber == "" {
		return s.Carrier
	}
	return s.Carrier + " " + s.TrackingNumber
}
