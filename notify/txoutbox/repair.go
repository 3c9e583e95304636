package txoutbox

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tracker/notify/eventwire"
)

const repairPage = 500

// Repair compares the stream with the outbox and has what the stream lost
// published again: for every resource with an event published since the time
// given, last tells the newest sequence in the stream (0 for none), and the rows
// after it go back to waiting. It returns how many rows those are. They go through
// the relay like any other, so their order is kept, and what the stream had after
// all is dropped there by its id or, later than the stream remembers, stays a
// repetition that readers ignore.
//
// It reaches as far back as the retention; what is older is rebuilt from the
// tables of its owner.
func Repair(ctx context.Context, db Database, last func(context.Context, eventwire.Key) (int64, error), since time.Time) (int, error) {
	total, after := 0, ""
	for {
		page, err := published(ctx, db, since, after)
		if err != nil {
			return total, err
		}
		for _, p := range page {
			n, err := p.repair(ctx, db, last)
			total += n
			if err != nil {
				return total, err
			}
		}
		if len(page) < repairPage {
			return total, nil
		}
		after = page[len(page)-1].Subject
	}
}

// touched is a resource and the newest of its rows that were published.
type touched struct {
	Subject  string
	Resource string
	Seq      int64
}

func published(ctx context.Context, db Database, since time.Time, after string) ([]touched, error) {
	const query = `SELECT subject, resource, max(seq) AS seq FROM outbox
		WHERE created_at >= ? AND published_at IS NOT NULL AND subject > ? GROUP BY subject, resource ORDER BY subject LIMIT ?`
	var page []touched
	if err := db.Read(ctx).Raw(query, since.UnixMilli(), after, repairPage).Scan(&page).Error; err != nil {
		return nil, fmt.Errorf("txoutbox: repair: %w", err)
	}
	return page, nil
}

func (t touched) repair(ctx context.Context, db Database, last func(context.Context, eventwire.Key) (int64, error)) (int, error) {
	key, err := eventwire.ParseSubject(t.Subject)
	if err != nil {
		return 0, fmt.Errorf("txoutbox: repair: %w", err)
	}
	have, err := last(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("txoutbox: repair %s: %w", key.ID, err)
	}
	if have >= t.Seq {
		return 0, nil
	}
	var n int64
	err = db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		done := tx.Exec(`UPDATE outbox SET published_at = NULL WHERE resource = ? AND seq > ? AND published_at IS NOT NULL`, t.Resource, have)
		n = done.RowsAffected
		if a, ok := tx.Statement.ConnPool.(announcer); ok && done.Error == nil {
			a.Announce()
		}
		return done.Error
	})
	if err != nil {
		return 0, fmt.Errorf("txoutbox: repair %s: %w", key.ID, err)
	}
	return int(n), nil
}
