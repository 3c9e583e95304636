package payments

import (
	"time"

	"tracker/notify/eventwire"
	"tracker/payments/money"
)

// Summary is a payment as events carry it (data.payment) and as the REST API
// shows it. Nothing personal is in it.
type Summary struct {
	ID            string          `json:"id"`
	OrderID       string          `json:"order_id"`
	Status        Status          `json:"status"`
	Amount        int64           `json:"amount"`
	Currency      money.Currency  `json:"currency"`
	Captured      int64           `json:"captured"`
	Refunded      int64           `json:"refunded"`
	RefundPending int64           `json:"refund_pending"`
	Capture       CaptureMode     `json:"capture"`
	Provider      string          `json:"provider"`
	Reference     string          `json:"reference"`
	Sequence      int64           `json:"sequence"`
	ExpiresAt     time.Time       `json:"expires_at"`
	NextCheckAt   *time.Time      `json:"next_check_at,omitempty"`
	LastCheckAt   *time.Time      `json:"last_check_at,omitempty"`
	Checks        int             `json:"checks"`
	NextAction    *NextAction     `json:"next_action,omitempty"`
	Pending       Op              `json:"pending_operation,omitempty"` // asked of the provider, not answered
	Refunds       []RefundSummary `json:"refunds"`
	Reported      *Reported       `json:"reported,omitempty"`
	DeclineCode   string          `json:"decline_code,omitempty"`
	CreatedAt     time.Time       `json:"created_at"`
	UpdatedAt     time.Time       `json:"updated_at"`
}

// NextAction is what the shopper has to do.
type NextAction struct {
	Type string `json:"type"` // "redirect"
	URL  string `json:"url"`
}

// RefundSummary is one refund as events and the REST API show it.
type RefundSummary struct {
	ID        string       `json:"id"`
	PaymentID string       `json:"payment_id"`
	Amount    int64        `json:"amount"`
	Status    RefundStatus `json:"status"`
	Reason    string       `json:"reason,omitempty"`
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
}

// Summary is the payment's public form.
func (p *Payment) Summary() Summary {
	s := Summary{
		ID: p.ID, OrderID: p.OrderID, Status: p.Status, Amount: p.Amount.Minor, Currency: p.Amount.Currency,
		Captured: p.Captured, Refunded: p.Refunded, RefundPending: p.RefundPending, Capture: p.Capture,
		Provider: p.Provider, Reference: p.Reference, Sequence: p.Sequence, ExpiresAt: p.ExpiresAt,
		NextCheckAt: timeOrNil(p.NextCheckAt), LastCheckAt: timeOrNil(p.LastCheckAt), Checks: p.Checks,
		Refunds: make([]RefundSummary, len(p.Refunds)), Reported: p.Reported, DeclineCode: p.DeclineCode,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if p.Status == StatusRequiresAction && p.Redirect != "" {
		s.NextAction = &NextAction{Type: "redirect", URL: p.Redirect}
	}
	if in := p.OpenIntent(); in != nil {
		s.Pending = in.Op
	}
	for i := range p.Refunds {
		s.Refunds[i] = p.Refunds[i].Summary()
	}
	return s
}

// Summary is the refund's public form.
func (r *Refund) Summary() RefundSummary {
	return RefundSummary{
		ID: r.ID, PaymentID: r.PaymentID, Amount: r.Amount, Status: r.Status, Reason: r.Reason,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

// Newest is the event of the payment's last transition: what the stream holds
// as the last message of its subject.
func (p *Payment) Newest() (eventwire.Event, error) {
	return eventwire.New(p.Feed(), p.OrderID, 0, p.Closed(), p.Timeline, p.Summary())
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
