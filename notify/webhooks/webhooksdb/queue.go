package webhooksdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"tracker/notify/webhooks"
)

// Subscribers implements webhooks.Queue.
func (s *Store) Subscribers(ctx context.Context, merchants []string) (map[string][]webhooks.Endpoint, error) {
	const query = `SELECT id, merchant, events, created_at FROM webhook_endpoints WHERE merchant IN ? AND removed_at = 0 ORDER BY id`
	var rows []endpointRow
	if err := s.db.Read(ctx).Raw(query, merchants).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("webhooksdb: find endpoints: %w", err)
	}
	found := make(map[string][]webhooks.Endpoint)
	for _, row := range rows {
		r, err := rowToEndpoint(row)
		if err != nil {
			return nil, err
		}
		found[r.Merchant] = append(found[r.Merchant], r.Endpoint)
	}
	return found, nil
}

// Enqueue implements webhooks.Queue.
func (s *Store) Enqueue(ctx context.Context, item webhooks.Item, endpoints []string) ([]string, error) {
	var added []string
	err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		added = nil
		for _, id := range endpoints {
			isNew, err := enqueue(tx, id, item)
			if err != nil {
				return fmt.Errorf("webhooksdb: queue %s for %s: %w", item.EventID, id, err)
			}
			if isNew {
				added = append(added, id)
			}
		}
		return nil
	})
	return added, err
}

const insertDelivery = `
INSERT INTO webhook_deliveries (endpoint_id, event_id, merchant, event_type, subject, seq, previous, body, state, tries, first_try, created_at, finished_at, trace)
VALUES (?, ?, ?, ?, ?, ?,
	(SELECT COALESCE(MAX(seq), 0) FROM webhook_deliveries WHERE endpoint_id = ? AND subject = ? AND seq < ?),
	?, 'pending', 0, 0, ?, 0, ?)
ON CONFLICT (endpoint_id, event_id) DO NOTHING`

// A lane that was empty is due at once; one whose head waits for its next
// attempt keeps its time.
const enterLane = `
INSERT INTO webhook_lanes (endpoint_id, subject, pending, due_at, leased_until, token, updated_at)
VALUES (?, ?, 1, ?, 0, '', ?)
ON CONFLICT (endpoint_id, subject) DO UPDATE SET
	pending = webhook_lanes.pending + 1,
	due_at = CASE WHEN webhook_lanes.pending = 0 THEN excluded.due_at ELSE webhook_lanes.due_at END,
	updated_at = excluded.updated_at`

func enqueue(tx *gorm.DB, endpoint string, item webhooks.Item) (isNew bool, err error) {
	now := item.At.UnixMilli()
	q := tx.Exec(insertDelivery, endpoint, item.EventID, item.Merchant, item.EventType, item.Subject, item.Seq,
		endpoint, item.Subject, item.Seq, item.Body, now, item.Trace)
	if q.Error != nil || q.RowsAffected == 0 {
		return false, q.Error
	}
	return true, tx.Exec(enterLane, endpoint, item.Subject, now, now).Error
}

const dueEndpoints = `
SELECT DISTINCT l.endpoint_id FROM webhook_lanes l JOIN webhook_endpoints e ON e.id = l.endpoint_id
WHERE l.pending > 0 AND l.due_at <= ? AND e.status = 'enabled' AND e.removed_at = 0 AND e.paused_until <= ?`

const nextDue = `
SELECT l.due_at FROM webhook_lanes l JOIN webhook_endpoints e ON e.id = l.endpoint_id
WHERE l.pending > 0 AND l.due_at > ? AND e.status = 'enabled' AND e.removed_at = 0 ORDER BY l.due_at LIMIT 1`

const nextPause = `SELECT paused_until FROM webhook_endpoints WHERE paused_until > ? AND removed_at = 0 ORDER BY paused_until LIMIT 1`

// Due implements webhooks.Queue.
func (s *Store) Due(ctx context.Context, now time.Time) (endpoints []string, next time.Time, err error) {
	db, ms := s.db.Read(ctx), now.UnixMilli()
	if err := db.Raw(dueEndpoints, ms, ms).Scan(&endpoints).Error; err != nil {
		return nil, next, fmt.Errorf("webhooksdb: find work: %w", err)
	}
	for _, query := range []string{nextDue, nextPause} {
		var at []int64
		if err := db.Raw(query, ms).Scan(&at).Error; err != nil {
			return nil, next, fmt.Errorf("webhooksdb: find the next work: %w", err)
		}
		if len(at) > 0 && (next.IsZero() || instant(at[0]).Before(next)) {
			next = instant(at[0])
		}
	}
	return endpoints, next, nil
}

// Claim implements webhooks.Queue.
func (s *Store) Claim(ctx context.Context, endpoint, token string, now, until time.Time, reserve func(webhooks.Record) int) (webhooks.Record, []webhooks.Delivery, error) {
	db, ms := s.db.Read(ctx), now.UnixMilli()
	r, err := find(db.Where("id = ? AND status = 'enabled' AND paused_until <= ?", endpoint, ms))
	if errors.Is(err, webhooks.ErrNotFound) {
		return r, nil, nil
	}
	if err != nil {
		return r, nil, err
	}
	var lanes []string
	const due = `SELECT subject FROM webhook_lanes WHERE endpoint_id = ? AND pending > 0 AND due_at <= ? ORDER BY due_at LIMIT ?`
	n := reserve(r)
	if n == 0 {
		return r, nil, nil
	}
	if err := db.Raw(due, endpoint, ms, n).Scan(&lanes).Error; err != nil {
		return r, nil, fmt.Errorf("webhooksdb: find lanes: %w", err)
	}
	if len(lanes) == 0 {
		return r, nil, nil
	}
	var list []webhooks.Delivery
	err = s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		list, err = lease(tx, endpoint, token, lanes, ms, until.UnixMilli())
		return err
	})
	return r, list, err
}

const leaseLanes = `
UPDATE webhook_lanes SET token = ?, leased_until = ?, due_at = ?
WHERE endpoint_id = ? AND subject IN ? AND pending > 0 AND due_at <= ? RETURNING subject`

const heads = `
SELECT d.* FROM webhook_deliveries d WHERE d.endpoint_id = ? AND d.subject IN ? AND d.state = 'pending' AND d.seq =
	(SELECT MIN(h.seq) FROM webhook_deliveries h WHERE h.endpoint_id = d.endpoint_id AND h.subject = d.subject AND h.state = 'pending')`

func lease(tx *gorm.DB, endpoint, token string, lanes []string, now, until int64) ([]webhooks.Delivery, error) {
	var mine []string
	if err := tx.Raw(leaseLanes, token, until, until, endpoint, lanes, now).Scan(&mine).Error; err != nil {
		return nil, fmt.Errorf("webhooksdb: lease lanes: %w", err)
	}
	if len(mine) == 0 {
		return nil, nil // another process was faster
	}
	var rows []deliveryRow
	if err := tx.Raw(heads, endpoint, mine).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("webhooksdb: read heads: %w", err)
	}
	list := make([]webhooks.Delivery, len(rows))
	for i, row := range rows {
		list[i] = rowToDelivery(row)
		mine = slices.DeleteFunc(mine, func(lane string) bool { return lane == row.Subject })
	}
	if len(mine) == 0 {
		return list, nil
	}
	// A lane whose count is wrong would be leased for ever; an empty one sleeps.
	const empty = `UPDATE webhook_lanes SET pending = 0, leased_until = 0, token = '' WHERE endpoint_id = ? AND subject IN ?`
	return list, tx.Exec(empty, endpoint, mine).Error
}
