package idempotencydb

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"gorm.io/gorm"

	"tracker/notify/txoutbox"
	"tracker/web/idempotency"
)

// Name is the name of this package's set of migrations.
const Name = "idempotencydb"

//go:embed migrations
var migrations embed.FS

// Migrations is the schema for dialect "sqlite" or "postgres". It panics on any
// other dialect, which is a mistake in the program.
func Migrations(dialect string) fs.FS { return txoutbox.Schema(migrations, dialect) }

// Store implements idempotency.Store.
type Store struct{ db txoutbox.Database }

var _ idempotency.Store = (*Store)(nil)

// New returns a store over db, whose schema is migrated.
func New(db txoutbox.Database) *Store { return &Store{db: db} }

type row struct {
	ID          string `gorm:"primaryKey"`
	Fingerprint []byte
	Holder      string
	LeaseUntil  int64
	Answer      []byte // NULL: none yet
	ExpiresAt   int64
}

// TableName names the table for gorm.
func (row) TableName() string { return "idempotency_keys" }

// Transact implements idempotency.Store.
func (s *Store) Transact(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Write(ctx, func(ctx context.Context, _ *gorm.DB) error { return fn(ctx) })
}

// Find implements idempotency.Store.
func (s *Store) Find(ctx context.Context, id string, now time.Time) (idempotency.Entry, bool, error) {
	var rows []row // Find, not Take: not being there is the usual case and no error
	err := s.db.Read(ctx).Where("id = ? AND expires_at > ?", id, now.UnixMilli()).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return idempotency.Entry{}, false, wrap("find", err)
	}
	r := rows[0]
	return idempotency.Entry{
		ID: r.ID, Fingerprint: r.Fingerprint, Holder: r.Holder, Answer: r.Answer,
		LeaseUntil: time.UnixMilli(r.LeaseUntil).UTC(), ExpiresAt: time.UnixMilli(r.ExpiresAt).UTC(),
	}, true, nil
}

// put takes a free key, an expired one, or a claim that ran out for the same request.
const put = `INSERT INTO idempotency_keys (id, fingerprint, holder, lease_until, answer, expires_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, holder = excluded.holder,
  lease_until = excluded.lease_until, answer = excluded.answer, expires_at = excluded.expires_at
WHERE idempotency_keys.expires_at <= ?
   OR (idempotency_keys.answer IS NULL AND (idempotency_keys.lease_until <= ? OR idempotency_keys.holder = excluded.holder)
       AND idempotency_keys.fingerprint = excluded.fingerprint)`

// Put implements idempotency.Store.
func (s *Store) Put(ctx context.Context, e idempotency.Entry, now time.Time) (bool, error) {
	if tx := s.db.Read(ctx); txoutbox.Inside(tx) {
		stored, err := putIn(tx, e, now) // no savepoint: nobody goes on after its error
		return stored, wrap("put", err)
	}
	var stored bool
	err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) (err error) {
		stored, err = putIn(tx, e, now)
		return err
	})
	return stored, wrap("put", err)
}

func putIn(tx *gorm.DB, e idempotency.Entry, now time.Time) (bool, error) {
	done := tx.Exec(put, e.ID, e.Fingerprint, e.Holder, e.LeaseUntil.UnixMilli(), e.Answer, e.ExpiresAt.UnixMilli(), now.UnixMilli(), now.UnixMilli())
	return done.RowsAffected == 1, done.Error
}

// Answer implements idempotency.Store.
func (s *Store) Answer(ctx context.Context, e idempotency.Entry) error {
	return s.write(ctx, "answer", func(tx *gorm.DB) error {
		const answer = `UPDATE idempotency_keys SET answer = ?, holder = '' WHERE id = ? AND holder = ? AND answer IS NULL`
		return tx.Exec(answer, e.Answer, e.ID, e.Holder).Error
	})
}

// Release implements idempotency.Store.
func (s *Store) Release(ctx context.Context, id, holder string) error {
	return s.write(ctx, "release", func(tx *gorm.DB) error {
		return tx.Exec(`DELETE FROM idempotency_keys WHERE id = ? AND holder = ? AND answer IS NULL`, id, holder).Error
	})
}

// Sweep implements idempotency.Store.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	var n int64
	err := s.write(ctx, "sweep", func(tx *gorm.DB) error {
		const sweep = `DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE expires_at <= ? LIMIT ?)`
		done := tx.Exec(sweep, now.UnixMilli(), limit)
		n = done.RowsAffected
		return done.Error
	})
	return int(n), err
}

func (s *Store) write(ctx context.Context, what string, fn func(tx *gorm.DB) error) error {
	return wrap(what, s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error { return fn(tx) }))
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("idempotencydb: %s: %w", what, err)
}
