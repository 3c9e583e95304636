package orders

// ShipmentStatus is where a parcel is, as its carrier says.
type ShipmentStatus string

// The states of a shipment, and who acts next. The first six are the way of an
// ordinary parcel, in order.
const (
	ShipmentPending            ShipmentStatus = "pending"              // the merchant: pack
	ShipmentLabelCreated       ShipmentStatus = "label_created"        // the carrier: pick up
	ShipmentPickedUp           ShipmentStatus = "picked_up"            // the carrier
	ShipmentInTransit          ShipmentStatus = "in_transit"           // the carrier
	ShipmentOutForDelivery     ShipmentStatus = "out_for_delivery"     // the carrier
	ShipmentDelivered          ShipmentStatus = "delivered"            // nobody
	ShipmentDeliveryAttempted  ShipmentStatus = "delivery_attempted"   // the carrier: try again or leave it somewhere
	ShipmentAvailableForPickup ShipmentStatus = "available_for_pickup" // the shopper: collect
	ShipmentDelayed            ShipmentStatus = "delayed"              // the carrier
	ShipmentException          ShipmentStatus = "exception"            // the carrier: say what happens
	ShipmentOnHold             ShipmentStatus = "on_hold"              // the carrier
	ShipmentReturnedToSender   ShipmentStatus = "returned_to_sender"   // the merchant: refund or send again
	ShipmentCancelled          ShipmentStatus = "cancelled"            // the merchant: send again or not
	ShipmentLost               ShipmentStatus = "lost"                 // the merchant: send again or refund
)

var shipmentTable = table[ShipmentStatus]{
	{ShipmentPending, append([]ShipmentStatus{ShipmentLabelCreated, ShipmentPickedUp, ShipmentInTransit,
		ShipmentOutForDelivery, ShipmentDelivered}, sidesAndEnds()...), ActorMerchant},
	{ShipmentLabelCreated, append([]ShipmentStatus{ShipmentPickedUp, ShipmentInTransit,
		ShipmentOutForDelivery, ShipmentDelivered}, sidesAndEnds()...), ActorCarrier},
	{ShipmentPickedUp, append([]ShipmentStatus{ShipmentInTransit, ShipmentOutForDelivery, ShipmentDelivered},
		sidesAndEnds()...), ActorCarrier},
	{ShipmentInTransit, append([]ShipmentStatus{ShipmentOutForDelivery, ShipmentDelivered}, sidesAndEnds()...), ActorCarrier},
	{ShipmentOutForDelivery, append([]ShipmentStatus{ShipmentDelivered}, sidesAndEnds()...), ActorCarrier},
	{ShipmentDelivered, []ShipmentStatus{ShipmentException, ShipmentReturnedToSender}, ActorNobody},
	{ShipmentDeliveryAttempted, fromSide(ShipmentDeliveryAttempted), ActorCarrier},
	{ShipmentAvailableForPickup, fromSide(ShipmentAvailableForPickup), ActorShopper},
	{ShipmentDelayed, fromSide(ShipmentDelayed), ActorCarrier},
	{ShipmentException, fromSide(ShipmentException), ActorCarrier},
	{ShipmentOnHold, fromSide(ShipmentOnHold), ActorCarrier},
	{ShipmentReturnedToSender, nil, ActorMerchant},
	{ShipmentCancelled, []ShipmentStatus{ShipmentDelivered, ShipmentReturnedToSender, ShipmentLost}, ActorMerchant},
	{ShipmentLost, []ShipmentStatus{ShipmentDelivered, ShipmentReturnedToSender}, ActorMerchant},
}

func sidesAndEnds() []ShipmentStatus {
	return []ShipmentStatus{ShipmentDeliveryAttempted, ShipmentAvailableForPickup, ShipmentDelayed, ShipmentException,
		ShipmentOnHold, ShipmentReturnedToSender, ShipmentCancelled, ShipmentLost}
}

// fromSide is where a side state may go: back onto the way, but for the two
// states before the carrier has the parcel, to another side state, or to an end.
func fromSide(self ShipmentStatus) []ShipmentStatus {
	list := []ShipmentStatus{ShipmentPickedUp, ShipmentInTransit, ShipmentOutForDelivery, ShipmentDelivered}
	for _, s := range sidesAndEnds() {
		if s != self {
			list = append(list, s)
		}
	}
	return list
}

// ShipmentStatuses lists every shipment status.
func ShipmentStatuses() []ShipmentStatus { return shipmentTable.states() }

// Allows reports whether a shipment in s may become to. What the carrier
// reports beyond that is kept, and does not move the headline.
func (s ShipmentStatus) Allows(to ShipmentStatus) bool { return shipmentTable.allows(s, to) }

// ActsNext says who has to act for the parcel to move on.
func (s ShipmentStatus) ActsNext() Actor {
	r, _ := shipmentTable.find(s)
	return r.actor
}

// Valid reports whether s is a shipment status at all.
func (s ShipmentStatus) Valid() bool {
	_, ok := shipmentTable.find(s)
	return ok
}

// Ended reports whether the parcel has come to an end of its way. Delivered is
// an end although the carrier may correct it once.
func (s ShipmentStatus) Ended() bool {
	switch s {
	case ShipmentDelivered, ShipmentReturnedToSender, ShipmentCancelled, ShipmentLost:
		return true
	}
	return false
}

// givesBack reports whether the items count as not shipped any more.
func (s ShipmentStatus) givesBack() bool { return s == ShipmentCancelled || s == ShipmentLost }

// progress is the place of a state on the ordinary way, 0 for side states and
// other ends.
func (s ShipmentStatus) progress() int {
	switch s {
	case ShipmentPending:
		return 1
	case ShipmentLabelCreated:
		return 2
	case ShipmentPickedUp:
		return 3
	case ShipmentInTransit:
		return 4
	case ShipmentOutForDelivery:
		return 5
	case ShipmentDelivered:
		return 6
	}
	return 0
}
