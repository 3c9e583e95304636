package ordersdb

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tracker/notify/txoutbox"
	"tracker/orders"
)

// Name is the name of this package's set of migrations.
const Name = "ordersdb"

//go:embed migrations
var migrations embed.FS

// Migrations is the schema for dialect "sqlite" or "postgres", for goose. It
// panics on any other dialect, which is a mistake in the program.
func Migrations(dialect string) fs.FS { return txoutbox.Schema(migrations, dialect) }

// Store keeps orders in a database. Safe for concurrent use.
type Store struct{ db txoutbox.Database }

var _ orders.Store = (*Store)(nil)

// New returns the store over a database that has the [Migrations] of this
// package and of txoutbox.
func New(db txoutbox.Database) *Store { return &Store{db: db} }

// Save implements orders.Store.
func (s *Store) Save(ctx context.Context, change orders.Change) error {
	row, err := toOrderRow(change.Order)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := saveOrder(tx, change, row); err != nil {
			return err
		}
		if err := saveParts(tx, change); err != nil {
			return err
		}
		if err := insertTransitions(tx, row.ID, change.Transitions()); err != nil {
			return fmt.Errorf("ordersdb: transitions of %s: %w", row.ID, err)
		}
		return txoutbox.Append(tx, change.Events...)
	})
}

// Together implements orders.Store.
func (s *Store) Together(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Write(ctx, func(ctx context.Context, _ *gorm.DB) error { return fn(ctx) })
}

// saveOrder comes first in the transaction: whoever loses the compare-and-set has
// written nothing.
func saveOrder(tx *gorm.DB, change orders.Change, row orderRow) error {
	if change.Base == 0 {
		if err := insertOrder(tx, row); err != nil {
			return fmt.Errorf("ordersdb: insert %s: %w", row.ID, err)
		}
		if err := insertItems(tx, change.Order); err != nil {
			return fmt.Errorf("ordersdb: items of %s: %w", row.ID, err)
		}
		return nil
	}
	const update = `UPDATE orders SET status = ?, payment_status = ?, fulfillment_status = ?, waits_for = ?, task = ?,
		sequence = ?, token_epoch = ?, on_hold = ?, cancelled_by = ?, cancel_reason = ?, updated_at = ?
		WHERE id = ? AND merchant = ? AND sequence = ?`
	done := tx.Exec(update, row.Status, row.PaymentStatus, row.FulfillmentStatus, row.WaitsFor, row.Task,
		row.Sequence, row.TokenEpoch, row.OnHold, row.CancelledBy, row.CancelReason, row.UpdatedAt,
		row.ID, row.Merchant, change.Base)
	switch {
	case done.Error != nil:
		return fmt.Errorf("ordersdb: update %s: %w", row.ID, done.Error)
	case done.RowsAffected > 0:
		return nil
	}
	back, err := thaw(tx, row.Merchant, row.ID, change.Base)
	switch {
	case err != nil:
		return fmt.Errorf("ordersdb: update archived %s: %w", row.ID, err)
	case !back:
		return orders.ErrStale
	}
	return saveOrder(tx, change, row)
}

// saveParts writes what the change brought besides the order's own row.
func saveParts(tx *gorm.DB, change orders.Change) error {
	o := change.Order
	if p := change.Payment; p != nil {
		row := toPaymentRow(o.ID, *p)
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
			return fmt.Errorf("ordersdb: payment %s: %w", p.ID, err)
		}
	}
	if s := change.NewShipment; s != nil {
		row := toShipmentRow(o.Merchant, *s)
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("ordersdb: shipment %s: %w", s.ID, err)
		}
		items := toShipmentItemRows(*s)
		if err := tx.Create(&items).Error; err != nil {
			return fmt.Errorf("ordersdb: items of %s: %w", s.ID, err)
		}
	}
	if s := change.Scanned; s != nil {
		return saveScan(tx, *s, *change.Scan)
	}
	return nil
}

func saveScan(tx *gorm.DB, s orders.Shipment, scan orders.Scan) error {
	row := toScanRow(s.ID, scan)
	if err := tx.Create(&row).Error; err != nil {
		return fmt.Errorf("ordersdb: event of %s: %w", s.ID, err)
	}
	const update = `UPDATE shipments SET status = ?, estimated_from = ?, estimated_to = ?, updated_at = ? WHERE id = ?`
	if err := tx.Exec(update, string(s.Status), s.EstimatedFrom, s.EstimatedTo, s.UpdatedAt.UnixMilli(), s.ID).Error; err != nil {
		return fmt.Errorf("ordersdb: update %s: %w", s.ID, err)
	}
	return nil
}
