package webhooksdb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tracker/notify/txoutbox"
	"tracker/notify/webhooks"
)

// Name is the name of this package's set of migrations.
const Name = "webhooks"

//go:embed migrations
var migrations embed.FS

// Migrations is the schema for dialect "sqlite" or "postgres", for goose. It
// panics on any other dialect, which is a mistake in the program.
func Migrations(dialect string) fs.FS { return txoutbox.Schema(migrations, dialect) }

// Store is a [webhooks.Store] on a database. Safe for concurrent use.
type Store struct{ db txoutbox.Database }

var _ webhooks.Store = (*Store)(nil)

// New returns the store of a migrated database.
func New(db txoutbox.Database) *Store { return &Store{db: db} }

// Add implements webhooks.EndpointStore.
func (s *Store) Add(ctx context.Context, r webhooks.Record, max int) error {
	row, err := endpointToRow(r)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		var n int64
		if err := tx.Model(&endpointRow{}).Where("merchant = ? AND removed_at = 0", r.Merchant).Count(&n).Error; err != nil {
			return fmt.Errorf("webhooksdb: count endpoints: %w", err)
		}
		if n >= int64(max) {
			return &webhooks.ConflictError{Code: "endpoint_limit", Detail: fmt.Sprintf("a merchant may have %d endpoints", max)}
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("webhooksdb: add endpoint: %w", err)
		}
		return nil
	})
}

// Get implements webhooks.EndpointStore.
func (s *Store) Get(ctx context.Context, merchant, id string) (webhooks.Record, error) {
	return find(s.db.Read(ctx).Where("merchant = ? AND id = ?", merchant, id))
}

func find(q *gorm.DB) (webhooks.Record, error) {
	var row endpointRow
	err := q.Where("removed_at = 0").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return webhooks.Record{}, webhooks.ErrNotFound
	}
	if err != nil {
		return webhooks.Record{}, fmt.Errorf("webhooksdb: read endpoint: %w", err)
	}
	return rowToEndpoint(row)
}

// List implements webhooks.EndpointStore.
func (s *Store) List(ctx context.Context, merchant string) ([]webhooks.Record, error) {
	var rows []endpointRow
	if err := s.db.Read(ctx).Where("merchant = ? AND removed_at = 0", merchant).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("webhooksdb: list endpoints: %w", err)
	}
	list := make([]webhooks.Record, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = rowToEndpoint(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Change implements webhooks.EndpointStore.
func (s *Store) Change(ctx context.Context, merchant, id string, fn func(*webhooks.Record) error) (webhooks.Record, error) {
	var changed webhooks.Record
	err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		var err error
		changed, err = alter(tx, merchant, id, fn)
		return err
	})
	return changed, err
}

// alter changes an endpoint whose row it locks, so that two changes at once do
// not undo each other.
func alter(tx *gorm.DB, merchant, id string, fn func(*webhooks.Record) error) (webhooks.Record, error) {
	r, err := locked(tx, merchant, id)
	if err != nil {
		return r, err
	}
	before := r.Version
	if err := fn(&r); err != nil {
		return r, err
	}
	row, err := endpointToRow(r)
	if err != nil {
		return r, err
	}
	q := tx.Model(&row).Select("*").Where("version = ?", before).Updates(&row)
	if q.Error == nil && q.RowsAffected == 0 {
		q.Error = errors.New("it changed under its lock")
	}
	if q.Error != nil {
		return r, fmt.Errorf("webhooksdb: change endpoint: %w", q.Error)
	}
	return r, nil
}

// locked reads an endpoint that nobody else changes before the transaction ends.
func locked(tx *gorm.DB, merchant, id string) (webhooks.Record, error) {
	return find(tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("merchant = ? AND id = ?", merchant, id))
}

// Remove implements webhooks.EndpointStore. The row stays for a while, so that
// what is queued for it meanwhile is found and purged.
func (s *Store) Remove(ctx context.Context, merchant, id string, now time.Time, allowed func(webhooks.Record) error) error {
	return s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		r, err := locked(tx, merchant, id)
		if err != nil {
			return err
		}
		if err := allowed(r); err != nil {
			return err
		}
		gone := map[string]any{"removed_at": now.UnixMilli(), "secret": "", "previous_secret": ""}
		if err := tx.Model(&endpointRow{}).Where("id = ?", id).Updates(gone).Error; err != nil {
			return fmt.Errorf("webhooksdb: remove endpoint: %w", err)
		}
		return nil
	})
}
