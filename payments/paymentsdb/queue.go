package paymentsdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tracker/payments"
)

// take leases what is due in one statement. That the condition on the lease
// stands twice makes two processes safe that chose the same rows: the one that
// comes second finds them leased.
const take = `UPDATE payments SET lease_until = ?, lease_token = ? WHERE lease_until <= ? AND id IN (
	SELECT id FROM payments WHERE provider = ? AND next_check_at <= ? AND lease_until <= ? ORDER BY next_check_at LIMIT ?)`

// Claim implements [payments.Queue].
func (s *Store) Claim(ctx context.Context, provider string, now, until time.Time, limit int) ([]payments.Claimed, error) {
	due := now.UnixMilli()
	any, err := s.anyDue(ctx, provider, due)
	if err != nil || !any {
		return nil, err
	}
	var claimed []payments.Claimed
	err = s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		claimed = nil
		token := rand.Text()
		done := tx.Exec(take, until.UnixMilli(), token, due, provider, due, due, limit)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return tx.Raw("SELECT merchant, order_id AS \"order\", id AS payment FROM payments WHERE lease_token = ? ORDER BY next_check_at", token).
			Scan(&claimed).Error
	})
	if err != nil {
		return nil, fmt.Errorf("paymentsdb: claim: %w", err)
	}
	return claimed, nil
}

// anyDue keeps an idle reconciler from writing.
func (s *Store) anyDue(ctx context.Context, provider string, due int64) (bool, error) {
	var found []int
	err := s.db.Read(ctx).Raw("SELECT 1 FROM payments WHERE provider = ? AND next_check_at <= ? AND lease_until <= ? LIMIT 1",
		provider, due, due).Scan(&found).Error
	if err != nil {
		return false, fmt.Errorf("paymentsdb: look for due payments: %w", err)
	}
	return len(found) > 0, nil
}

// Postpone implements [payments.Queue].
func (s *Store) Postpone(ctx context.Context, provider string, until time.Time) error {
	at := until.UnixMilli()
	err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Exec("UPDATE payments SET next_check_at = ?, revision = revision + 1 WHERE provider = ? AND next_check_at < ?",
			at, provider, at).Error
	})
	if err != nil {
		return fmt.Errorf("paymentsdb: postpone: %w", err)
	}
	return nil
}

// NextDue implements [payments.Queue].
func (s *Store) NextDue(ctx context.Context, provider string) (time.Time, bool, error) {
	var next struct{ At *int64 }
	err := s.db.Read(ctx).Raw(`SELECT MIN(CASE WHEN lease_until > next_check_at THEN lease_until ELSE next_check_at END) AS at
		FROM payments WHERE provider = ? AND next_check_at IS NOT NULL`, provider).Scan(&next).Error
	if err != nil {
		return time.Time{}, false, fmt.Errorf("paymentsdb: next due: %w", err)
	}
	return instant(next.At), next.At != nil, nil
}
