package ordersdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tracker/notify/txoutbox"
	"tracker/orders"
)

// Order implements orders.Store. In a transaction that may go on to write, it
// locks the order's row, where the database has such locks: what is read after it
// then belongs to it, and the compare-and-set that follows cannot be lost.
func (s *Store) Order(ctx context.Context, merchant, id string) (orders.Order, error) {
	outer := s.db.Read(ctx)
	lock := txoutbox.Inside(outer) && outer.Name() == "postgres"
	var list []orders.Order
	err := txoutbox.Snapshot(s.db.Read(ctx), func(tx *gorm.DB) error {
		query := tx.Where("id = ? AND merchant = ?", id, merchant).Limit(1)
		if lock {
			query = query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
		}
		var rows []orderRow
		if err := query.Find(&rows).Error; err != nil {
			return err
		}
		if len(rows) == 0 {
			var err error
			list, err = archived(tx.Where("id = ? AND merchant = ?", id, merchant))
			return err
		}
		var err error
		list, err = load(tx, rows, true)
		return err
	})
	switch {
	case err != nil:
		return orders.Order{}, fmt.Errorf("ordersdb: read %s: %w", id, err)
	case len(list) == 0:
		return orders.Order{}, orders.ErrNotFound
	}
	return list[0], nil
}

// OrderOf implements orders.Store.
func (s *Store) OrderOf(ctx context.Context, merchant, shipmentID string) (string, error) {
	var ids []string
	err := s.db.Read(ctx).Model(&shipmentRow{}).Where("id = ? AND merchant = ?", shipmentID, merchant).
		Limit(1).Pluck("order_id", &ids).Error
	if err != nil {
		return "", fmt.Errorf("ordersdb: read %s: %w", shipmentID, err)
	}
	if len(ids) == 0 {
		return s.archivedOrderOf(ctx, merchant, shipmentID)
	}
	return ids[0], nil
}

// Unpaid implements orders.Store.
func (s *Store) Unpaid(ctx context.Context, now time.Time, limit int) ([]orders.Ref, error) {
	var refs []orders.Ref
	const query = `SELECT merchant, id FROM orders WHERE status = 'pending_payment' AND pay_by <= ?
		AND NOT EXISTS (SELECT 1 FROM order_payments p WHERE p.order_id = orders.id AND p.status IN ?)
		ORDER BY pay_by LIMIT ?`
	if err := s.db.Read(ctx).Raw(query, now.UnixMilli(), orders.BlocksExpiry(), limit).Scan(&refs).Error; err != nil {
		return nil, fmt.Errorf("ordersdb: unpaid: %w", err)
	}
	return refs, nil
}

// All implements orders.Store.
func (s *Store) All(ctx context.Context, after string, limit int) ([]orders.Order, error) {
	var list []orders.Order
	err := txoutbox.Snapshot(s.db.Read(ctx), func(tx *gorm.DB) error {
		var rows []orderRow
		if err := tx.Where("id > ?", after).Order("id").Limit(limit).Find(&rows).Error; err != nil {
			return err
		}
		var err error
		list, err = load(tx, rows, true)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ordersdb: read all after %q: %w", after, err)
	}
	return list, nil
}

// load makes whole orders of rows, in a number of statements that does not depend
// on how many there are. Without timeline they know their latest transition.
func load(tx *gorm.DB, rows []orderRow, timeline bool) ([]orders.Order, error) {
	list := make([]orders.Order, len(rows))
	at := make(map[string]*orders.Order, len(rows))
	ids := make([]string, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = row.order(); err != nil {
			return nil, err
		}
		ids[i], at[row.ID] = row.ID, &list[i]
	}
	if len(list) == 0 {
		return list, nil
	}
	for _, part := range []func(*gorm.DB, []string, map[string]*orders.Order) error{loadItems, loadPayments, loadShipments} {
		if err := part(tx, ids, at); err != nil {
			return nil, err
		}
	}
	if !timeline {
		return list, loadLatest(tx, ids, at)
	}
	return list, loadTimelines(tx, ids, at)
}

func loadItems(tx *gorm.DB, ids []string, at map[string]*orders.Order) error {
	var rows []itemRow
	if err := tx.Where("order_id IN ?", ids).Order("order_id, line").Find(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		o := at[row.OrderID]
		o.Items = append(o.Items, row.item())
	}
	return nil
}

func loadPayments(tx *gorm.DB, ids []string, at map[string]*orders.Order) error {
	var rows []paymentRow
	if err := tx.Where("order_id IN ?", ids).Order("order_id, payment_id").Find(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		o := at[row.OrderID]
		o.Payments = append(o.Payments, row.payment())
	}
	return nil
}

func loadTimelines(tx *gorm.DB, ids []string, at map[string]*orders.Order) error {
	var rows []transitionRow
	if err := tx.Where("order_id IN ?", ids).Order("order_id, seq").Find(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		o := at[row.OrderID]
		o.Latest = row.transition()
		o.Timeline = append(o.Timeline, o.Latest)
	}
	return nil
}

func loadLatest(tx *gorm.DB, ids []string, at map[string]*orders.Order) error {
	var rows []transitionRow
	const query = `SELECT t.* FROM orders o JOIN order_transitions t ON t.order_id = o.id AND t.seq = o.sequence WHERE o.id IN ?`
	if err := tx.Raw(query, ids).Scan(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		at[row.OrderID].Latest = row.transition()
	}
	return nil
}

func loadShipments(tx *gorm.DB, ids []string, at map[string]*orders.Order) error {
	var rows []shipmentRow
	if err := tx.Where("order_id IN ?", ids).Order("id").Find(&rows).Error; err != nil || len(rows) == 0 {
		return err
	}
	parcels := make(map[string]*orders.Shipment, len(rows))
	list := make([]orders.Shipment, len(rows))
	names := make([]string, len(rows))
	for i, row := range rows {
		list[i] = row.shipment()
		names[i], parcels[row.ID] = row.ID, &list[i]
	}
	if err := loadParcels(tx, names, parcels); err != nil {
		return err
	}
	for _, s := range list {
		o := at[s.OrderID]
		o.Shipments = append(o.Shipments, s)
	}
	return nil
}

func loadParcels(tx *gorm.DB, ids []string, at map[string]*orders.Shipment) error {
	var items []shipmentItemRow
	if err := tx.Where("shipment_id IN ?", ids).Order("shipment_id, line").Find(&items).Error; err != nil {
		return err
	}
	for _, row := range items {
		s := at[row.ShipmentID]
		s.Items = append(s.Items, orders.ShipmentItem{SKU: row.SKU, Quantity: row.Quantity})
	}
	var scans []scanRow
	if err := tx.Where("shipment_id IN ?", ids).Order("shipment_id, occurred_at, id").Find(&scans).Error; err != nil {
		return err
	}
	for _, row := range scans {
		s := at[row.ShipmentID]
		s.Scans = append(s.Scans, row.scan())
	}
	for _, s := range at {
		slices.SortStableFunc(s.Scans, orders.CompareScans)
	}
	return nil
}
