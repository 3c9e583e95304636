package orders

import (
	"cmp"
	"slices"
	"time"
)

// Shipment is one parcel of an order.
type Shipment struct {
	ID             string
	OrderID        string
	Carrier        string
	TrackingNumber string
	TrackingURL    string // the carrier's page about it, https only, or ""
	Status         ShipmentStatus
	Items          []ShipmentItem
	// PlannedFrom and PlannedTo are the dates that the merchant gave when it
	// shipped; EstimatedFrom and EstimatedTo are the newest word, the carrier's
	// if there is one. Dates are "2006-01-02" or "".
	PlannedFrom, PlannedTo     string
	EstimatedFrom, EstimatedTo string
	Scans                      []Scan // by OccurredAt
	CreatedAt, UpdatedAt       time.Time
}

// ShipmentItem is how many pieces of an item are in a parcel.
type ShipmentItem struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Scan is one report of the carrier as it was kept.
type Scan struct {
	ID            string
	Status        ShipmentStatus
	OccurredAt    time.Time // the carrier's time, in UTC
	RecordedAt    time.Time // ours
	Location      string    // town level
	Raw           string    // the carrier's own words; for the merchant, never in an event
	EstimatedFrom string
	EstimatedTo   string
}

// with is the shipment with one more scan, and whether that changed anything: a
// report of the same status at the same moment is a repeat.
func (s Shipment) with(scan Scan, now time.Time) (Shipment, bool) {
	for _, known := range s.Scans {
		if known.Status == scan.Status && known.OccurredAt.Equal(scan.OccurredAt) {
			return s, false
		}
	}
	s.Scans = append(slices.Clone(s.Scans), scan)
	slices.SortStableFunc(s.Scans, CompareScans)
	s.Status = headline(s.firstStatus(), s.Scans)
	s.EstimatedFrom, s.EstimatedTo = estimate(s)
	s.UpdatedAt = now
	return s, true
}

// CompareScans orders by the carrier's clock. Two reports of one moment stand
// in the order of the state table, so that the order of arrival never matters.
func CompareScans(a, b Scan) int {
	return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(tablePlace(a.Status), tablePlace(b.Status)))
}

func tablePlace(status ShipmentStatus) int {
	return slices.IndexFunc(shipmentTable, func(r rule[ShipmentStatus]) bool { return r.state == status })
}

// firstStatus is where a shipment stands before the carrier says anything.
func (s Shipment) firstStatus() ShipmentStatus {
	if s.TrackingNumber == "" {
		return ShipmentPending
	}
	return ShipmentLabelCreated
}

// headline is the status that all scans together amount to. It is a pure
// function of the set of scans: whatever order they came in, it is the same.
// What does not move it is kept all the same.
func headline(first ShipmentStatus, scans []Scan) ShipmentStatus {
	way := journey{at: first, farthest: first.progress()}
	for _, scan := range scans {
		way.take(scan.Status)
	}
	return way.at
}

// journey is how far a parcel has come, scan by scan.
type journey struct {
	at        ShipmentStatus
	farthest  int  // the farthest point reached on the ordinary way
	corrected bool // a delivery was taken back, once: only an end can follow
}

func (j *journey) take(to ShipmentStatus) {
	back := to.progress() > 0 && to.progress() < j.farthest
	correction := j.at == ShipmentDelivered && to == ShipmentException
	switch {
	case !j.at.Allows(to), back:
		return
	case j.corrected && !to.Ended():
		return
	}
	j.at, j.farthest, j.corrected = to, max(j.farthest, to.progress()), j.corrected || correction
}

// estimate is the newest word about the delivery date.
func estimate(s Shipment) (from, to string) {
	from, to = s.PlannedFrom, s.PlannedTo
	for _, scan := range s.Scans {
		if scan.EstimatedFrom != "" || scan.EstimatedTo != "" {
			from, to = scan.EstimatedFrom, scan.EstimatedTo
		}
	}
	return from, to
}
