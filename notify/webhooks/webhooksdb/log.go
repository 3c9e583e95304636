package webhooksdb

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tracker/notify/webhooks"
)

// Attempts implements webhooks.Log.
func (s *Store) Attempts(ctx context.Context, merchant string, f webhooks.AttemptFilter) (webhooks.AttemptPage, error) {
	q := s.db.Read(ctx).Where("merchant = ?", merchant)
	for column, value := range map[string]string{"endpoint_id": f.Endpoint, "subject": f.Subject, "event_id": f.EventID} {
		if value != "" {
			q = q.Where(column+" = ?", value)
		}
	}
	if f.StartingAfter != "" {
		q = q.Where("id < ?", f.StartingAfter)
	}
	var rows []attemptRow
	if err := q.Order("id DESC").Limit(f.Limit + 1).Find(&rows).Error; err != nil {
		return webhooks.AttemptPage{}, fmt.Errorf("webhooksdb: list attempts: %w", err)
	}
	page := webhooks.AttemptPage{Data: []webhooks.Attempt{}, HasMore: len(rows) > f.Limit}
	for _, row := range rows[:min(len(rows), f.Limit)] {
		page.Data = append(page.Data, rowToAttempt(row))
	}
	return page, nil
}

const countEndpoints = `
SELECT COALESCE(SUM(CASE WHEN status = 'enabled' THEN 1 ELSE 0 END), 0) AS enabled,
	COALESCE(SUM(CASE WHEN status = 'enabled' AND failing_since > 0 THEN 1 ELSE 0 END), 0) AS failing,
	COALESCE(SUM(CASE WHEN status = 'disabled' THEN 1 ELSE 0 END), 0) AS disabled
FROM webhook_endpoints WHERE removed_at = 0`

// What waits at an endpoint that is disabled or removed is not late: nobody is to
// send it.
const countPending = `
SELECT COUNT(*) AS pending, COALESCE(MIN(CASE WHEN endpoint_id IN
	(SELECT id FROM webhook_endpoints WHERE status = 'enabled' AND removed_at = 0) THEN created_at END), 0) AS oldest
FROM webhook_deliveries WHERE state = 'pending'`

// Counts implements webhooks.Log.
func (s *Store) Counts(ctx context.Context) (webhooks.Counts, error) {
	var endpoints struct{ Enabled, Failing, Disabled int64 }
	var deliveries struct{ Pending, Oldest int64 } // a second Scan into one struct would empty it first
	db := s.db.Read(ctx)
	if err := db.Raw(countEndpoints).Scan(&endpoints).Error; err != nil {
		return webhooks.Counts{}, fmt.Errorf("webhooksdb: count endpoints: %w", err)
	}
	if err := db.Raw(countPending).Scan(&deliveries).Error; err != nil {
		return webhooks.Counts{}, fmt.Errorf("webhooksdb: count deliveries: %w", err)
	}
	return webhooks.Counts{
		Enabled: endpoints.Enabled, Failing: endpoints.Failing, Disabled: endpoints.Disabled,
		Pending: deliveries.Pending, OldestPending: instant(deliveries.Oldest),
	}, nil
}

const (
	ofRemoved    = `endpoint_id IN (SELECT id FROM webhook_endpoints WHERE removed_at > 0)`
	deliveryOver = `((state <> 'pending' AND finished_at < @before) OR ` + ofRemoved + `)`
	laneOver     = `((pending = 0 AND updated_at < @before) OR ` + ofRemoved + `)`
)

// purges delete what is over, up to a number of rows each. What a removed endpoint
// left goes whatever its age. A row that may come to life again is looked at twice:
// PostgreSQL selects it as it was, waits for who is changing it, and then asks of
// the row as it is only what stands outside of the selection.
func purges() []string {
	return []string{
		`DELETE FROM webhook_deliveries WHERE ` + deliveryOver + ` AND (endpoint_id, event_id) IN
			(SELECT endpoint_id, event_id FROM webhook_deliveries WHERE ` + deliveryOver + ` LIMIT @limit)`,
		`DELETE FROM webhook_lanes WHERE ` + laneOver + ` AND (endpoint_id, subject) IN
			(SELECT endpoint_id, subject FROM webhook_lanes WHERE ` + laneOver + ` LIMIT @limit)`,
		`DELETE FROM webhook_attempts WHERE id IN (SELECT id FROM webhook_attempts WHERE at < @before OR ` + ofRemoved + ` LIMIT @limit)`,
		`DELETE FROM webhook_endpoints WHERE id IN (SELECT id FROM webhook_endpoints WHERE removed_at > 0 AND removed_at < @before LIMIT @limit)`,
	}
}

// What has waited for longer than anything is kept (its endpoint is disabled) is
// over; the next purge deletes it with the rest.
const expire = `
UPDATE webhook_deliveries SET state = 'given_up', finished_at = ? WHERE state = 'pending' AND (endpoint_id, event_id) IN
	(SELECT endpoint_id, event_id FROM webhook_deliveries WHERE state = 'pending' AND created_at < ?
		AND endpoint_id IN (SELECT id FROM webhook_endpoints WHERE status = 'disabled') LIMIT ?)
RETURNING endpoint_id, subject`

// Purge implements webhooks.Log.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	total := 0
	for _, statement := range purges() {
		var n int64
		err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
			q := tx.Exec(statement, map[string]any{"before": before.UnixMilli(), "limit": limit})
			n = q.RowsAffected
			return q.Error
		})
		if err != nil {
			return total, fmt.Errorf("webhooksdb: purge: %w", err)
		}
		total += int(n)
	}
	n, err := s.expire(ctx, before, limit)
	return total + n, err
}

func (s *Store) expire(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		var rows []deliveryRow
		if err := tx.Raw(expire, before.UnixMilli(), before.UnixMilli(), limit).Scan(&rows).Error; err != nil {
			return fmt.Errorf("webhooksdb: expire: %w", err)
		}
		n = len(rows)
		for _, row := range rows {
			const leave = `UPDATE webhook_lanes SET pending = pending - 1 WHERE endpoint_id = ? AND subject = ?`
			if err := tx.Exec(leave, row.EndpointID, row.Subject).Error; err != nil {
				return fmt.Errorf("webhooksdb: expire: %w", err)
			}
		}
		return nil
	})
	return n, err
}
