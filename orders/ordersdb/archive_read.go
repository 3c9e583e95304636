package ordersdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"tracker/orders"
)

// order is the order that the rows are of.
func (b bundle) order() (orders.Order, error) {
	o, err := b.Order.order()
	if err != nil {
		return o, err
	}
	for _, r := range b.Items {
		o.Items = append(o.Items, r.item())
	}
	for _, r := range b.Payments {
		o.Payments = append(o.Payments, r.payment())
	}
	for _, r := range b.Transitions {
		o.Latest = r.transition()
		o.Timeline = append(o.Timeline, o.Latest)
	}
	for _, r := range b.Shipments {
		o.Shipments = append(o.Shipments, b.parcel(r))
	}
	return o, nil
}

func (b bundle) parcel(row shipmentRow) orders.Shipment {
	s := row.shipment()
	for _, r := range b.ShipmentItems {
		if r.ShipmentID == s.ID {
			s.Items = append(s.Items, orders.ShipmentItem{SKU: r.SKU, Quantity: r.Quantity})
		}
	}
	for _, r := range b.Scans {
		if r.ShipmentID == s.ID {
			s.Scans = append(s.Scans, r.scan())
		}
	}
	slices.SortStableFunc(s.Scans, orders.CompareScans)
	return s
}

// archived reads whole orders out of the archive, as query restricts it.
func archived(query *gorm.DB) ([]orders.Order, error) {
	var rows []archiveRow
	if err := query.Find(&rows).Error; err != nil {
		return nil, err
	}
	list := make([]orders.Order, len(rows))
	for i, r := range rows {
		b, err := r.unpack()
		if err != nil {
			return nil, err
		}
		if list[i], err = b.order(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r archiveRow) unpack() (b bundle, err error) {
	if err := json.Unmarshal([]byte(r.Body), &b); err != nil {
		return b, fmt.Errorf("ordersdb: decode archived %s: %w", r.ID, err)
	}
	return b, nil
}

func (s *Store) archivedOrderOf(ctx context.Context, merchant, shipmentID string) (string, error) {
	var row archivedShipmentRow
	found := s.db.Read(ctx).Where("id = ? AND merchant = ?", shipmentID, merchant).Limit(1).Find(&row)
	switch {
	case found.Error != nil:
		return "", fmt.Errorf("ordersdb: read %s: %w", shipmentID, found.Error)
	case found.RowsAffected == 0:
		return "", orders.ErrNotFound
	}
	return row.OrderID, nil
}

// withArchived adds to a page what the archive has under the reference that was
// asked for. A list that asks for none is one of the orders that are not archived.
func withArchived(tx *gorm.DB, merchant string, f orders.Filter, page orders.Page) (orders.Page, error) {
	query := tx.Where("merchant = ? AND reference = ?", merchant, f.Reference)
	if f.StartingAfter != "" {
		query = query.Where("id < ?", f.StartingAfter)
	}
	old, err := archived(query.Order("id DESC").Limit(f.Limit + 1))
	if err != nil || len(old) == 0 {
		return page, err
	}
	for _, o := range old {
		o.Timeline = nil
		if fits(f, o) {
			page.Orders = append(page.Orders, o)
		}
	}
	slices.SortFunc(page.Orders, func(a, b orders.Order) int { return strings.Compare(b.ID, a.ID) })
	if len(page.Orders) > f.Limit {
		page.Orders, page.HasMore = page.Orders[:f.Limit], true
	}
	return page, nil
}

// fits is restrict for what the database has not looked at.
func fits(f orders.Filter, o orders.Order) bool {
	waits := o.Waits()
	return oneOf(f.Status, o.Status) && oneOf(f.PaymentStatus, o.PaymentStatus) && oneOf(f.FulfillmentStatus, o.FulfillmentStatus) &&
		oneOf(f.WaitsFor, waits.For) && oneOf(f.Task, waits.Task) &&
		(f.CreatedFrom.IsZero() || !o.CreatedAt.Before(f.CreatedFrom)) && (f.CreatedTo.IsZero() || o.CreatedAt.Before(f.CreatedTo))
}

func oneOf[T comparable](values []T, v T) bool { return len(values) == 0 || slices.Contains(values, v) }

// thaw puts an archived order back where it can be changed, and reports whether
// there was one at that sequence.
func thaw(tx *gorm.DB, merchant, id string, sequence int64) (bool, error) {
	var rows []archiveRow
	query := tx.Where("id = ? AND merchant = ? AND sequence = ?", id, merchant, sequence)
	if err := query.Find(&rows).Error; err != nil || len(rows) == 0 {
		return false, err
	}
	b, err := rows[0].unpack()
	if err != nil {
		return false, err
	}
	if gone := tx.Exec("DELETE FROM orders_archive WHERE id = ? AND sequence = ?", id, sequence); gone.Error != nil || gone.RowsAffected == 0 {
		return false, gone.Error // somebody else has just thawed it
	}
	if err := tx.Exec("DELETE FROM shipments_archive WHERE order_id = ?", id).Error; err != nil {
		return false, err
	}
	return true, b.insert(tx)
}

// insert writes the rows into the tables they came from.
func (b bundle) insert(tx *gorm.DB) error {
	if err := insertOrder(tx, b.Order); err != nil {
		return err
	}
	for _, part := range []struct {
		n    int
		rows any
	}{
		{len(b.Items), &b.Items}, {len(b.Payments), &b.Payments}, {len(b.Transitions), &b.Transitions},
		{len(b.Shipments), &b.Shipments}, {len(b.ShipmentItems), &b.ShipmentItems}, {len(b.Scans), &b.Scans},
	} {
		if part.n == 0 {
			continue
		}
		if err := tx.Create(part.rows).Error; err != nil {
			return err
		}
	}
	return nil
}
