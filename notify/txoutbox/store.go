package txoutbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

// row is a row of the outbox, as far as the relay reads it.
type row struct {
	ID        int64
	EventID   string
	Subject   string
	Resource  string
	Seq       int64
	Body      []byte
	CreatedAt int64
}

// store is the SQL of the relay. Lists of ids travel as one JSON parameter, so
// that a statement has the same text however long its list is.
type store struct{ db Database }

// shared reports whether several processes may use this database.
func (s store) shared(ctx context.Context) bool {
	return s.db.Read(ctx).Name() == "postgres"
}

// anyOf is the SQL for a list of ids in one parameter.
func anyOf(tx *gorm.DB) string {
	if tx.Name() == "postgres" {
		return "(SELECT value::bigint FROM json_array_elements_text(?::json))"
	}
	return "(SELECT value FROM json_each(?))"
}

func list(ids []int64) string {
	text, _ := json.Marshal(ids) // integers cannot fail
	if ids == nil {
		return "[]"
	}
	return string(text)
}

// unpublished reads rows that wait, oldest first, without those in except.
func (s store) unpublished(ctx context.Context, except []int64, limit int) ([]row, error) {
	tx := s.db.Read(ctx)
	index := ""
	if !s.shared(ctx) {
		index = "INDEXED BY outbox_unpublished " // it would walk the whole table to avoid a sort
	}
	query := `SELECT id, event_id, subject, resource, seq, body, created_at FROM outbox ` + index +
		`WHERE published_at IS NULL AND id NOT IN ` + anyOf(tx) + ` ORDER BY id LIMIT ?`
	var rows []row
	if err := tx.Raw(query, list(except), limit).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("txoutbox: read: %w", err)
	}
	return rows, nil
}

// mark notes that rows are in the stream.
func (s store) mark(ctx context.Context, ids []int64, at time.Time) error {
	err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Exec(`UPDATE outbox SET published_at = ? WHERE id IN `+anyOf(tx), at.UnixMilli(), list(ids)).Error
	})
	if err != nil {
		return fmt.Errorf("txoutbox: mark: %w", err)
	}
	return nil
}

func (s store) backlog(ctx context.Context) (depth, oldest int64, err error) {
	var r struct{ Depth, Oldest int64 }
	const query = `SELECT count(*) AS depth, coalesce(min(created_at), 0) AS oldest FROM outbox WHERE published_at IS NULL`
	if err := s.db.Read(ctx).Raw(query).Scan(&r).Error; err != nil {
		return 0, 0, fmt.Errorf("txoutbox: backlog: %w", err)
	}
	return r.Depth, r.Oldest, nil
}

const pruneChunk = 500

// prune deletes the rows at the old end of the table that were published before
// the time given, in pieces, so that no writer waits long.
func (s store) prune(ctx context.Context, before time.Time) error {
	for {
		var deleted int64
		err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
			const remove = `DELETE FROM outbox WHERE published_at < ? AND id IN (SELECT id FROM outbox ORDER BY id LIMIT ?)`
			done := tx.Exec(remove, before.UnixMilli(), pruneChunk)
			deleted = done.RowsAffected
			return done.Error
		})
		if err != nil {
			return fmt.Errorf("txoutbox: prune: %w", err)
		}
		if deleted < pruneChunk/2 {
			return nil
		}
	}
}

// inOrder puts the rows of each resource into the order of their sequence, in the
// places that they have. Ids nearly always agree with that: they would not if a
// transaction had appended before its compare-and-set.
func inOrder(batch []row) {
	places := make(map[string][]int)
	for i, r := range batch {
		places[r.Resource] = append(places[r.Resource], i)
	}
	for _, at := range places {
		if len(at) == 1 {
			continue
		}
		mine := make([]row, len(at))
		for i, place := range at {
			mine[i] = batch[place]
		}
		slices.SortFunc(mine, func(a, b row) int { return int(a.Seq - b.Seq) })
		for i, place := range at {
			batch[place] = mine[i]
		}
	}
}
