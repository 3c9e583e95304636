package paymentsdb

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tracker/payments"
)

// locked is a ledger as it was loaded, so that what changed can be found.
type locked struct {
	order    orderRow
	ledger   *payments.Ledger
	payments map[string]paymentRow
	refunds  map[string]refundRow
	intents  map[[2]string]intentRow
}

// lock loads a ledger and keeps others from it until the transaction ends.
func lock(tx *gorm.DB, merchant, order string) (*locked, error) {
	row, err := lockOrder(tx, merchant, order)
	if err != nil {
		return nil, err
	}
	if row.Merchant != merchant {
		return nil, payments.ErrNotFound
	}
	l := &locked{
		order: row, payments: map[string]paymentRow{}, refunds: map[string]refundRow{}, intents: map[[2]string]intentRow{},
		ledger: &payments.Ledger{
			Merchant: merchant, Order: order, Version: row.Version,
			Winner: row.Winner, Round: row.Round, Closed: payments.Closing(row.Closed),
		},
	}
	var rows []paymentRow
	if err := tx.Where("order_id = ?", order).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("paymentsdb: load ledger: %w", err)
	}
	list, err := complete(tx, rows)
	if err != nil {
		return nil, err
	}
	for i, p := range list {
		l.remember(p, rows[i])
	}
	l.ledger.Payments = list
	l.ledger.Parked, err = parked(tx, list)
	return l, err
}

func lockOrder(tx *gorm.DB, merchant, order string) (orderRow, error) {
	find := func() ([]orderRow, error) {
		var rows []orderRow
		err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("order_id = ?", order).Find(&rows).Error
		return rows, err
	}
	rows, err := find()
	if err == nil && len(rows) == 0 {
		fresh := orderRow{OrderID: order, Merchant: merchant}
		if err = tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&fresh).Error; err == nil {
			rows, err = find()
		}
	}
	if err != nil || len(rows) == 0 {
		return orderRow{}, fmt.Errorf("paymentsdb: lock order %s: %w", order, orStale(err))
	}
	return rows[0], nil
}

func orStale(err error) error {
	if err == nil {
		return ErrStale
	}
	return err
}

func (l *locked) remember(p *payments.Payment, row paymentRow) {
	l.payments[p.ID] = row
	for i, r := range p.Refunds {
		l.refunds[r.ID] = refundRowOf(r, i)
	}
	for i, in := range p.Intents {
		l.intents[[2]string{p.ID, in.Key}] = intentRowOf(p.ID, in, i)
	}
}

// complete loads what belongs to the payments: intents, refunds, timelines.
func complete(tx *gorm.DB, rows []paymentRow) ([]*payments.Payment, error) {
	list := make([]*payments.Payment, len(rows))
	byID := map[string]*payments.Payment{}
	ids := make([]string, len(rows))
	for i, row := range rows {
		list[i] = row.payment()
		byID[row.ID], ids[i] = list[i], row.ID
	}
	if len(rows) == 0 {
		return list, nil
	}
	if err := withRefunds(tx, byID, ids); err != nil {
		return nil, err
	}
	var intents []intentRow
	if err := tx.Where("payment_id IN ?", ids).Order("payment_id, position").Find(&intents).Error; err != nil {
		return nil, fmt.Errorf("paymentsdb: load intents: %w", err)
	}
	for _, row := range intents {
		p := byID[row.PaymentID]
		p.Intents = append(p.Intents, row.intent())
	}
	var steps []transitionRow
	if err := tx.Where("payment_id IN ?", ids).Order("payment_id, seq").Find(&steps).Error; err != nil {
		return nil, fmt.Errorf("paymentsdb: load timelines: %w", err)
	}
	for _, row := range steps {
		p := byID[row.PaymentID]
		p.Timeline = append(p.Timeline, row.transition())
	}
	return list, nil
}

// withRefunds loads the refunds, and the sums from them.
func withRefunds(tx *gorm.DB, byID map[string]*payments.Payment, ids []string) error {
	var refunds []refundRow
	if err := tx.Where("payment_id IN ?", ids).Order("payment_id, position").Find(&refunds).Error; err != nil {
		return fmt.Errorf("paymentsdb: load refunds: %w", err)
	}
	for _, row := range refunds {
		p, r := byID[row.PaymentID], row.refund()
		p.Refunds = append(p.Refunds, r)
		switch {
		case r.Status == payments.RefundSucceeded:
			p.Refunded += r.Amount
		case r.Status.Outstanding():
			p.RefundPending += r.Amount
		}
	}
	return nil
}

func parked(tx *gorm.DB, list []*payments.Payment) ([]*payments.Inbound, error) {
	if len(list) == 0 {
		return nil, nil
	}
	ids, references := make([]string, len(list)), make([]string, 0, len(list))
	for i, p := range list {
		ids[i] = p.ID
		if p.Reference != "" {
			references = append(references, p.Reference)
		}
	}
	var rows []callbackRow
	err := tx.Where("state = 'parked' AND (payment_id IN ? OR (payment_id = '' AND reference IN ?))", ids, references).
		Order("received_at, event_id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("paymentsdb: load parked callbacks: %w", err)
	}
	waiting := make([]*payments.Inbound, len(rows))
	for i, row := range rows {
		if waiting[i], err = row.inbound(); err != nil {
			return nil, fmt.Errorf("paymentsdb: read parked callback %s: %w", row.EventID, err)
		}
	}
	return waiting, nil
}
