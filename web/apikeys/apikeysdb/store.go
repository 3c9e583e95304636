package apikeysdb

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
	"tracker/web/apikeys"
)

// Name is the name of this package's set of migrations.
const Name = "apikeysdb"

//go:embed migrations
var migrations embed.FS

// Migrations is the schema for dialect "sqlite" or "postgres". It panics on any
// other dialect, which is a mistake in the program.
func Migrations(dialect string) fs.FS { return txoutbox.Schema(migrations, dialect) }

// Store implements apikeys.Store.
type Store struct{ db txoutbox.Database }

var _ apikeys.Store = (*Store)(nil)

// New returns a store over db, whose schema is migrated.
func New(db txoutbox.Database) *Store { return &Store{db: db} }

// AddMerchant implements apikeys.Store.
func (s *Store) AddMerchant(ctx context.Context, m apikeys.Merchant) error {
	row := merchantRowOf(m)
	return s.write(ctx, "add merchant "+m.ID, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error
	})
}

// Merchant implements apikeys.Store.
func (s *Store) Merchant(ctx context.Context, id string) (apikeys.Merchant, error) {
	var row merchantRow
	if err := s.db.Read(ctx).Where("id = ?", id).Take(&row).Error; err != nil {
		return apikeys.Merchant{}, wrap("merchant "+id, err)
	}
	return row.merchant(), nil
}

// ChangeMerchant implements apikeys.Store.
func (s *Store) ChangeMerchant(ctx context.Context, id string, fn func(*apikeys.Merchant) error) (apikeys.Merchant, error) {
	var m apikeys.Merchant
	err := s.write(ctx, "change merchant "+id, func(tx *gorm.DB) error {
		row, err := locked[merchantRow](tx, "id = ?", id)
		if err != nil {
			return err
		}
		m = row.merchant()
		before := m
		if err := fn(&m); err != nil || m == before {
			return err
		}
		m.Version++
		return one(tx.Model(&merchantRow{}).Where("id = ? AND version = ?", id, row.Version).Updates(map[string]any{
			"name": m.Name, "help_url": m.HelpURL, "shop_url": m.ShopURL, "refund_days": m.RefundDays, "version": m.Version,
		}))
	})
	return m, err
}

// locked reads a row that nobody else changes before the transaction ends.
func locked[T any](tx *gorm.DB, condition string, args ...any) (T, error) {
	var row T
	err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where(condition, args...).Take(&row).Error
	return row, err
}

// AddKey implements apikeys.Store.
func (s *Store) AddKey(ctx context.Context, r apikeys.Record) error {
	row := keyRowOf(r)
	return s.write(ctx, "add key "+r.ID, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error
	})
}

// Key implements apikeys.Store.
func (s *Store) Key(ctx context.Context, id string) (apikeys.Record, error) {
	var row keyRow
	if err := s.db.Read(ctx).Where("id = ?", id).Take(&row).Error; err != nil {
		return apikeys.Record{}, wrap("key "+id, err)
	}
	return row.record(), nil
}

// Keys implements apikeys.Store.
func (s *Store) Keys(ctx context.Context, merchant string) ([]apikeys.Key, error) {
	var rows []keyRow
	if err := s.db.Read(ctx).Where("merchant = ?", merchant).Order("id DESC").Find(&rows).Error; err != nil {
		return nil, wrap("keys of "+merchant, err)
	}
	list := make([]apikeys.Key, len(rows))
	for i, row := range rows {
		list[i] = row.record().Key
	}
	return list, nil
}

// ChangeKey implements apikeys.Store.
func (s *Store) ChangeKey(ctx context.Context, merchant, id string, fn func(*apikeys.Key) error) (apikeys.Key, error) {
	var k apikeys.Key
	err := s.write(ctx, "change key "+id, func(tx *gorm.DB) error {
		row, err := locked[keyRow](tx, "id = ? AND merchant = ?", id, merchant)
		if err != nil {
			return err
		}
		k = row.record().Key
		before := k.RevokedAt
		if err := fn(&k); err != nil || k.RevokedAt.Equal(before) {
			return err
		}
		k.Version++
		return one(tx.Model(&keyRow{}).Where("id = ? AND version = ?", id, row.Version).
			Updates(map[string]any{"revoked_at": millis(k.RevokedAt), "version": k.Version}))
	})
	return k, err
}

// RevokedSince implements apikeys.Store.
func (s *Store) RevokedSince(ctx context.Context, t time.Time) ([]string, error) {
	var ids []string
	err := s.db.Read(ctx).Model(&keyRow{}).Where("revoked_at >= ?", t.UnixMilli()).Pluck("id", &ids).Error
	if err != nil {
		return nil, wrap("revoked keys", err)
	}
	return ids, nil
}

// NoteUse implements apikeys.Store.
func (s *Store) NoteUse(ctx context.Context, used map[string]apikeys.Use) error {
	return s.write(ctx, "note use", func(tx *gorm.DB) error {
		for id, use := range used {
			if err := note(tx, id, use); err != nil {
				return err
			}
		}
		return nil
	})
}

func note(tx *gorm.DB, id string, use apikeys.Use) error {
	if use.Hash != nil {
		if err := tx.Model(&keyRow{}).Where("id = ? AND hash = ?", id, use.Seen).Update("hash", use.Hash).Error; err != nil {
			return err
		}
	}
	const later = "id = ? AND (last_used_at IS NULL OR last_used_at < ?)"
	return tx.Model(&keyRow{}).Where(later, id, use.At.UnixMilli()).Update("last_used_at", use.At.UnixMilli()).Error
}

func (s *Store) write(ctx context.Context, what string, fn func(tx *gorm.DB) error) error {
	err := s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error { return fn(tx) })
	return wrap(what, err)
}

func wrap(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return apikeys.ErrNotFound
	}
	return fmt.Errorf("apikeysdb: %s: %w", what, err)
}

// one makes a change of no row an error.
func one(tx *gorm.DB) error {
	if tx.Error == nil && tx.RowsAffected == 0 {
		return gorm.ErrRecordNotFound
	}
	return tx.Error
}
