package webhooksdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tracker/notify/webhooks"
)

const setDelivery = `
UPDATE webhook_deliveries SET state = ?, tries = ?, first_try = ?, finished_at = ?
WHERE endpoint_id = ? AND event_id = ? AND state = 'pending'`

// Somebody whose lease was over may still report; only the holder moves the time.
const leaveLane = `
UPDATE webhook_lanes SET pending = pending - ?, updated_at = ?,
	due_at = CASE WHEN token = ? THEN ? ELSE due_at END,
	leased_until = CASE WHEN token = ? THEN 0 ELSE leased_until END,
	token = CASE WHEN token = ? THEN '' ELSE token END
WHERE endpoint_id = ? AND subject = ?`

// Finish implements webhooks.Queue.
func (s *Store) Finish(ctx context.Context, f webhooks.Finished) error {
	return s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := finish(tx, f); err != nil {
			return fmt.Errorf("webhooksdb: finish %s for %s: %w", f.Delivery.EventID, f.Delivery.Endpoint, err)
		}
		return nil
	})
}

func finish(tx *gorm.DB, f webhooks.Finished) error {
	d, at := f.Delivery, f.Attempt.At.UnixMilli()
	finished := int64(0)
	if f.State != webhooks.Pending {
		finished = at
	}
	q := tx.Exec(setDelivery, string(f.State), d.Tries, millis(d.FirstTry), finished, d.Endpoint, d.EventID)
	if q.Error != nil {
		return q.Error
	}
	ended := int64(0)
	if f.State != webhooks.Pending {
		ended = q.RowsAffected // 0 when another process ended it first
	}
	lane := tx.Exec(leaveLane, ended, at, f.Token, f.Due.UnixMilli(), f.Token, f.Token, d.Endpoint, d.Subject)
	if lane.Error != nil {
		return lane.Error
	}
	row := attemptToRow(d.Merchant, f.Attempt)
	if err := tx.Create(&row).Error; err != nil {
		return err
	}
	if f.Health == nil {
		return nil
	}
	_, err := alter(tx, d.Merchant, d.Endpoint, func(r *webhooks.Record) error {
		f.Health(r)
		return nil
	})
	if errors.Is(err, webhooks.ErrNotFound) {
		return nil // removed meanwhile
	}
	return err
}

// Release implements webhooks.Queue.
func (s *Store) Release(ctx context.Context, d webhooks.Delivery, token string, now time.Time) error {
	const release = `UPDATE webhook_lanes SET due_at = ?, leased_until = 0, token = '' WHERE endpoint_id = ? AND subject = ? AND token = ?`
	return s.exec(ctx, "release", release, now.UnixMilli(), d.Endpoint, d.Subject, token)
}

// Hasten implements webhooks.Queue.
func (s *Store) Hasten(ctx context.Context, endpoint string, now time.Time) error {
	const hasten = `UPDATE webhook_lanes SET due_at = ? WHERE endpoint_id = ? AND pending > 0 AND due_at > ? AND leased_until <= ?`
	ms := now.UnixMilli()
	return s.exec(ctx, "hasten", hasten, ms, endpoint, ms, ms)
}

func (s *Store) exec(ctx context.Context, what, statement string, args ...any) error {
	return s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Exec(statement, args...).Error; err != nil {
			return fmt.Errorf("webhooksdb: %s: %w", what, err)
		}
		return nil
	})
}
