package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"tracker/payments/money"
)

// What the API answers, as far as the commands print it. Members that are not
// here are shown by --json.

type orderView struct {
	ID                string           `json:"id"`
	Reference         string           `json:"reference"`
	Status            string           `json:"status"`
	PaymentStatus     string           `json:"payment_status"`
	FulfillmentStatus string           `json:"fulfillment_status"`
	Amount            int64            `json:"amount"`
	Currency          string           `json:"currency"`
	Sequence          int64            `json:"sequence"`
	Items             []itemView       `json:"items"`
	Shipments         []shipmentView   `json:"shipments"`
	Payments          []paymentInOrder `json:"payments"`
	RefundDue         int64            `json:"refund_due"`
	PayBy             time.Time        `json:"pay_by"`
	CancelledBy       string           `json:"cancelled_by"`
	CancelReason      string           `json:"cancel_reason"`
	WaitsFor          string           `json:"waits_for"`
	Task              string           `json:"task"`
	TrackingURL       string           `json:"tracking_url"`
	CreatedAt         time.Time        `json:"created_at"`
	UpdatedAt         time.Time        `json:"updated_at"`
	Timeline          []transitionView `json:"timeline"`
}

type itemView struct {
	SKU        string `json:"sku"`
	Name       string `json:"name"`
	Quantity   int64  `json:"quantity"`
	UnitAmount int64  `json:"unit_amount"`
}

type shipmentView struct {
	ID             string `json:"id"`
	Carrier        string `json:"carrier"`
	TrackingNumber string `json:"tracking_number"`
	Status         string `json:"status"`
}

type paymentInOrder struct {
	ID          string     `json:"id"`
	Status      string     `json:"status"`
	Amount      int64      `json:"amount"`
	NextCheckAt *time.Time `json:"next_check_at"`
}

type paymentView struct {
	ID            string       `json:"id"`
	OrderID       string       `json:"order_id"`
	Status        string       `json:"status"`
	Amount        int64        `json:"amount"`
	Currency      string       `json:"currency"`
	Captured      int64        `json:"captured"`
	Refunded      int64        `json:"refunded"`
	RefundPending int64        `json:"refund_pending"`
	Capture       string       `json:"capture"`
	Provider      string       `json:"provider"`
	Reference     string       `json:"reference"`
	Sequence      int64        `json:"sequence"`
	ExpiresAt     time.Time    `json:"expires_at"`
	NextCheckAt   *time.Time   `json:"next_check_at"`
	LastCheckAt   *time.Time   `json:"last_check_at"`
	Checks        int          `json:"checks"`
	DeclineCode   string       `json:"decline_code"`
	Refunds       []refundView `json:"refunds"`
	Reported      *struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"reported"`
	NextAction *struct {
		URL string `json:"url"`
	} `json:"next_action"`
	CreatedAt time.Time        `json:"created_at"`
	UpdatedAt time.Time        `json:"updated_at"`
	Timeline  []transitionView `json:"timeline"`
}

type refundView struct {
	ID        string    `json:"id"`
	PaymentID string    `json:"payment_id"`
	Amount    int64     `json:"amount"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason"`
	UpdatedAt time.Time `json:"updated_at"`
}

type transitionView struct {
	Seq       int64      `json:"seq"`
	Type      string     `json:"type"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	At        time.Time  `json:"at"`
	Cause     string     `json:"cause"`
	Evidence  string     `json:"evidence"`
	TheirTime *time.Time `json:"their_time"`
	Subject   string     `json:"subject"`
}

// eventView is the envelope that feeds and webhooks carry.
type eventView struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
	Seq     int64     `json:"seq"`
	Data    struct {
		Transition transitionView  `json:"transition"`
		Order      json.RawMessage `json:"order"`
		Payment    json.RawMessage `json:"payment"`
	} `json:"data"`
}

type listView[T any] struct {
	Data    []T  `json:"data"`
	HasMore bool `json:"has_more"`
}

const clockLayout = "15:04:05.000"

// moneyText formats minor units in the way of their currency.
func moneyText(minor int64, currency string) string {
	return money.Amount{Minor: minor, Currency: money.Currency(currency)}.Format() + " " + currency
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// table prints aligned columns.
func table(w io.Writer, head string, rows func(row func(cells ...any))) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, head)
	rows(func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			if text[i] = fmt.Sprint(c); text[i] == "" {
				text[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(text, "\t"))
	})
	t.Flush()
}

// change says what a transition did: "processing → captured".
func (t transitionView) change() string {
	switch {
	case t.From == t.To:
		return t.To
	case t.From == "":
		return "→ " + t.To
	}
	return t.From + " → " + t.To
}

// line is a transition on one line.
func (t transitionView) line() string {
	text := fmt.Sprintf("%s  #%-3d %-28s %s", t.At.UTC().Format(clockLayout), t.Seq, t.Type, t.change())
	if t.Subject != "" {
		text += "  " + t.Subject
	}
	return text + "  (" + because(t) + ")"
}

func because(t transitionView) string {
	if t.Evidence == "" {
		return "by " + t.Cause
	}
	return "by " + t.Cause + ", " + t.Evidence
}

func printTimeline(w io.Writer, list []transitionView) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\nTimeline (UTC), since %s\n", timeText(list[0].At))
	for _, t := range list {
		fmt.Fprintln(w, "  "+t.line())
	}
}
