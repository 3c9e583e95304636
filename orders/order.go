package orders

import (
	"slices"
	"time"

	"tracker/notify/eventwire"
)

// Order is one order with everything that belongs to it. It is a value: the
// functions of this package that change an order return another one.
type Order struct {
	ID        string
	Merchant  string
	Reference string // the merchant's own name for it

	Status            Status
	PaymentStatus     PaymentStatus
	FulfillmentStatus FulfillmentStatus

	Amount   int64 // total in minor units of Currency
	Currency string

	Sequence   int64 // of the last transition; the cursor of its feed
	TokenEpoch int64 // tracking tokens of an earlier epoch are revoked

	Items            []Item
	RequiresShipping bool
	OnHold           bool
	Shipments        []Shipment // oldest first
	Payments         []Payment  // oldest first
	Shop             Shop
	PayBy            time.Time
	Metadata         map[string]string // the merchant's own; never in an event
	CancelledBy      Cause
	CancelReason     string
	CreatedAt        time.Time
	UpdatedAt        time.Time

	// Timeline is every transition, oldest first. A list of orders leaves it
	// out; Latest is always there.
	Timeline []eventwire.Transition
	Latest   eventwire.Transition
}

// Item is one line of an order.
type Item struct {
	SKU        string `json:"sku"`
	Name       string `json:"name"`
	Quantity   int64  `json:"quantity"`
	UnitAmount int64  `json:"unit_amount"` // minor units
}

// Shop is what a shopper's page says about the merchant. It is copied into the
// order so that the page needs nothing but the event.
type Shop struct {
	Name    string `json:"name"`
	HelpURL string `json:"help_url,omitempty"`
	URL     string `json:"url,omitempty"`
}

// Key names the feed of the order.
func (o Order) Key() eventwire.Key {
	return eventwire.Key{Merchant: o.Merchant, Kind: eventwire.Orders, ID: o.ID}
}

// Shipment is the order's shipment of that id.
func (o Order) Shipment(id string) (Shipment, bool) {
	i := slices.IndexFunc(o.Shipments, func(s Shipment) bool { return s.ID == id })
	if i < 0 {
		return Shipment{}, false
	}
	return o.Shipments[i], true
}

// RefundDue is the money that a cancelled or expired order still holds: what
// was captured and not yet given back, but for late money that the merchant's
// policy accepts for an expired order. Pure; it becomes 0 when payments reports
// the refunds as succeeded.
func (o Order) RefundDue() int64 {
	if o.Status != StatusCancelled && o.Status != StatusExpired {
		return 0
	}
	var due int64
	for _, p := range o.Payments {
		kept := p.Accepted && o.Status == StatusExpired
		if p.Status != stateReversed && !kept {
			due += max(0, p.Captured-p.Refunded)
		}
	}
	return due
}

// Closed reports whether nothing more is expected: the status is final, no
// money is outstanding and no parcel is in trouble again after its delivery.
func (o Order) Closed() bool {
	if !o.Status.Final() || o.RefundDue() > 0 {
		return false
	}
	for _, p := range o.Payments {
		if p.outstanding() {
			return false
		}
	}
	for _, s := range o.Shipments {
		if !s.Status.Ended() {
			return false
		}
	}
	return true
}

// Remaining is what is still to be sent, in the order of the items, lines of
// the same SKU taken together.
func (o Order) Remaining() []ShipmentItem {
	left := make(map[string]int64, len(o.Items))
	for _, item := range o.Items {
		left[item.SKU] += item.Quantity
	}
	for _, s := range o.Shipments {
		if s.Status.givesBack() {
			continue
		}
		for _, item := range s.Items {
			left[item.SKU] -= item.Quantity
		}
	}
	var list []ShipmentItem
	for _, item := range o.Items {
		if n := left[item.SKU]; n > 0 {
			list = append(list, ShipmentItem{SKU: item.SKU, Quantity: n})
			delete(left, item.SKU)
		}
	}
	return list
}

// shipped reports whether anything was handed over that was not called off.
func (o Order) shipped() bool {
	return slices.ContainsFunc(o.Shipments, func(s Shipment) bool { return s.Status != ShipmentCancelled })
}
