package webhooksdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"tracker/notify/webhooks"
)

// Requeue implements webhooks.Queue. It goes by resource and sequence, so that
// within a lane nothing later is queued before something earlier.
func (s *Store) Requeue(ctx context.Context, endpoint string, r webhooks.ReplayRequest, page webhooks.Page) (n int, next string, err error) {
	err = s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		rows, err := selected(tx, endpoint, r, page)
		if err != nil {
			return fmt.Errorf("webhooksdb: select deliveries: %w", err)
		}
		n, next = len(rows), ""
		if n == page.Limit {
			last := rows[n-1]
			next = last.Subject + "/" + strconv.FormatInt(last.Seq, 10)
		}
		if err := requeue(tx, endpoint, rows, page.Now.UnixMilli()); err != nil {
			return fmt.Errorf("webhooksdb: requeue: %w", err)
		}
		return nil
	})
	return n, next, err
}

func selected(tx *gorm.DB, endpoint string, r webhooks.ReplayRequest, page webhooks.Page) ([]deliveryRow, error) {
	q := tx.Select("event_id", "subject", "seq", "state").Where("endpoint_id = ?", endpoint)
	if !r.Since.IsZero() {
		q = q.Where("created_at >= ?", r.Since.UnixMilli())
	}
	if len(r.EventIDs) > 0 {
		q = q.Where("event_id IN ?", r.EventIDs)
	}
	if r.FailedOnly {
		q = q.Where("state <> ?", string(webhooks.Delivered))
	}
	if subject, text, ok := strings.Cut(page.After, "/"); ok {
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		q = q.Where("(subject, seq) > (?, ?)", subject, seq)
	}
	var rows []deliveryRow
	return rows, q.Order("subject, seq").Limit(page.Limit).Find(&rows).Error
}

const reopen = `
UPDATE webhook_deliveries SET state = 'pending', tries = 0, first_try = 0, finished_at = 0
WHERE endpoint_id = ? AND event_id IN ? AND state <> 'pending' RETURNING subject`

// A lane that is leased now keeps its lease; it goes on with the first of what
// is pending afterwards.
const refillLane = `
INSERT INTO webhook_lanes (endpoint_id, subject, pending, due_at, leased_until, token, updated_at)
VALUES (?, ?, ?, ?, 0, '', ?)
ON CONFLICT (endpoint_id, subject) DO UPDATE SET
	pending = webhook_lanes.pending + excluded.pending,
	due_at = CASE WHEN webhook_lanes.leased_until <= excluded.due_at THEN excluded.due_at ELSE webhook_lanes.due_at END,
	updated_at = excluded.updated_at`

func requeue(tx *gorm.DB, endpoint string, rows []deliveryRow, now int64) error {
	lanes := map[string]int64{} // how many were reopened; 0 for a lane to hasten
	var ended []string
	for _, row := range rows {
		lanes[row.Subject] = 0
		if row.State != string(webhooks.Pending) {
			ended = append(ended, row.EventID)
		}
	}
	if len(ended) > 0 {
		var reopened []string
		if err := tx.Raw(reopen, endpoint, ended).Scan(&reopened).Error; err != nil {
			return err
		}
		for _, subject := range reopened {
			lanes[subject]++
		}
	}
	// Always in the same order: two replays at once must not wait for each other.
	for _, subject := range slices.Sorted(maps.Keys(lanes)) {
		if err := tx.Exec(refillLane, endpoint, subject, lanes[subject], now, now).Error; err != nil {
			return err
		}
	}
	return nil
}
