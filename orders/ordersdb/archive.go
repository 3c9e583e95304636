package ordersdb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tracker/notify/txoutbox"
	"tracker/orders"
)

var _ orders.Archive = (*Store)(nil)

// archiveRow is an order that ended long ago, with all that belongs to it.
type archiveRow struct {
	ID         string
	Merchant   string
	Reference  string
	Sequence   int64
	ArchivedAt int64
	Body       string
}

func (archiveRow) TableName() string { return "orders_archive" }

// archivedShipmentRow leads from a parcel to its order.
type archivedShipmentRow struct {
	ID       string
	Merchant string
	OrderID  string
}

func (archivedShipmentRow) TableName() string { return "shipments_archive" }

// bundle is the rows of one order, as they lie in an archive row's body.
type bundle struct {
	Order         orderRow
	Items         []itemRow
	Payments      []paymentRow
	Transitions   []transitionRow
	Shipments     []shipmentRow
	ShipmentItems []shipmentItemRow
	Scans         []scanRow
}

// final are the statuses that an order ends in.
func final() (list []string) {
	for _, s := range orders.Statuses() {
		if s.Final() {
			list = append(list, string(s))
		}
	}
	return list
}

// Old implements orders.Archive. It goes along the primary key, whose ids sort by
// creation, and needs no index of its own: what lies at its old end is either due
// or one of the few orders that are not closed.
func (s *Store) Old(ctx context.Context, after, until string, unchanged time.Time, limit int) ([]orders.Order, error) {
	var list []orders.Order
	err := txoutbox.Snapshot(s.db.Read(ctx), func(tx *gorm.DB) error {
		var rows []orderRow
		query := tx.Where("id > ? AND id < ? AND updated_at < ? AND status IN ?", after, until, unchanged.UnixMilli(), final())
		if err := query.Order("id").Limit(limit).Find(&rows).Error; err != nil {
			return err
		}
		var err error
		list, err = load(tx, rows, false)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ordersdb: read old orders after %q: %w", after, err)
	}
	return list, nil
}

// Retire implements orders.Archive.
func (s *Store) Retire(ctx context.Context, list []orders.Order) (moved int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	err = s.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		bundles, err := take(tx, list)
		if err != nil || len(bundles) == 0 {
			moved = 0
			return err
		}
		moved = len(bundles)
		return putAway(tx, bundles)
	})
	if err != nil {
		return 0, fmt.Errorf("ordersdb: retire: %w", err)
	}
	return moved, nil
}

// take locks the orders of the list that are still what they were, and reads all
// their rows.
func take(tx *gorm.DB, list []orders.Order) (map[string]*bundle, error) {
	sequences, ids := map[string]int64{}, []string{}
	for _, o := range list {
		sequences[o.ID] = o.Sequence
		ids = append(ids, o.ID)
	}
	query := tx.Where("id IN ?", ids).Order("id")
	if tx.Name() == "postgres" {
		query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	var rows []orderRow
	if err := query.Find(&rows).Error; err != nil {
		return nil, err
	}
	bundles := map[string]*bundle{}
	ids = ids[:0]
	for _, r := range rows {
		if r.Sequence == sequences[r.ID] {
			bundles[r.ID] = &bundle{Order: r}
			ids = append(ids, r.ID)
		}
	}
	return bundles, gather(tx, ids, bundles)
}

func gather(tx *gorm.DB, ids []string, at map[string]*bundle) error {
	var items []itemRow
	var paid []paymentRow
	var transitions []transitionRow
	var shipments []shipmentRow
	for _, part := range []struct {
		order string
		rows  any
	}{{"order_id, line", &items}, {"order_id, payment_id", &paid}, {"order_id, seq", &transitions}, {"id", &shipments}} {
		if err := tx.Where("order_id IN ?", ids).Order(part.order).Find(part.rows).Error; err != nil {
			return err
		}
	}
	for _, r := range items {
		at[r.OrderID].Items = append(at[r.OrderID].Items, r)
	}
	for _, r := range paid {
		at[r.OrderID].Payments = append(at[r.OrderID].Payments, r)
	}
	for _, r := range transitions {
		at[r.OrderID].Transitions = append(at[r.OrderID].Transitions, r)
	}
	return gatherParcels(tx, shipments, at)
}

func gatherParcels(tx *gorm.DB, shipments []shipmentRow, at map[string]*bundle) error {
	parcels, of := []string{}, map[string]*bundle{}
	for _, r := range shipments {
		at[r.OrderID].Shipments = append(at[r.OrderID].Shipments, r)
		parcels, of[r.ID] = append(parcels, r.ID), at[r.OrderID]
	}
	if len(parcels) == 0 {
		return nil
	}
	var items []shipmentItemRow
	if err := tx.Where("shipment_id IN ?", parcels).Order("shipment_id, line").Find(&items).Error; err != nil {
		return err
	}
	var scans []scanRow
	if err := tx.Where("shipment_id IN ?", parcels).Order("shipment_id, occurred_at, id").Find(&scans).Error; err != nil {
		return err
	}
	for _, r := range items {
		of[r.ShipmentID].ShipmentItems = append(of[r.ShipmentID].ShipmentItems, r)
	}
	for _, r := range scans {
		of[r.ShipmentID].Scans = append(of[r.ShipmentID].Scans, r)
	}
	return nil
}

// putAway writes the archive's rows and deletes those that they hold.
func putAway(tx *gorm.DB, bundles map[string]*bundle) error {
	var rows []archiveRow
	var shipments []archivedShipmentRow
	var ids, parcels []string
	for id, b := range bundles {
		body, err := json.Marshal(b)
		if err != nil {
			return err
		}
		rows = append(rows, archiveRow{ID: id, Merchant: b.Order.Merchant, Reference: b.Order.Reference,
			Sequence: b.Order.Sequence, ArchivedAt: tx.NowFunc().UnixMilli(), Body: string(body)})
		ids = append(ids, id)
		for _, p := range b.Shipments {
			shipments = append(shipments, archivedShipmentRow{ID: p.ID, Merchant: p.Merchant, OrderID: p.OrderID})
			parcels = append(parcels, p.ID)
		}
	}
	if err := tx.Create(&rows).Error; err != nil {
		return err
	}
	if len(shipments) > 0 {
		if err := tx.Create(&shipments).Error; err != nil {
			return err
		}
		for _, row := range []any{&shipmentItemRow{}, &scanRow{}} {
			if err := tx.Where("shipment_id IN ?", parcels).Delete(row).Error; err != nil {
				return err
			}
		}
	}
	for _, row := range []any{&itemRow{}, &paymentRow{}, &transitionRow{}, &shipmentRow{}} {
		if err := tx.Where("order_id IN ?", ids).Delete(row).Error; err != nil {
			return err
		}
	}
	return tx.Where("id IN ?", ids).Delete(&orderRow{}).Error
}
