package orders

import (
	"context"
	"net/url"
	"strings"
	"time"

	"tracker/notify/eventwire"
)

// Ship hands a parcel to its carrier: the wished items, or everything not yet
// shipped. Errors: ErrNotFound, *InvalidError, *ConflictError.
func (s *Service) Ship(ctx context.Context, merchant, orderID string, in NewShipment) (Order, Shipment, error) {
	if err := checkShipment(in); err != nil {
		return Order{}, Shipment{}, err
	}
	parcel := Shipment{
		ID: s.newID(eventwire.PrefixShipment, s.now()), Carrier: in.Carrier, TrackingNumber: in.TrackingNumber,
		TrackingURL: s.link(in.Carrier, in.TrackingNumber), Items: in.Items,
		PlannedFrom: in.EstimatedFrom, PlannedTo: in.EstimatedTo,
	}
	o, err := s.change(ctx, merchant, orderID, in.IfSequence, func(o Order) (Change, error) {
		return ship(o, parcel, in.By, in.Evidence, s.now())
	})
	if err != nil {
		return Order{}, Shipment{}, err
	}
	parcel, _ = o.Shipment(parcel.ID)
	return o, parcel, nil
}

// CarrierEvent takes a carrier's report about a shipment. Reports may repeat,
// skip and come late; what does not move the headline is kept all the same.
// Errors: ErrNotFound, *InvalidError, *ConflictError.
func (s *Service) CarrierEvent(ctx context.Context, merchant, shipmentID string, in CarrierEvent) (Order, Shipment, error) {
	if err := checkCarrierEvent(in, s.now()); err != nil {
		return Order{}, Shipment{}, err
	}
	if !eventwire.ValidID(eventwire.PrefixShipment, shipmentID) {
		return Order{}, Shipment{}, ErrNotFound
	}
	orderID, err := s.store.OrderOf(ctx, merchant, shipmentID)
	if err != nil {
		return Order{}, Shipment{}, err
	}
	o, err := s.change(ctx, merchant, orderID, in.IfSequence, func(o Order) (Change, error) {
		return report(o, shipmentID, s.scan(in), !in.OccurredAt.IsZero(), in.By, in.Evidence, s.now())
	})
	if err != nil {
		return Order{}, Shipment{}, err
	}
	parcel, _ := o.Shipment(shipmentID)
	return o, parcel, nil
}

func (s *Service) scan(in CarrierEvent) Scan {
	at := s.now()
	scan := Scan{
		ID: s.newID(eventwire.PrefixEvent, at), Status: in.Status, OccurredAt: at, Location: in.Location,
		Raw: in.Description, EstimatedFrom: in.EstimatedFrom, EstimatedTo: in.EstimatedTo,
	}
	if !in.OccurredAt.IsZero() {
		scan.OccurredAt = in.OccurredAt.UTC().Truncate(time.Millisecond)
	}
	return scan
}

// link is the carrier's own page about the parcel, or "" where none is known.
func (s *Service) link(carrier, number string) string {
	pattern := s.links[strings.ToLower(strings.TrimSpace(carrier))]
	if number == "" || !strings.HasPrefix(pattern, "https://") {
		return ""
	}
	return strings.ReplaceAll(pattern, "{number}", url.QueryEscape(number))
}

// carrierLinks are the public tracking pages of carriers that have one.
func carrierLinks() map[string]string {
	return map[string]string{
		"dhl":    "https://www.dhl.com/global-en/home/tracking.html?tracking-id={number}",
		"dpd":    "https://tracking.dpd.de/status/en_US/parcel/{number}",
		"fedex":  "https://www.fedex.com/fedextrack/?trknbr={number}",
		"gls":    "https://gls-group.com/track/{number}",
		"hermes": "https://www.myhermes.de/empfangen/sendungsverfolgung/sendungsinformation#{number}",
		"ups":    "https://www.ups.com/track?tracknum={number}",
		"usps":   "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}",
	}
}
