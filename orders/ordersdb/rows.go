package ordersdb

import (
	"encoding/json"
	"fmt"
	"time"

	"tracker/notify/eventwire"
	"tracker/orders"
)

type orderRow struct {
	ID                string
	Merchant          string
	Reference         string
	Status            string
	PaymentStatus     string
	FulfillmentStatus string
	WaitsFor          string
	Task              string
	Amount            int64
	Currency          string
	Sequence          int64
	TokenEpoch        int64
	RequiresShipping  bool
	OnHold            bool
	Shop              string
	Metadata          string
	PayBy             int64
	CancelledBy       string
	CancelReason      string
	CreatedAt         int64 `gorm:"autoCreateTime:false"`
	UpdatedAt         int64 `gorm:"autoUpdateTime:false"`
}

func (orderRow) TableName() string { return "orders" }

func toOrderRow(o orders.Order) (orderRow, error) {
	shop, err := json.Marshal(o.Shop)
	if err != nil {
		return orderRow{}, fmt.Errorf("ordersdb: encode shop: %w", err)
	}
	metadata, err := json.Marshal(o.Metadata)
	if err != nil {
		return orderRow{}, fmt.Errorf("ordersdb: encode metadata: %w", err)
	}
	waits := o.Waits()
	return orderRow{
		ID: o.ID, Merchant: o.Merchant, Reference: o.Reference, Status: string(o.Status),
		PaymentStatus: string(o.PaymentStatus), FulfillmentStatus: string(o.FulfillmentStatus),
		WaitsFor: string(waits.For), Task: string(waits.Task),
		Amount: o.Amount, Currency: o.Currency, Sequence: o.Sequence, TokenEpoch: o.TokenEpoch,
		RequiresShipping: o.RequiresShipping, OnHold: o.OnHold, Shop: string(shop), Metadata: string(metadata),
		PayBy: o.PayBy.UnixMilli(), CancelledBy: string(o.CancelledBy), CancelReason: o.CancelReason,
		CreatedAt: o.CreatedAt.UnixMilli(), UpdatedAt: o.UpdatedAt.UnixMilli(),
	}, nil
}

func (r orderRow) order() (orders.Order, error) {
	o := orders.Order{
		ID: r.ID, Merchant: r.Merchant, Reference: r.Reference, Status: orders.Status(r.Status),
		PaymentStatus:     orders.PaymentStatus(r.PaymentStatus),
		FulfillmentStatus: orders.FulfillmentStatus(r.FulfillmentStatus),
		Amount:            r.Amount, Currency: r.Currency, Sequence: r.Sequence, TokenEpoch: r.TokenEpoch,
		RequiresShipping: r.RequiresShipping, OnHold: r.OnHold, PayBy: millis(r.PayBy),
		CancelledBy: orders.Cause(r.CancelledBy), CancelReason: r.CancelReason,
		CreatedAt: millis(r.CreatedAt), UpdatedAt: millis(r.UpdatedAt),
	}
	if err := json.Unmarshal([]byte(r.Shop), &o.Shop); err != nil {
		return o, fmt.Errorf("ordersdb: decode shop of %s: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(r.Metadata), &o.Metadata); err != nil {
		return o, fmt.Errorf("ordersdb: decode metadata of %s: %w", r.ID, err)
	}
	return o, nil
}

type itemRow struct {
	OrderID    string
	Line       int
	SKU        string `gorm:"column:sku"`
	Name       string
	Quantity   int64
	UnitAmount int64
}

func (itemRow) TableName() string { return "order_items" }

func (r itemRow) item() orders.Item {
	return orders.Item{SKU: r.SKU, Name: r.Name, Quantity: r.Quantity, UnitAmount: r.UnitAmount}
}

type transitionRow struct {
	OrderID   string
	Seq       int64
	Type      string
	FromState string
	ToState   string
	At        int64
	Cause     string
	Evidence  string
	TheirTime *int64 // a pointer because the column is NULL where nobody else had a clock
	Subject   string
}

func (transitionRow) TableName() string { return "order_transitions" }

func (r transitionRow) transition() eventwire.Transition {
	return eventwire.Transition{Seq: r.Seq, Type: r.Type, From: r.FromState, To: r.ToState, At: millis(r.At),
		Cause: r.Cause, Evidence: r.Evidence, TheirTime: toTime(r.TheirTime), Subject: r.Subject}
}

type paymentRow struct {
	OrderID       string `gorm:"primaryKey"`
	PaymentID     string `gorm:"primaryKey"`
	Status        string
	Amount        int64
	Currency      string
	Captured      int64
	Refunded      int64
	RefundPending int64
	NextCheckAt   *int64 // a pointer because the column is NULL when no check is planned
	UpdatedAt     int64  `gorm:"autoUpdateTime:false"`
	Sequence      int64
	Counts        bool
	Accepted      bool
	Reversed      bool
}

func (paymentRow) TableName() string { return "order_payments" }

func toPaymentRow(orderID string, p orders.Payment) paymentRow {
	return paymentRow{OrderID: orderID, PaymentID: p.ID, Status: p.Status, Amount: p.Amount, Currency: p.Currency,
		Captured: p.Captured, Refunded: p.Refunded, RefundPending: p.RefundPending, NextCheckAt: fromTime(p.NextCheckAt),
		UpdatedAt: p.UpdatedAt.UnixMilli(), Sequence: p.Sequence, Counts: p.Counts, Accepted: p.Accepted, Reversed: p.Reversed}
}

func (r paymentRow) payment() orders.Payment {
	return orders.Payment{ID: r.PaymentID, Status: r.Status, Amount: r.Amount, Currency: r.Currency,
		Captured: r.Captured, Refunded: r.Refunded, RefundPending: r.RefundPending, NextCheckAt: toTime(r.NextCheckAt),
		UpdatedAt: millis(r.UpdatedAt), Sequence: r.Sequence, Counts: r.Counts, Accepted: r.Accepted, Reversed: r.Reversed}
}

func millis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func toTime(ms *int64) *time.Time {
	if ms == nil {
		return nil
	}
	t := millis(*ms)
	return &t
}

func fromTime(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}
