package webhooksdb

import (
	"encoding/json"
	"fmt"
	"time"

	"tracker/notify/webhooks"
)

type endpointRow struct {
	ID             string `gorm:"primaryKey"`
	Merchant       string
	URL            string
	Events         string
	Status         string
	Secret         string
	PreviousSecret string
	PreviousUntil  int64
	DisabledAt     int64
	DisabledReason string
	FailingSince   int64
	Failures       int
	PausedUntil    int64
	LastSuccess    int64
	CreatedAt      int64 `gorm:"autoCreateTime:false"`
	UpdatedAt      int64 `gorm:"autoUpdateTime:false"`
	RemovedAt      int64
	Version        int64
}

func (endpointRow) TableName() string { return "webhook_endpoints" }

func endpointToRow(r webhooks.Record) (endpointRow, error) {
	events, err := json.Marshal(r.Events)
	if err != nil {
		return endpointRow{}, fmt.Errorf("webhooksdb: encode filters: %w", err)
	}
	return endpointRow{
		ID: r.ID, Merchant: r.Merchant, URL: r.URL, Events: string(events), Status: string(r.Status),
		Secret: r.Keys.Current, PreviousSecret: r.Keys.Previous, PreviousUntil: millis(r.Keys.PreviousUntil),
		DisabledAt: optional(r.DisabledAt), DisabledReason: r.DisabledReason,
		FailingSince: optional(r.FailingSince), Failures: r.Failures, PausedUntil: optional(r.PausedUntil),
		LastSuccess: optional(r.LastSuccess), CreatedAt: millis(r.CreatedAt), UpdatedAt: millis(r.UpdatedAt), Version: r.Version,
	}, nil
}

func rowToEndpoint(row endpointRow) (webhooks.Record, error) {
	r := webhooks.Record{
		Endpoint: webhooks.Endpoint{
			ID: row.ID, Merchant: row.Merchant, URL: row.URL, Status: webhooks.Status(row.Status),
			DisabledAt: pointer(row.DisabledAt), DisabledReason: row.DisabledReason,
			FailingSince: pointer(row.FailingSince), Failures: row.Failures, PausedUntil: pointer(row.PausedUntil),
			LastSuccess: pointer(row.LastSuccess), PreviousUntil: pointer(row.PreviousUntil),
			CreatedAt: instant(row.CreatedAt), UpdatedAt: instant(row.UpdatedAt), Version: row.Version,
		},
		Keys: webhooks.Keys{Current: row.Secret, Previous: row.PreviousSecret, PreviousUntil: instant(row.PreviousUntil)},
	}
	if err := json.Unmarshal([]byte(row.Events), &r.Events); err != nil {
		return r, fmt.Errorf("webhooksdb: filters of %s: %w", row.ID, err)
	}
	return r, nil
}

type deliveryRow struct {
	EndpointID string `gorm:"primaryKey"`
	EventID    string `gorm:"primaryKey"`
	Merchant   string
	EventType  string
	Subject    string
	Seq        int64
	Previous   int64
	Body       []byte
	State      string
	Tries      int
	FirstTry   int64
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
	FinishedAt int64
	Trace      string
}

func (deliveryRow) TableName() string { return "webhook_deliveries" }

func rowToDelivery(row deliveryRow) webhooks.Delivery {
	return webhooks.Delivery{
		Item: webhooks.Item{
			Merchant: row.Merchant, EventID: row.EventID, EventType: row.EventType, Subject: row.Subject,
			Seq: row.Seq, Body: row.Body, At: instant(row.CreatedAt), Trace: row.Trace,
		},
		Endpoint: row.EndpointID, Previous: row.Previous, Tries: row.Tries, FirstTry: instant(row.FirstTry),
	}
}

type attemptRow struct {
	ID         string `gorm:"primaryKey"`
	Merchant   string
	EndpointID string
	EventID    string
	EventType  string
	Subject    string
	Seq        int64
	Try        int
	At         int64
	DurationMs int64
	StatusCode int
	Error      string
	Excerpt    string
	State      string
	NextAt     int64
}

func (attemptRow) TableName() string { return "webhook_attempts" }

func attemptToRow(merchant string, a webhooks.Attempt) attemptRow {
	return attemptRow{
		ID: a.ID, Merchant: merchant, EndpointID: a.Endpoint, EventID: a.EventID, EventType: a.EventType, Subject: a.Subject,
		Seq: a.Seq, Try: a.Try, At: millis(a.At), DurationMs: a.Duration, StatusCode: a.Status, Error: a.Error,
		Excerpt: a.Excerpt, State: string(a.State), NextAt: optional(a.Next),
	}
}

func rowToAttempt(row attemptRow) webhooks.Attempt {
	return webhooks.Attempt{
		ID: row.ID, Endpoint: row.EndpointID, EventID: row.EventID, EventType: row.EventType, Subject: row.Subject, Seq: row.Seq,
		Try: row.Try, At: instant(row.At), Duration: row.DurationMs, Status: row.StatusCode, Error: row.Error,
		Excerpt: row.Excerpt, State: webhooks.State(row.State), Next: pointer(row.NextAt),
	}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func optional(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func pointer(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := instant(ms)
	return &t
}
