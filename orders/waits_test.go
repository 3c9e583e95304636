package orders_test

import (
	"testing"

	"tracker/orders"
)

func TestWaits_says_who_acts_next(t *testing.T) {
	t.Parallel()
	shipment := func(s orders.ShipmentStatus) []orders.Shipment {
		return []orders.Shipment{{Status: s, Items: []orders.ShipmentItem{{SKU: "A", Quantity: 1}}}}
	}
	for name, c := range map[string]struct {
		order orders.Order
		want  orders.Waits
	}{
		"unpaid":       {orders.Order{Status: orders.StatusPendingPayment, PaymentStatus: orders.PaymentUnpaid}, orders.Waits{For: orders.ActorShopper, Task: orders.TaskPay}},
		"failed":       {orders.Order{Status: orders.StatusPendingPayment, PaymentStatus: orders.PaymentFailed}, orders.Waits{For: orders.ActorShopper, Task: orders.TaskPay}},
		"processing":   {orders.Order{Status: orders.StatusPendingPayment, PaymentStatus: orders.PaymentProcessing}, orders.Waits{For: orders.ActorBank, Task: orders.TaskConfirm}},
		"authorized":   {orders.Order{Status: orders.StatusPendingPayment, PaymentStatus: orders.PaymentAuthorized}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskCapture}},
		"review":       {orders.Order{Status: orders.StatusExpired, PaymentStatus: orders.PaymentReview}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskReview}},
		"to ship":      {orders.Order{Status: orders.StatusConfirmed, PaymentStatus: orders.PaymentPaid}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskShip}},
		"on hold":      {orders.Order{Status: orders.StatusConfirmed, PaymentStatus: orders.PaymentPaid, OnHold: true}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskRelease}},
		"on its way":   {orders.Order{Status: orders.StatusConfirmed, Shipments: shipment(orders.ShipmentInTransit)}, orders.Waits{For: orders.ActorCarrier, Task: orders.TaskDeliver}},
		"to collect":   {orders.Order{Status: orders.StatusConfirmed, Shipments: shipment(orders.ShipmentAvailableForPickup)}, orders.Waits{For: orders.ActorShopper, Task: orders.TaskCollect}},
		"came back":    {orders.Order{Status: orders.StatusConfirmed, Shipments: shipment(orders.ShipmentReturnedToSender)}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskLook}},
		"lost":         {orders.Order{Status: orders.StatusConfirmed, Shipments: shipment(orders.ShipmentLost)}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskShip}},
		"lost at last": {orders.Order{Status: orders.StatusCompleted, Shipments: shipment(orders.ShipmentLost)}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskLook}},
		"reopened":     {orders.Order{Status: orders.StatusCompleted, Shipments: shipment(orders.ShipmentException)}, orders.Waits{For: orders.ActorCarrier, Task: orders.TaskDeliver}},
		"too much":     {orders.Order{Status: orders.StatusCompleted, PaymentStatus: orders.PaymentOverpaid, Shipments: shipment(orders.ShipmentDelivered)}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskRefund}},
		"completed":    {orders.Order{Status: orders.StatusCompleted, PaymentStatus: orders.PaymentPaid, Shipments: shipment(orders.ShipmentDelivered)}, orders.Waits{For: orders.ActorNobody, Task: orders.TaskNone}},
		"cancelled":    {orders.Order{Status: orders.StatusCancelled}, orders.Waits{For: orders.ActorNobody, Task: orders.TaskNone}},
		"refund due":   {orders.Order{Status: orders.StatusExpired, Payments: []orders.Payment{{Captured: 5}}}, orders.Waits{For: orders.ActorMerchant, Task: orders.TaskRefund}},
		"refunding":    {orders.Order{Status: orders.StatusConfirmed, Payments: []orders.Payment{{RefundPending: 5}}}, orders.Waits{For: orders.ActorBank, Task: orders.TaskRefund}},
	} {
		c.order.RequiresShipping = true
		c.order.Items = []orders.Item{{SKU: "A", Quantity: 1}}
		if got := c.order.Waits(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
