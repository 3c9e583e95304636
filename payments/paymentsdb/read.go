package paymentsdb

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tracker/notify/txoutbox"
	"tracker/payments"
)

// Payment implements [payments.Reader].
func (s *Store) Payment(ctx context.Context, merchant, id string) (payments.Payment, error) {
	return s.one(ctx, "merchant = ? AND id = ?", merchant, id)
}

// PaymentByKey implements [payments.Reader].
func (s *Store) PaymentByKey(ctx context.Context, merchant, key string) (payments.Payment, error) {
	return s.one(ctx, "merchant = ? AND start_key = ? AND start_key <> ''", merchant, key)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (payments.Payment, error) {
	list, err := s.find(ctx, func(q *gorm.DB) *gorm.DB { return q.Where(where, args...).Limit(1) })
	if err != nil {
		return payments.Payment{}, err
	}
	if len(list) == 0 {
		return payments.Payment{}, payments.ErrNotFound
	}
	return list[0], nil
}

// find reads payments with all that belongs to them, as of one moment.
func (s *Store) find(ctx context.Context, choose func(*gorm.DB) *gorm.DB) ([]payments.Payment, error) {
	var found []payments.Payment
	err := txoutbox.Snapshot(s.db.Read(ctx), func(tx *gorm.DB) error {
		var rows []paymentRow
		if err := choose(tx).Find(&rows).Error; err != nil {
			return fmt.Errorf("paymentsdb: read payments: %w", err)
		}
		list, err := complete(tx, rows)
		found = make([]payments.Payment, len(list))
		for i, p := range list {
			found[i] = *p
		}
		return err
	})
	return found, err
}

// Refund implements [payments.Reader].
func (s *Store) Refund(ctx context.Context, merchant, id string) (payments.Refund, error) {
	var rows []refundRow
	err := s.db.Read(ctx).Where("id = ? AND payment_id IN (SELECT id FROM payments WHERE merchant = ?)", id, merchant).
		Find(&rows).Error
	if err != nil {
		return payments.Refund{}, fmt.Errorf("paymentsdb: read refund: %w", err)
	}
	if len(rows) == 0 {
		return payments.Refund{}, payments.ErrNotFound
	}
	return rows[0].refund(), nil
}

// List implements [payments.Reader].
func (s *Store) List(ctx context.Context, merchant string, f payments.Filter) (payments.Page, error) {
	db := s.db.Read(ctx)
	query := db.Where("merchant = ?", merchant).Order("id DESC").Limit(f.Limit + 1)
	if f.Status != "" {
		query = query.Where("status = ?", string(f.Status))
	}
	if f.OrderID != "" {
		query = query.Where("order_id = ?", f.OrderID)
	}
	if f.Reference != "" {
		query = query.Where("reference = ?", f.Reference)
	}
	if f.StartingAfter != "" {
		query = query.Where("id < ?", f.StartingAfter)
	}
	var rows []paymentRow
	if err := query.Find(&rows).Error; err != nil {
		return payments.Page{}, fmt.Errorf("paymentsdb: list payments: %w", err)
	}
	page := payments.Page{HasMore: len(rows) > f.Limit}
	rows = rows[:min(len(rows), f.Limit)]
	byID, ids := map[string]*payments.Payment{}, make([]string, len(rows))
	page.Payments = make([]payments.Payment, len(rows))
	for i, row := range rows {
		page.Payments[i] = *row.payment()
		byID[row.ID], ids[i] = &page.Payments[i], row.ID
	}
	if len(rows) == 0 {
		return page, nil
	}
	return page, withRefunds(db, byID, ids)
}

// After implements [payments.Reader].
func (s *Store) After(ctx context.Context, id string, limit int) ([]payments.Payment, error) {
	return s.find(ctx, func(q *gorm.DB) *gorm.DB { return q.Where("id > ?", id).Order("id").Limit(limit) })
}

const counting = `SELECT
	(SELECT COUNT(*) FROM payments WHERE closed = 0) AS open,
	(SELECT COUNT(*) FROM payments WHERE closed = 0 AND (next_check_at IS NULL OR next_check_at < ?)) AS overdue,
	(SELECT COUNT(*) FROM payments WHERE closed = 0 AND status = 'unknown') AS unknown,
	(SELECT COUNT(*) FROM payments WHERE closed = 0 AND status = 'review') AS review,
	(SELECT COUNT(*) FROM payments WHERE closed = 0 AND checks >= ?) AS budget_used,
	(SELECT COALESCE(SUM(checks), 0) FROM payments WHERE closed = 0) AS checks,
	(SELECT COUNT(*) FROM payment_callbacks WHERE state = 'parked') AS parked,
	(SELECT COUNT(*) FROM payment_callbacks WHERE state = 'unknown_type') AS unknown_types`

// Counts implements [payments.Reader].
func (s *Store) Counts(ctx context.Context, overdue time.Time, budget int) (payments.Counts, error) {
	var counts payments.Counts
	if err := s.db.Read(ctx).Raw(counting, overdue.UnixMilli(), budget).Scan(&counts).Error; err != nil {
		return counts, fmt.Errorf("paymentsdb: count: %w", err)
	}
	return counts, nil
}
