package paymentsdb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tracker/notify/txoutbox"
	"tracker/payments"
)

// Name is the name of this package's set of migrations.
const Name = "paymentsdb"

// ErrStale says that a ledger kept changing under our hands.
var ErrStale = errors.New("paymentsdb: the ledger changed meanwhile")

const attempts = 10

//go:embed migrations
var migrations embed.FS

// Migrations is the schema for dialect "sqlite" or "postgres", for goose. It
// panics on any other dialect, which is a mistake in the program.
func Migrations(dialect string) fs.FS { return txoutbox.Schema(migrations, dialect) }

// Store keeps ledgers in a database.
type Store struct{ db txoutbox.Database }

var _ payments.Store = (*Store)(nil)

// New returns a store over a database that was migrated with [Migrations] and
// txoutbox.Migrations.
func New(db txoutbox.Database) *Store { return &Store{db} }

// Update implements [payments.Ledgers].
func (s *Store) Update(ctx context.Context, merchant, order string, fn func(*payments.Ledger) error) error {
	return s.again(ctx, func(tx *gorm.DB) error {
		l, err := lock(tx, merchant, order)
		if err != nil {
			return err
		}
		if err := fn(l.ledger); err != nil {
			return err
		}
		return l.save(tx)
	})
}

// again runs fn in a transaction, anew when a compare-and-set was lost.
func (s *Store) again(ctx context.Context, fn func(tx *gorm.DB) error) error {
	var err error
	for range attempts {
		err = s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error { return fn(tx) })
		if !errors.Is(err, ErrStale) {
			return err
		}
	}
	return err
}

// errSeen rolls a repeated callback back.
var errSeen = errors.New("paymentsdb: callback is stored already")

// Receive implements [payments.Ledgers].
func (s *Store) Receive(ctx context.Context, in payments.Inbound, fn func(*payments.Ledger, *payments.Inbound) error) (bool, error) {
	err := s.again(ctx, func(tx *gorm.DB) error {
		arrived := in // fn may run again, and must find it as it came
		return receive(tx, &arrived, fn)
	})
	if errors.Is(err, errSeen) {
		return false, nil
	}
	return err == nil, err
}

func receive(tx *gorm.DB, in *payments.Inbound, fn func(*payments.Ledger, *payments.Inbound) error) error {
	row, err := callbackRowOf(*in)
	if err != nil {
		return fmt.Errorf("paymentsdb: encode callback: %w", err)
	}
	// The insert comes first: a copy that arrives at the same moment waits here
	// until the other one's effect is there, and then is a duplicate.
	insert := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if insert.Error != nil {
		return fmt.Errorf("paymentsdb: store callback: %w", insert.Error)
	}
	if insert.RowsAffected == 0 {
		return errSeen
	}
	l, err := lockFor(tx, in)
	if err != nil {
		return err
	}
	if l == nil {
		err = fn(nil, in)
	} else if err = fn(l.ledger, in); err == nil {
		err = l.save(tx)
	}
	if err != nil {
		return err
	}
	return settle(tx, in)
}

// settle writes down what became of a callback.
func settle(tx *gorm.DB, in *payments.Inbound) error {
	err := tx.Model(&callbackRow{}).Where("provider = ? AND event_id = ?", in.Provider, in.EventID).
		Updates(map[string]any{"state": string(in.State), "applied_at": millis(in.AppliedAt)}).Error
	if err != nil {
		return fmt.Errorf("paymentsdb: settle callback: %w", err)
	}
	return nil
}

// lockFor locks the ledger that a callback speaks of; nil where there is none.
func lockFor(tx *gorm.DB, in *payments.Inbound) (*locked, error) {
	var found []paymentRow
	query := tx.Select("merchant", "order_id").Limit(1)
	if in.Payment != "" {
		query = query.Where("id = ?", in.Payment)
	} else if in.Reference != "" {
		query = query.Where("provider = ? AND reference = ?", in.Provider, in.Reference).Order("id DESC")
	} else {
		return nil, nil
	}
	if err := query.Find(&found).Error; err != nil {
		return nil, fmt.Errorf("paymentsdb: find payment: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return lock(tx, found[0].Merchant, found[0].OrderID)
}
