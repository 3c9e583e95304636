package paymentsdb

import (
	"time"

	"tracker/payments"
	"tracker/payments/money"
)

type orderRow struct {
	OrderID  string `gorm:"primaryKey"`
	Merchant string
	Version  int64
	Winner   string
	Round    int
	Closed   string
}

func (orderRow) TableName() string { return "payment_orders" }

// paymentRow is a payment without the columns that the database computes or the
// queue owns: the sums of the refunds, and the lease.
type paymentRow struct {
	ID               string `gorm:"primaryKey"`
	Merchant         string
	OrderID          string
	Provider         string
	Reference        string
	Payee            string
	StartKey         string
	Title            string
	Capture          string
	ReturnURL        string
	Redirect         string
	Status           string
	Sequence         int64
	Revision         int64
	Currency         string
	Amount           int64
	Approved         int64
	Captured         int64
	ReportedAmount   *int64 // nil: nothing was reported that differs
	ReportedCurrency string
	ReportedPayee    string
	ReportedState    string
	DeclineCode      string
	Round            int
	CreatedAt        int64  `gorm:"autoCreateTime:false"`
	UpdatedAt        int64  `gorm:"autoUpdateTime:false"`
	TheirTime        *int64 // nil: zero time, here and below
	ExpiresAt        int64
	NextCheckAt      *int64
	LastCheckAt      *int64
	Checks           int
	Tries            int
	Misses           int
	Nudged           int
	Closed           int
}

func (paymentRow) TableName() string { return "payments" }

func rowOf(p *payments.Payment, revision int64) paymentRow {
	row := paymentRow{
		ID: p.ID, Merchant: p.Merchant, OrderID: p.OrderID, Provider: p.Provider, Reference: p.Reference,
		Payee: p.Payee, StartKey: p.Key, Title: p.Title, Capture: string(p.Capture), ReturnURL: p.ReturnURL,
		Redirect: p.Redirect, Status: string(p.Status), Sequence: p.Sequence, Revision: revision,
		Currency: string(p.Amount.Currency), Amount: p.Amount.Minor, Approved: p.Approved, Captured: p.Captured,
		DeclineCode: p.DeclineCode, Round: p.Round, CreatedAt: p.CreatedAt.UnixMilli(),
		UpdatedAt: p.UpdatedAt.UnixMilli(), TheirTime: millis(p.TheirTime), ExpiresAt: p.ExpiresAt.UnixMilli(),
		NextCheckAt: millis(p.NextCheckAt), LastCheckAt: millis(p.LastCheckAt), Checks: p.Checks, Tries: p.Tries,
		Misses: p.Misses, Nudged: flag(p.Nudged), Closed: flag(p.Closed()),
	}
	if r := p.Reported; r != nil {
		row.ReportedAmount, row.ReportedCurrency = &r.Amount, string(r.Currency)
		row.ReportedPayee, row.ReportedState = r.Payee, string(r.State)
	}
	return row
}

func (row paymentRow) payment() *payments.Payment {
	p := &payments.Payment{
		ID: row.ID, Merchant: row.Merchant, OrderID: row.OrderID, Provider: row.Provider, Reference: row.Reference,
		Payee: row.Payee, Key: row.StartKey, Title: row.Title, Capture: payments.CaptureMode(row.Capture),
		ReturnURL: row.ReturnURL, Redirect: row.Redirect, Status: payments.Status(row.Status), Sequence: row.Sequence,
		Amount:   money.Amount{Minor: row.Amount, Currency: money.Currency(row.Currency)},
		Approved: row.Approved, Captured: row.Captured, DeclineCode: row.DeclineCode, Round: row.Round,
		CreatedAt: instant(&row.CreatedAt), UpdatedAt: instant(&row.UpdatedAt), TheirTime: instant(row.TheirTime),
		ExpiresAt: instant(&row.ExpiresAt), NextCheckAt: instant(row.NextCheckAt), LastCheckAt: instant(row.LastCheckAt),
		Checks: row.Checks, Tries: row.Tries, Misses: row.Misses, Nudged: row.Nudged == 1,
	}
	if row.ReportedAmount != nil {
		p.Reported = &payments.Reported{
			Amount: *row.ReportedAmount, Currency: money.Currency(row.ReportedCurrency),
			Payee: row.ReportedPayee, State: payments.ReportState(row.ReportedState),
		}
	}
	return p
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixMilli()
	return &n
}

func instant(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return time.UnixMilli(*n).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
