package eventwire

// Types lists every event type, orders first: what a webhook endpoint may ask
// for and what a golden file exists of.
func Types() []string {
	return []string{
		"order.created", "order.payment_changed", "order.confirmed", "order.shipment_created", "order.shipment_changed",
		"order.completed", "order.cancelled", "order.expired",
		"payment.created", "payment.requires_action", "payment.processing", "payment.authorized", "payment.partially_captured",
		"payment.captured", "payment.partially_refunded", "payment.refunded", "payment.failed", "payment.expired",
		"payment.cancelled", "payment.voided", "payment.unknown", "payment.late_success", "payment.refund_pending",
		"payment.review", "payment.reversed",
		"payment.refund_requested", "payment.refund_succeeded", "payment.refund_failed",
	}
}
