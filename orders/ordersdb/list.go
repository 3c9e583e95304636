package ordersdb

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"tracker/notify/txoutbox"
	"tracker/orders"
)

// List implements orders.Store.
func (s *Store) List(ctx context.Context, merchant string, f orders.Filter) (orders.Page, error) {
	var page orders.Page
	err := txoutbox.Snapshot(s.db.Read(ctx), func(tx *gorm.DB) error {
		var rows []orderRow
		query := restrict(tx.Where("merchant = ?", merchant), f)
		if err := query.Order("id DESC").Limit(f.Limit + 1).Find(&rows).Error; err != nil {
			return err
		}
		if page.HasMore = len(rows) > f.Limit; page.HasMore {
			rows = rows[:f.Limit]
		}
		var err error
		page.Orders, err = load(tx, rows, false)
		if err == nil && f.Reference != "" && f.Query == "" {
			page, err = withArchived(tx, merchant, f, page)
		}
		return err
	})
	if err != nil {
		return orders.Page{}, fmt.Errorf("ordersdb: list: %w", err)
	}
	return page, nil
}

func restrict(query *gorm.DB, f orders.Filter) *gorm.DB {
	query = among(query, "status", f.Status)
	query = among(query, "payment_status", f.PaymentStatus)
	query = among(query, "fulfillment_status", f.FulfillmentStatus)
	query = among(query, "waits_for", f.WaitsFor)
	query = among(query, "task", f.Task)
	if f.StartingAfter != "" {
		query = query.Where("id < ?", f.StartingAfter)
	}
	if f.Reference != "" {
		query = query.Where("reference = ?", f.Reference)
	}
	if !f.CreatedFrom.IsZero() {
		query = query.Where("created_at >= ?", f.CreatedFrom.UnixMilli())
	}
	if !f.CreatedTo.IsZero() {
		query = query.Where("created_at < ?", f.CreatedTo.UnixMilli())
	}
	if q := strings.TrimSpace(f.Query); q != "" {
		query = search(query, q)
	}
	return query
}

func among[S ~string](query *gorm.DB, column string, values []S) *gorm.DB {
	if len(values) == 0 {
		return query
	}
	return query.Where(column+" IN ?", values)
}

// search looks for text within references and tracking numbers, and for whole
// ids. Both sides are lowered by the database, because databases differ in what
// they know about case beyond ASCII.
func search(query *gorm.DB, text string) *gorm.DB {
	like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	id := strings.ToLower(text)
	return query.Where(`(id = ? OR lower(reference) LIKE lower(?) ESCAPE '\'
		OR EXISTS (SELECT 1 FROM shipments s WHERE s.order_id = orders.id AND (s.id = ? OR lower(s.tracking_number) LIKE lower(?) ESCAPE '\'))
		OR EXISTS (SELECT 1 FROM order_payments p WHERE p.order_id = orders.id AND p.payment_id = ?))`,
		id, like, id, like, id)
}

// Counts implements orders.Store.
func (s *Store) Counts(ctx context.Context, merchant string) (orders.Counts, error) {
	c := orders.Counts{
		Status: map[orders.Status]int64{}, Payment: map[orders.PaymentStatus]int64{},
		Fulfillment: map[orders.FulfillmentStatus]int64{}, WaitsFor: map[orders.Actor]int64{}, Task: map[orders.Task]int64{},
	}
	var rows []struct {
		Status            orders.Status
		PaymentStatus     orders.PaymentStatus
		FulfillmentStatus orders.FulfillmentStatus
		WaitsFor          orders.Actor
		Task              orders.Task
		N                 int64
	}
	const query = `SELECT status, payment_status, fulfillment_status, waits_for, task, count(*) AS n FROM orders
		WHERE merchant = ? GROUP BY status, payment_status, fulfillment_status, waits_for, task`
	if err := s.db.Read(ctx).Raw(query, merchant).Scan(&rows).Error; err != nil {
		return c, fmt.Errorf("ordersdb: counts: %w", err)
	}
	for _, r := range rows {
		c.Total += r.N
		c.Status[r.Status] += r.N
		c.Payment[r.PaymentStatus] += r.N
		c.Fulfillment[r.FulfillmentStatus] += r.N
		c.WaitsFor[r.WaitsFor] += r.N
		c.Task[r.Task] += r.N
	}
	return c, nil
}
