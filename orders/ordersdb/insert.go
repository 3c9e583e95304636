package ordersdb

import (
	"strings"

	"gorm.io/gorm"

	"tracker/notify/eventwire"
	"tracker/orders"
)

// The rows that every new order brings. gorm's Create looks at each field of a
// struct by reflection, which was a seventh of what making an order cost.

func insertOrder(tx *gorm.DB, r orderRow) error {
	const insert = `INSERT INTO orders (id, merchant, reference, status, payment_status, fulfillment_status, waits_for, task,
		amount, currency, sequence, token_epoch, requires_shipping, on_hold, shop, metadata, pay_by, cancelled_by, cancel_reason,
		created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	return tx.Exec(insert, r.ID, r.Merchant, r.Reference, r.Status, r.PaymentStatus, r.FulfillmentStatus, r.WaitsFor, r.Task,
		r.Amount, r.Currency, r.Sequence, r.TokenEpoch, r.RequiresShipping, r.OnHold, r.Shop, r.Metadata, r.PayBy, r.CancelledBy, r.CancelReason,
		r.CreatedAt, r.UpdatedAt).Error
}

func insertItems(tx *gorm.DB, o orders.Order) error {
	const insert, row = `INSERT INTO order_items (order_id, line, sku, name, quantity, unit_amount) VALUES `, `(?, ?, ?, ?, ?, ?)`
	args := make([]any, 0, 6*len(o.Items))
	for line, i := range o.Items {
		args = append(args, o.ID, line, i.SKU, i.Name, i.Quantity, i.UnitAmount)
	}
	return tx.Exec(insert+repeat(row, len(o.Items)), args...).Error
}

func insertTransitions(tx *gorm.DB, order string, list []eventwire.Transition) error {
	const insert, row = `INSERT INTO order_transitions (order_id, seq, type, from_state, to_state, at, cause, evidence, their_time, subject) VALUES `,
		`(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	args := make([]any, 0, 10*len(list))
	for _, t := range list {
		args = append(args, order, t.Seq, t.Type, t.From, t.To, t.At.UnixMilli(), t.Cause, t.Evidence, fromTime(t.TheirTime), t.Subject)
	}
	return tx.Exec(insert+repeat(row, len(list)), args...).Error
}

// repeat is a list of n rows of placeholders.
func repeat(row string, n int) string { return row + strings.Repeat(", "+row, n-1) }
