package paymentsdb

import (
	"fmt"
	"reflect"

	"gorm.io/gorm"

	"tracker/notify/txoutbox"
	"tracker/payments"
)

// save stores what changed and appends the events, or returns ErrStale.
func (l *locked) save(tx *gorm.DB) error {
	changed := l.order.Version == 0 || l.orderRow() != l.order
	for _, p := range l.ledger.Payments {
		did, err := l.savePayment(tx, p)
		if err != nil {
			return err
		}
		changed = changed || did
	}
	for _, in := range l.ledger.Parked {
		if in.State != payments.InboxParked {
			if err := settle(tx, in); err != nil {
				return err
			}
		}
	}
	if !changed {
		return nil
	}
	if err := l.saveOrder(tx); err != nil {
		return err
	}
	events, err := l.ledger.Events()
	if err != nil {
		return err
	}
	return txoutbox.Append(tx, events...)
}

func (l *locked) orderRow() orderRow {
	return orderRow{
		OrderID: l.ledger.Order, Merchant: l.ledger.Merchant, Version: l.ledger.Version,
		Winner: l.ledger.Winner, Round: l.ledger.Round, Closed: string(l.ledger.Closed),
	}
}

func (l *locked) saveOrder(tx *gorm.DB) error {
	row := l.orderRow()
	done := tx.Model(&orderRow{}).Where("order_id = ? AND version = ?", row.OrderID, row.Version).
		Updates(map[string]any{"version": row.Version + 1, "winner": row.Winner, "round": row.Round, "closed": row.Closed})
	return swapped(done, "order "+row.OrderID)
}

// swapped reads the outcome of a compare-and-set.
func swapped(done *gorm.DB, what string) error {
	if done.Error != nil {
		return fmt.Errorf("paymentsdb: save %s: %w", what, done.Error)
	}
	if done.RowsAffected != 1 {
		return fmt.Errorf("paymentsdb: save %s: %w", what, ErrStale)
	}
	return nil
}

func (l *locked) savePayment(tx *gorm.DB, p *payments.Payment) (bool, error) {
	before, known := l.payments[p.ID]
	after := rowOf(p, before.Revision)
	moneyMoved, err := l.moved(p)
	if known && reflect.DeepEqual(before, after) && len(moneyMoved) == 0 {
		return false, err
	}
	if err == nil {
		err = writePayment(tx, before, after, known)
	}
	if err == nil {
		err = writeParts(tx, p, before.Sequence, moneyMoved)
	}
	return true, err
}

// moved lists the refund and intent rows that are new or different.
func (l *locked) moved(p *payments.Payment) ([]any, error) {
	var rows []any
	for i, r := range p.Refunds {
		if row := refundRowOf(r, i); l.refunds[r.ID] != row {
			rows = append(rows, &row)
		}
	}
	for i, in := range p.Intents {
		if row := intentRowOf(p.ID, in, i); l.intents[[2]string{p.ID, in.Key}] != row {
			rows = append(rows, &row)
		}
	}
	return rows, nil
}

func writePayment(tx *gorm.DB, before, after paymentRow, known bool) error {
	after.Revision++
	if !known {
		if err := tx.Create(&after).Error; err != nil {
			return fmt.Errorf("paymentsdb: create payment: %w", err)
		}
		return nil
	}
	done := tx.Model(&paymentRow{}).Select("*").Omit("id").
		Where("id = ? AND sequence = ? AND revision = ?", before.ID, before.Sequence, before.Revision).Updates(&after)
	if err := swapped(done, "payment "+before.ID); err != nil {
		return err
	}
	// Whoever held it is done with it, or must look again anyway.
	return tx.Exec("UPDATE payments SET lease_until = 0, lease_token = '' WHERE id = ? AND lease_until <> 0", before.ID).Error
}

// sums makes the database add up the refunds itself; its CHECK refuses too much.
const sums = `UPDATE payments SET
	refunded = (SELECT COALESCE(SUM(amount), 0) FROM payment_refunds WHERE payment_id = payments.id AND status = 'succeeded'),
	refund_pending = (SELECT COALESCE(SUM(amount), 0) FROM payment_refunds
		WHERE payment_id = payments.id AND status IN ('requested', 'pending', 'requires_action'))
	WHERE id = ?`

func writeParts(tx *gorm.DB, p *payments.Payment, from int64, rows []any) error {
	for _, row := range rows {
		if err := tx.Save(row).Error; err != nil {
			return fmt.Errorf("paymentsdb: save part of %s: %w", p.ID, err)
		}
	}
	if len(rows) > 0 {
		if err := tx.Exec(sums, p.ID).Error; err != nil {
			return fmt.Errorf("paymentsdb: add up the refunds of %s: %w", p.ID, err)
		}
	}
	var steps []transitionRow
	for _, t := range p.Timeline {
		if t.Seq > from {
			steps = append(steps, transitionRowOf(p.ID, t))
		}
	}
	if len(steps) == 0 {
		return nil
	}
	if err := tx.Create(&steps).Error; err != nil {
		return fmt.Errorf("paymentsdb: save the timeline of %s: %w", p.ID, err)
	}
	return nil
}
