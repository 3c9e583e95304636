package orders

// FulfillmentStatus is the third dimension of an order, derived from its
// shipments: how much of it was sent, and what came back.
type FulfillmentStatus string

// The fulfilment of an order, and who acts next.
const (
	FulfillmentUnfulfilled        FulfillmentStatus = "unfulfilled"         // the merchant: ship
	FulfillmentPartiallyFulfilled FulfillmentStatus = "partially_fulfilled" // the merchant: ship the rest
	FulfillmentFulfilled          FulfillmentStatus = "fulfilled"           // the carrier: deliver
	FulfillmentPartiallyReturned  FulfillmentStatus = "partially_returned"  // the merchant: refund or send again
	FulfillmentReturned           FulfillmentStatus = "returned"            // the merchant: refund or send again
	FulfillmentOnHold             FulfillmentStatus = "on_hold"             // the merchant: look, then release
	FulfillmentNotRequired        FulfillmentStatus = "not_required"        // nobody: there is nothing to ship
)

// A shipment that was called off or lost gives its items back to the list of
// what is to be sent, so fulfilment may also go down.
var fulfillmentTable = table[FulfillmentStatus]{
	{FulfillmentUnfulfilled, []FulfillmentStatus{FulfillmentPartiallyFulfilled, FulfillmentFulfilled,
		FulfillmentPartiallyReturned, FulfillmentReturned, FulfillmentOnHold}, ActorMerchant},
	{FulfillmentPartiallyFulfilled, []FulfillmentStatus{FulfillmentUnfulfilled, FulfillmentFulfilled,
		FulfillmentPartiallyReturned, FulfillmentReturned, FulfillmentOnHold}, ActorMerchant},
	{FulfillmentFulfilled, []FulfillmentStatus{FulfillmentUnfulfilled, FulfillmentPartiallyFulfilled,
		FulfillmentPartiallyReturned, FulfillmentReturned, FulfillmentOnHold}, ActorCarrier},
	{FulfillmentPartiallyReturned, []FulfillmentStatus{FulfillmentReturned, FulfillmentOnHold}, ActorMerchant},
	{FulfillmentReturned, []FulfillmentStatus{FulfillmentOnHold}, ActorMerchant},
	{FulfillmentOnHold, []FulfillmentStatus{FulfillmentUnfulfilled, FulfillmentPartiallyFulfilled, FulfillmentFulfilled,
		FulfillmentPartiallyReturned, FulfillmentReturned, FulfillmentNotRequired}, ActorMerchant},
	{FulfillmentNotRequired, []FulfillmentStatus{FulfillmentOnHold}, ActorNobody},
}

// FulfillmentStatuses lists every fulfilment status.
func FulfillmentStatuses() []FulfillmentStatus { return fulfillmentTable.states() }

// Allows reports whether fulfilment may go from s to the given state.
func (s FulfillmentStatus) Allows(to FulfillmentStatus) bool { return fulfillmentTable.allows(s, to) }

// ActsNext says who has to act for fulfilment to go on.
func (s FulfillmentStatus) ActsNext() Actor {
	r, _ := fulfillmentTable.find(s)
	return r.actor
}

// Valid reports whether s is a fulfilment status at all.
func (s FulfillmentStatus) Valid() bool {
	_, ok := fulfillmentTable.find(s)
	return ok
}

// deriveFulfillment is the fulfilment of o as its items, its shipments and its
// hold say. Pure.
func deriveFulfillment(o Order) FulfillmentStatus {
	if o.OnHold {
		return FulfillmentOnHold
	}
	if !o.RequiresShipping {
		return FulfillmentNotRequired
	}
	ordered, sent, returned := o.pieces()
	switch {
	case returned > 0 && returned >= ordered:
		return FulfillmentReturned
	case returned > 0:
		return FulfillmentPartiallyReturned
	case sent >= ordered:
		return FulfillmentFulfilled
	case sent > 0:
		return FulfillmentPartiallyFulfilled
	}
	return FulfillmentUnfulfilled
}

// pieces counts what was ordered, what is on its way or arrived, and what came
// back, over all items.
func (o Order) pieces() (ordered, sent, returned int64) {
	for _, item := range o.Items {
		ordered += item.Quantity
	}
	for _, s := range o.Shipments {
		if s.Status.givesBack() {
			continue
		}
		for _, item := range s.Items {
			sent += item.Quantity
			if s.Status == ShipmentReturnedToSender {
				returned += item.Quantity
			}
		}
	}
	return ordered, sent, returned
}
