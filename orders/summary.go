package orders

import (
	"time"

	"tracker/notify/eventwire"
)

// Summary is the JSON of an order: data.order of its events, and the body of
// the REST answers, which add to it what no event may carry.
type Summary struct {
	ID                string            `json:"id"`
	Reference         string            `json:"reference"`
	Status            Status            `json:"status"`
	PaymentStatus     PaymentStatus     `json:"payment_status"`
	FulfillmentStatus FulfillmentStatus `json:"fulfillment_status"`
	Amount            int64             `json:"amount"`
	Currency          string            `json:"currency"`
	Sequence          int64             `json:"sequence"`
	Items             []Item            `json:"items"`
	Shipments         []ShipmentSummary `json:"shipments"`
	Payments          []Payment         `json:"payments"`
	RefundDue         int64             `json:"refund_due,omitempty"`
	Shop              Shop              `json:"shop"`
	PayBy             time.Time         `json:"pay_by"`
	CancelledBy       Cause             `json:"cancelled_by,omitempty"`
	CancelReason      string            `json:"cancel_reason,omitempty"`
	CreatedAt         time.Time         `json:"created_at"`
	UpdatedAt         time.Time         `json:"updated_at"`
}

// ShipmentSummary is a parcel as everybody may see it, or with what only its
// merchant may: see [Shipment.Described].
type ShipmentSummary struct {
	ID             string         `json:"id"`
	Carrier        string         `json:"carrier"`
	TrackingNumber string         `json:"tracking_number"`
	TrackingURL    string         `json:"tracking_url,omitempty"`
	Status         ShipmentStatus `json:"status"`
	Items          []ShipmentItem `json:"items"`
	EstimatedFrom  string         `json:"estimated_from,omitempty"`
	EstimatedTo    string         `json:"estimated_to,omitempty"`
	Events         []ScanSummary  `json:"events"`
	CreatedAt      time.Time      `json:"created_at"`
	UpdatedAt      time.Time      `json:"updated_at"`
}

// ScanSummary is one report of the carrier.
type ScanSummary struct {
	Status     ShipmentStatus `json:"status"`
	OccurredAt time.Time      `json:"occurred_at"`
	RecordedAt time.Time      `json:"recorded_at"`
	Location   string         `json:"location,omitempty"`
	// Description is the carrier's own words, which may name people: empty but
	// for the merchant, never in an event.
	Description string `json:"description,omitempty"`
}

// Summary is the order as everybody who may watch it sees it.
func (o Order) Summary() Summary {
	s := Summary{
		ID: o.ID, Reference: o.Reference,
		Status: o.Status, PaymentStatus: o.PaymentStatus, FulfillmentStatus: o.FulfillmentStatus,
		Amount: o.Amount, Currency: o.Currency, Sequence: o.Sequence,
		Items:     append([]Item{}, o.Items...),
		Shipments: make([]ShipmentSummary, len(o.Shipments)),
		Payments:  append([]Payment{}, o.Payments...),
		RefundDue: o.RefundDue(), Shop: o.Shop, PayBy: o.PayBy,
		CancelledBy: o.CancelledBy, CancelReason: o.CancelReason,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt,
	}
	for i, shipment := range o.Shipments {
		s.Shipments[i] = shipment.Summary()
	}
	return s
}

// Summary is the shipment as everybody who may watch its order sees it.
func (s Shipment) Summary() ShipmentSummary {
	out := ShipmentSummary{
		ID: s.ID, Carrier: s.Carrier, TrackingNumber: s.TrackingNumber, TrackingURL: s.TrackingURL,
		Status: s.Status, Items: append([]ShipmentItem{}, s.Items...),
		EstimatedFrom: s.EstimatedFrom, EstimatedTo: s.EstimatedTo,
		Events:    make([]ScanSummary, len(s.Scans)),
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	for i, scan := range s.Scans {
		out.Events[i] = ScanSummary{Status: scan.Status, OccurredAt: scan.OccurredAt,
			RecordedAt: scan.RecordedAt, Location: scan.Location}
	}
	return out
}

// Described is the shipment as its merchant sees it: with the carrier's own
// words at each report. It must not get into an event.
func (s Shipment) Described() ShipmentSummary {
	out := s.Summary()
	for i, scan := range s.Scans {
		out.Events[i].Description = scan.Raw
	}
	return out
}

// Event is the message of the order's newest transition. It needs the whole
// timeline.
func (o Order) Event() (eventwire.Event, error) {
	return eventwire.New(o.Key(), o.ID, o.TokenEpoch, o.Closed(), o.Timeline, o.Summary())
}
