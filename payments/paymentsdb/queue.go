package paymentsdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tracker/payments"
)

// leased is between now and as far ahead as a lease can reach: what lies behind
// that was written by a clock that was wrong, and would keep the payment from
// everybody until that time has come.
const leased = `lease_until > ? AND lease_until <= ?`

// take leases what is due in one statement. That the condition on the lease
// stands twice makes two processes safe that chose the same rows: the one that
// comes second finds them leased.
const take = `UPDATE payments SET lease_until = ?, lease_token = ? WHERE NOT (` + leased + `) AND id IN (
	SELECT id FROM payments WHERE provider = ? AND next_check_at <= ? AND NOT (` + leased + `) ORDER BY next_check_at LIMIT ?)`

// reach is the most that a lease can be ahead, with clocks that agree.
func reach(in payments.Claim) int64 { return in.Until.Add(in.Until.Sub(in.Now)).UnixMilli() }

// Claim implements [payments.Queue].
func (s *Store) Claim(ctx context.Context, in payments.Claim) (claimed []payments.Claimed, again time.Time, err error) {
	any, err := s.anyDue(ctx, in)
	if err != nil || !any {
		return nil, time.Time{}, err
	}
	err = s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		claimed = nil
		pace, err := lockPace(tx, in.Provider)
		if err != nil {
			return err
		}
		if pace.Silent(in.Now) {
			again = pace.Quiet
			return putOff(tx, in.Provider, pace.Quiet.UnixMilli())
		}
		if in.Limit, again = pace.Allow(in.Now, in.Limit, in.Rate); in.Limit == 0 {
			return nil
		}
		if claimed, err = lease(tx, in); err != nil {
			return err
		}
		if len(claimed) < in.Limit {
			again = time.Time{} // there was no more to do than is allowed
		}
		if len(claimed) == 0 {
			return nil
		}
		return tx.Exec("UPDATE payment_providers SET free_at = ? WHERE provider = ?",
			pace.Spend(in.Now, len(claimed), in.Rate).Free.UnixMicro(), in.Provider).Error
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("paymentsdb: claim: %w", err)
	}
	return claimed, again, nil
}

func lease(tx *gorm.DB, in payments.Claim) (claimed []payments.Claimed, err error) {
	token, due := rand.Text(), in.Now.UnixMilli()
	done := tx.Exec(take, in.Until.UnixMilli(), token, due, reach(in), in.Provider, due, due, reach(in), in.Limit)
	if done.Error != nil || done.RowsAffected == 0 {
		return nil, done.Error
	}
	err = tx.Raw("SELECT merchant, order_id AS \"order\", id AS payment FROM payments WHERE lease_token = ? ORDER BY next_check_at", token).
		Scan(&claimed).Error
	return claimed, err
}

// lockPace reads a provider's pace and keeps every other process from it until
// the end of the transaction.
func lockPace(tx *gorm.DB, provider string) (payments.Pace, error) {
	err := tx.Exec("INSERT INTO payment_providers (provider, free_at, quiet_until) VALUES (?, 0, 0) ON CONFLICT (provider) DO NOTHING", provider).Error
	if err == nil {
		err = tx.Exec("UPDATE payment_providers SET free_at = free_at WHERE provider = ?", provider).Error
	}
	var row struct{ FreeAt, QuietUntil int64 }
	if err == nil {
		err = tx.Raw("SELECT free_at, quiet_until FROM payment_providers WHERE provider = ?", provider).Scan(&row).Error
	}
	return payments.Pace{Free: time.UnixMicro(row.FreeAt).UTC(), Quiet: time.UnixMilli(row.QuietUntil).UTC()}, err
}

func putOff(tx *gorm.DB, provider string, at int64) error {
	return tx.Exec("UPDATE payments SET next_check_at = ?, revision = revision + 1 WHERE provider = ? AND next_check_at < ?", at, provider, at).Error
}

// anyDue keeps an idle reconciler from writing.
func (s *Store) anyDue(ctx context.Context, in payments.Claim) (bool, error) {
	var found []int
	due := in.Now.UnixMilli()
	err := s.db.Read(ctx).Raw("SELECT 1 FROM payments WHERE provider = ? AND next_check_at <= ? AND NOT ("+leased+") LIMIT 1",
		in.Provider, due, due, reach(in)).Scan(&found).Error
	if err != nil {
		return false, fmt.Errorf("paymentsdb: look for due payments: %w", err)
	}
	return len(found) > 0, nil
}

// Postpone implements [payments.Queue].
func (s *Store) Postpone(ctx context.Context, provider string, until time.Time) error {
	at := until.UnixMilli()
	err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		pace, err := lockPace(tx, provider)
		if err == nil && until.After(pace.Quiet) {
			err = tx.Exec("UPDATE payment_providers SET quiet_until = ? WHERE provider = ?", at, provider).Error
		}
		if err == nil {
			err = putOff(tx, provider, at)
		}
		return err
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
