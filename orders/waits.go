package orders

// Task is what somebody has to do for an order to go on.
type Task string

// The tasks.
const (
	TaskPay     Task = "pay"     // the shopper
	TaskConfirm Task = "confirm" // the bank: say whether the money comes
	TaskCapture Task = "capture" // the merchant: take or release what is reserved
	TaskReview  Task = "review"  // the merchant: decide about money that does not fit
	TaskRelease Task = "release" // the merchant: look at an order on hold
	TaskShip    Task = "ship"    // the merchant
	TaskLook    Task = "look"    // the merchant: a parcel is lost or came back
	TaskDeliver Task = "deliver" // the carrier
	TaskCollect Task = "collect" // the shopper
	TaskRefund  Task = "refund"  // the bank, or the merchant where too much was paid or a refund failed
	TaskNone    Task = "none"
)

// Tasks lists every task.
func Tasks() []Task {
	return []Task{TaskPay, TaskConfirm, TaskCapture, TaskReview, TaskRelease, TaskShip, TaskLook, TaskDeliver,
		TaskCollect, TaskRefund, TaskNone}
}

// Waits says who acts next, and what they have to do.
type Waits struct {
	For  Actor
	Task Task
}

// Waits is who acts next for the order as a whole: money in doubt first, then
// what holds the order up. Pure.
func (o Order) Waits() Waits {
	switch {
	case o.PaymentStatus == PaymentReview:
		return Waits{ActorMerchant, TaskReview}
	case o.refundPending():
		return Waits{ActorBank, TaskRefund}
	case o.RefundDue() > 0: // payments asks the bank at once; what stays here did not go through
		return Waits{ActorMerchant, TaskRefund}
	case o.OnHold && !o.Status.Final():
		return Waits{ActorMerchant, TaskRelease}
	case o.Status == StatusPendingPayment:
		return o.waitsForMoney()
	case o.Status == StatusCancelled, o.Status == StatusExpired:
		return Waits{ActorNobody, TaskNone}
	}
	return o.waitsForParcels()
}

func (o Order) refundPending() bool {
	for _, p := range o.Payments {
		if p.RefundPending > 0 || p.Status == stateRefundPending {
			return true
		}
	}
	return false
}

func (o Order) waitsForMoney() Waits {
	switch o.PaymentStatus.ActsNext() {
	case ActorBank:
		return Waits{ActorBank, TaskConfirm}
	case ActorMerchant:
		return Waits{ActorMerchant, TaskCapture}
	}
	return Waits{ActorShopper, TaskPay}
}

func (o Order) waitsForParcels() Waits {
	var collect, deliver bool
	for _, s := range o.Shipments {
		switch {
		case s.Status == ShipmentReturnedToSender, s.Status == ShipmentLost && o.Status == StatusCompleted:
			return Waits{ActorMerchant, TaskLook}
		case s.Status == ShipmentAvailableForPickup:
			collect = true
		case !s.Status.Ended():
			deliver = true
		}
	}
	switch {
	case o.RequiresShipping && !o.Status.Final() && len(o.Remaining()) > 0:
		return Waits{ActorMerchant, TaskShip}
	case collect:
		return Waits{ActorShopper, TaskCollect}
	case deliver:
		return Waits{ActorCarrier, TaskDeliver}
	case o.PaymentStatus == PaymentOverpaid:
		return Waits{ActorMerchant, TaskRefund}
	}
	return Waits{ActorNobody, TaskNone}
}
