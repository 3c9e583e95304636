package paymentsdb

import (
	"encoding/json"

	"tracker/notify/eventwire"
	"tracker/payments"
	"tracker/payments/money"
)

type refundRow struct {
	ID        string `gorm:"primaryKey"`
	PaymentID string
	Position  int
	CauseKey  string
	Amount    int64
	Currency  string
	Status    string
	Reason    string
	Reference string
	Code      string
	Cause     string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	UpdatedAt int64 `gorm:"autoUpdateTime:false"`
}

func (refundRow) TableName() string { return "payment_refunds" }

func refundRowOf(r payments.Refund, position int) refundRow {
	return refundRow{
		ID: r.ID, PaymentID: r.PaymentID, Position: position, CauseKey: r.Key, Amount: r.Amount,
		Currency: string(r.Currency), Status: string(r.Status), Reason: r.Reason, Reference: r.Reference, Code: r.Code,
		Cause: string(r.Cause), CreatedAt: r.CreatedAt.UnixMilli(), UpdatedAt: r.UpdatedAt.UnixMilli(),
	}
}

func (row refundRow) refund() payments.Refund {
	return payments.Refund{
		ID: row.ID, PaymentID: row.PaymentID, Key: row.CauseKey, Amount: row.Amount,
		Currency: money.Currency(row.Currency), Status: payments.RefundStatus(row.Status), Reason: row.Reason,
		Reference: row.Reference, Code: row.Code, Cause: payments.Cause(row.Cause),
		CreatedAt: instant(&row.CreatedAt), UpdatedAt: instant(&row.UpdatedAt),
	}
}

type intentRow struct {
	PaymentID string `gorm:"primaryKey"`
	IntentKey string `gorm:"primaryKey"`
	Position  int
	Op        string
	Amount    int64
	Target    int64
	Cause     string
	State     string
	Code      string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

func (intentRow) TableName() string { return "payment_intents" }

func intentRowOf(payment string, in payments.Intent, position int) intentRow {
	return intentRow{
		PaymentID: payment, IntentKey: in.Key, Position: position, Op: string(in.Op), Amount: in.Amount,
		Target: in.Target, Cause: string(in.Cause), State: string(in.State), Code: in.Code, CreatedAt: in.CreatedAt.UnixMilli(),
	}
}

func (row intentRow) intent() payments.Intent {
	return payments.Intent{
		Key: row.IntentKey, Op: payments.Op(row.Op), Amount: row.Amount, Target: row.Target,
		Cause: payments.Cause(row.Cause), State: payments.IntentState(row.State), Code: row.Code, CreatedAt: instant(&row.CreatedAt),
	}
}

type transitionRow struct {
	PaymentID  string `gorm:"primaryKey"`
	Seq        int64  `gorm:"primaryKey;autoIncrement:false"`
	Type       string
	FromStatus string
	ToStatus   string
	At         int64
	Cause      string
	Evidence   string
	TheirTime  *int64
	Subject    string
}

func (transitionRow) TableName() string { return "payment_transitions" }

func transitionRowOf(payment string, t eventwire.Transition) transitionRow {
	row := transitionRow{
		PaymentID: payment, Seq: t.Seq, Type: t.Type, FromStatus: t.From, ToStatus: t.To,
		At: t.At.UnixMilli(), Cause: t.Cause, Evidence: t.Evidence, Subject: t.Subject,
	}
	if t.TheirTime != nil {
		row.TheirTime = millis(*t.TheirTime)
	}
	return row
}

func (row transitionRow) transition() eventwire.Transition {
	t := eventwire.Transition{
		Seq: row.Seq, Type: row.Type, From: row.FromStatus, To: row.ToStatus, At: instant(&row.At),
		Cause: row.Cause, Evidence: row.Evidence, Subject: row.Subject,
	}
	if row.TheirTime != nil {
		theirs := instant(row.TheirTime)
		t.TheirTime = &theirs
	}
	return t
}

type callbackRow struct {
	Provider   string `gorm:"primaryKey"`
	EventID    string `gorm:"primaryKey"`
	Type       string
	PaymentID  string
	Reference  string
	Report     string // JSON; "" where there is none
	State      string
	ReceivedAt int64
	AppliedAt  *int64
}

func (callbackRow) TableName() string { return "payment_callbacks" }

func callbackRowOf(in payments.Inbound) (callbackRow, error) {
	row := callbackRow{
		Provider: in.Provider, EventID: in.EventID, Type: in.Type, PaymentID: in.Payment, Reference: in.Reference,
		State: string(in.State), ReceivedAt: in.ReceivedAt.UnixMilli(), AppliedAt: millis(in.AppliedAt),
	}
	if in.Report == nil {
		return row, nil
	}
	text, err := json.Marshal(in.Report)
	row.Report = string(text)
	return row, err
}

func (row callbackRow) inbound() (*payments.Inbound, error) {
	in := &payments.Inbound{
		Provider: row.Provider, EventID: row.EventID, Type: row.Type, Payment: row.PaymentID, Reference: row.Reference,
		State: payments.InboxState(row.State), ReceivedAt: instant(&row.ReceivedAt), AppliedAt: instant(row.AppliedAt),
	}
	if row.Report == "" {
		return in, nil
	}
	in.Report = &payments.Report{}
	return in, json.Unmarshal([]byte(row.Report), in.Report)
}
