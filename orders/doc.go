// Package orders is what an order means: its states, what may change them, and
// what everybody who watches an order is told. It knows no database, no broker
// and no HTTP; it never sees the payments package and reads of a payment only
// what a payment event says.
//
// A change goes one way: the [Service] reads the order, a pure function decides
// (order and wish in, [Change] out), and the [Store] writes the order, its new
// transitions and their events in one transaction, if the order's sequence is
// still the one that was decided on. One decision may take several transitions;
// each has its own sequence and its own event.
//
// # The three dimensions
//
// An order has three statuses, never mixed. [Status] is the agreement,
// [PaymentStatus] is derived from all payments, [FulfillmentStatus] from all
// shipments. Each is one table, and the diagrams here are tested against them.
//
// order.status:
//
//	pending_payment → confirmed | cancelled | expired
//	confirmed → completed | cancelled
//	completed → end
//	cancelled → end
//	expired → end
//
// order.payment_status:
//
//	unpaid → action_required | processing | authorized | partially_paid | paid | overpaid | partially_refunded | refunded | review | failed | voided
//	action_required → processing | authorized | partially_paid | paid | overpaid | partially_refunded | refunded | review | unpaid | failed | voided
//	processing → action_required | authorized | partially_paid | paid | overpaid | partially_refunded | refunded | review | unpaid | failed | voided
//	authorized → action_required | processing | partially_paid | paid | overpaid | partially_refunded | refunded | review | unpaid | failed | voided
//	partially_paid → action_required | processing | authorized | paid | overpaid | partially_refunded | refunded | review | failed
//	paid → action_required | processing | authorized | partially_paid | overpaid | partially_refunded | refunded | failed | review
//	overpaid → action_required | processing | authorized | partially_paid | paid | partially_refunded | refunded | failed | review
//	partially_refunded → action_required | processing | authorized | partially_paid | paid | overpaid | refunded | review | failed
//	refunded → action_required | processing | authorized | partially_paid | paid | overpaid | partially_refunded | review | unpaid | failed | voided
//	failed → action_required | processing | authorized | partially_paid | paid | overpaid | partially_refunded | refunded | review | unpaid | voided
//	voided → action_required | processing | authorized | partially_paid | paid | overpaid | partially_refunded | refunded | review | unpaid | failed
//	review → action_required | processing | authorized | partially_paid | paid | overpaid | partially_refunded | refunded | unpaid | failed | voided
//
// order.fulfillment_status:
//
//	unfulfilled → partially_fulfilled | fulfilled | partially_returned | returned | on_hold
//	partially_fulfilled → unfulfilled | fulfilled | partially_returned | returned | on_hold
//	fulfilled → unfulfilled | partially_fulfilled | partially_returned | returned | on_hold
//	partially_returned → returned | on_hold
//	returned → on_hold
//	on_hold → unfulfilled | partially_fulfilled | fulfilled | partially_returned | returned | not_required
//	not_required → on_hold
//
// shipment.status:
//
//	pending → label_created | picked_up | in_transit | out_for_delivery | delivered | delivery_attempted | available_for_pickup | delayed | exception | on_hold | returned_to_sender | cancelled | lost
//	label_created → picked_up | in_transit | out_for_delivery | delivered | delivery_attempted | available_for_pickup | delayed | exception | on_hold | returned_to_sender | cancelled | lost
//	picked_up → in_transit | out_for_delivery | delivered | delivery_attempted | available_for_pickup | delayed | exception | on_hold | returned_to_sender | cancelled | lost
//	in_transit → out_for_delivery | delivered | delivery_attempted | available_for_pickup | delayed | exception | on_hold | returned_to_sender | cancelled | lost
//	out_for_delivery → delivered | delivery_attempted | available_for_pickup | delayed | exception | on_hold | returned_to_sender | cancelled | lost
//	delivered → exception | returned_to_sender
//	delivery_attempted → picked_up | in_transit | out_for_delivery | delivered | available_for_pickup | delayed | exception | on_hold | returned_to_sender | cancelled | lost
//	available_for_pickup → picked_up | in_transit | out_for_delivery | delivered | delivery_attempted | delayed | exception | on_hold | returned_to_sender | cancelled | lost
//	delayed → picked_up | in_transit | out_for_delivery | delivered | delivery_attempted | available_for_pickup | exception | on_hold | returned_to_sender | cancelled | lost
//	exception → picked_up | in_transit | out_for_delivery | delivered | delivery_attempted | available_for_pickup | delayed | on_hold | returned_to_sender | cancelled | lost
//	on_hold → picked_up | in_transit | out_for_delivery | delivered | delivery_attempted | available_for_pickup | delayed | exception | returned_to_sender | cancelled | lost
//	returned_to_sender → end
//	cancelled → delivered | returned_to_sender | lost
//	lost → delivered | returned_to_sender
//
// Beyond the table, a shipment's headline never leads behind the farthest point
// that it reached on the ordinary way: after out_for_delivery and delayed comes
// out_for_delivery, not in_transit. A delivery may be corrected to exception
// once, after which only an end can follow. The headline is computed from all
// reports by the carrier's clock each time, so a report that comes late may tell
// several moves at once.
//
// # What it promises
//
//   - Same wish again is a successful no-op; a final status stays.
//   - The same carrier reports, in whatever order they come, end in the same
//     headline, the same estimate and the same log; the same payment events in
//     the same projection and the same payment status.
//   - Never more pieces shipped than ordered, never cancelled after shipping,
//     never money captured on a cancelled or expired order without RefundDue in
//     its event until it is refunded (but for late money that the merchant's
//     policy accepts for an expired order).
//   - An order never expires while a bank may still say yes.
//   - Nothing personal in an event: no metadata, no carrier's own words.
//
// # What it does not
//
// It does not execute refunds: the cancelled or expired event carries the
// obligation, payments does it and reports back. It does not keep references
// unique. It does not end a returned order by itself.
//
// # How it fails
//
// [ErrNotFound], [*InvalidError] with every field that does not fit, or
// [*ConflictError] with the state that stood in the way. In each case nothing
// was changed. Any other error comes from the store and may be tried again.
//
// # Decisions
//
//   - Hold and release are order.shipment_changed (fulfilment is what changes);
//     revoking tokens is order.payment_changed with subject "tracking_token" and
//     from equal to to, because the list of types is closed and the epoch has to
//     travel in an event.
//   - order.payment_changed speaks in payment_status; where only sums or one of
//     several payments changed, from equals to and subject names the payment.
//   - A payment counts as paid for the order only once it was captured in the
//     ordinary way. Money of a late success is owed back, not counted. A captured
//     payment alone covering the order confirms it even when the capture is
//     learned from the timeline of a later event.
//   - A reversal puts every order that is not final on hold, until released. A
//     held order is not completed by a delivery before that.
//   - Items of a cancelled or lost shipment may be shipped again; items that came
//     back may not: a return is settled by a refund.
//   - An order over nothing is confirmed as it is placed, and one that needs no
//     shipping is completed as it is confirmed.
//   - Amounts end at 2^53-1, because browsers read them as doubles.
//   - One message carries the whole order, so what an order may carry is bounded:
//     100 items, 100 shipments, 200 carrier reports each; payments begins at most
//     50 payments of it.
//   - Standard library, eventwire and money only: what an order means must not
//     depend on how it is stored or sent.
package orders
