package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"tracker/orders"
	"tracker/payments/sandboxbank"
)

// basket is a paid order over two mugs and a plate.
func (s *scene) basket() orderSeen {
	o := s.orderOf(map[string]any{"currency": "EUR", "items": []map[string]any{
		{"sku": "mug", "name": "Mug", "quantity": 2, "unit_amount": 1500}, {"sku": "plate", "name": "Plate", "quantity": 1, "unit_amount": 1198}}})
	s.decide(s.pay(o.ID), sandboxbank.Approve)
	return s.awaitOrder(o.ID, "it is confirmed", isStatus(orders.StatusConfirmed))
}

// ship hands items to the carrier; none means all that is left.
func (s *scene) ship(order string, items ...orders.ShipmentItem) orders.ShipmentSummary {
	body := map[string]any{"carrier": "DHL", "tracking_number": s.name("0034")}
	if len(items) > 0 {
		body["items"] = items
	}
	var parcel orders.ShipmentSummary
	s.post(http.StatusCreated, "/v1/orders/"+order+"/shipments", body, &parcel)
	return parcel
}

// carrier reports about a parcel and returns its headline.
func (s *scene) carrier(parcel string, status orders.ShipmentStatus, at string) orders.ShipmentSummary {
	var seen orders.ShipmentSummary
	s.post(http.StatusCreated, "/v1/shipments/"+parcel+"/events", map[string]any{"status": status, "occurred_at": at, "description": "as the carrier says"}, &seen)
	return seen
}

// clock writes a time so many minutes ago, as somebody in that zone would.
func (s *scene) ago(minutes int, zone *time.Location) string {
	return s.now().Add(-time.Duration(minutes) * time.Minute).In(zone).Format(time.RFC3339)
}

func playCarrierEvents(s *scene) {
	o := s.basket()
	parcel := s.ship(o.ID)
	tokyo, lima := time.FixedZone("", 9*60*60), time.FixedZone("", -5*60*60)
	s.pass(2 * time.Hour)
	reports := []struct {
		status   orders.ShipmentStatus
		at       string
		headline orders.ShipmentStatus
	}{
		{orders.ShipmentInTransit, s.ago(60, tokyo), orders.ShipmentInTransit},            // picked_up was skipped
		{orders.ShipmentInTransit, s.ago(60, lima), orders.ShipmentInTransit},             // the same moment, from elsewhere
		{orders.ShipmentPickedUp, s.ago(90, time.UTC), orders.ShipmentInTransit},          // and comes late
		{orders.ShipmentOutForDelivery, s.ago(30, lima), orders.ShipmentOutForDelivery},   //
		{orders.ShipmentInTransit, s.ago(45, tokyo), orders.ShipmentOutForDelivery},       // late
		{orders.ShipmentDelivered, s.ago(10, tokyo), orders.ShipmentDelivered},            //
		{orders.ShipmentOutForDelivery, s.ago(20, time.UTC), orders.ShipmentDelivered},    // late
		{orders.ShipmentInTransit, s.ago(5, time.UTC), orders.ShipmentDelivered},          // never back
		{orders.ShipmentDelivered, s.ago(10, time.UTC), orders.ShipmentDelivered},         // the same again
		{orders.ShipmentDeliveryAttempted, s.ago(40, time.UTC), orders.ShipmentDelivered}, // late
	}
	for i, r := range reports {
		if i == len(reports)/2 {
			s.restart()
		}
		seen := s.carrier(parcel.ID, r.status, r.at)
		s.check(seen.Status == r.headline, "after report %d, %s at %s, the parcel is %s, want %s", i+1, r.status, r.at, seen.Status, r.headline)
	}
	o = s.awaitOrder(o.ID, "it is completed", isStatus(orders.StatusCompleted))
	events := o.Shipments[0].Events
	s.check(len(events) == 8, "ten reports, two of them repeated, are kept as %d", len(events))
	s.check(slices.IsSortedFunc(events, func(a, b orders.ScanSummary) int { return a.OccurredAt.Compare(b.OccurredAt) }), "the reports are not in the order of their times: %v", events)
	s.check(events[0].OccurredAt.Location() == time.UTC, "times are kept as %s", events[0].OccurredAt.Location())
}

func playPartialShipments(s *scene) {
	o := s.basket()
	path := "/v1/orders/" + o.ID + "/shipments"
	s.ship(o.ID, orders.ShipmentItem{SKU: "mug", Quantity: 1})
	s.check(s.orderNow(o.ID).FulfillmentStatus == orders.FulfillmentPartiallyFulfilled, "after one of three it is %s", s.orderNow(o.ID).FulfillmentStatus)
	tooMany := map[string]any{"carrier": "DHL", "tracking_number": "2", "items": []orders.ShipmentItem{{SKU: "mug", Quantity: 2}}}
	s.conflict(orders.CodeOverShipment, http.MethodPost, path, tooMany)
	s.restart()
	// Two clerks pack the same rest at once.
	var packed atomic.Int64
	s.together(2, func(i int) error {
		a, err := s.surely(path, map[string]any{"carrier": "DHL", "tracking_number": fmt.Sprint("rest-", i)}, fmt.Sprint("rest-", i))
		switch {
		case err != nil:
			return err
		case a.status == http.StatusCreated:
			packed.Add(1)
		case a.status != http.StatusConflict:
			return fmt.Errorf("a shipment of the rest: %s", a)
		}
		return nil
	})
	s.check(packed.Load() == 1, "the rest was packed %d times", packed.Load())
	o = s.orderNow(o.ID)
	sent := map[string]int64{}
	for _, parcel := range o.Shipments {
		for _, item := range parcel.Items {
			sent[item.SKU] += item.Quantity
		}
	}
	s.check(o.FulfillmentStatus == orders.FulfillmentFulfilled && sent["mug"] == 2 && sent["plate"] == 1, "it is %s with %v sent", o.FulfillmentStatus, sent)
	s.conflict(orders.CodeOverShipment, http.MethodPost, path, map[string]any{"carrier": "DHL", "tracking_number": "4"})
}

func playCancelAfterShipping(s *scene) {
	o := s.basket()
	s.ship(o.ID, orders.ShipmentItem{SKU: "mug", Quantity: 1})
	s.restart()
	o = s.orderNow(o.ID)
	p := s.conflict(orders.CodeAlreadyShipped, http.MethodPost, "/v1/orders/"+o.ID+"/cancel", map[string]any{"reason": "too late"})
	s.check(p.Current.Status == string(orders.StatusConfirmed) && p.Current.Sequence == o.Sequence, "the conflict says %+v, the order is at %d", p.Current, o.Sequence)
	o = s.orderNow(o.ID)
	s.check(o.Status == orders.StatusConfirmed && o.PaymentStatus == orders.PaymentPaid && o.RefundDue == 0, "the order is %s, %s, %d due back", o.Status, o.PaymentStatus, o.RefundDue)
}

func playTwoSystems(s *scene) {
	const rounds = 8
	for round := range rounds {
		if round == rounds/2 {
			s.restart()
		}
		o := s.basket()
		at := strconv.Quote(strconv.FormatInt(o.Sequence, 10))
		wishes := []struct {
			path string
			body map[string]any
		}{
			{"/v1/orders/" + o.ID + "/cancel", map[string]any{}},
			{"/v1/orders/" + o.ID + "/shipments", map[string]any{"carrier": "DHL", "tracking_number": "1"}},
		}
		var answers [2]answer
		s.together(2, func(i int) (err error) {
			answers[i], err = s.try(http.MethodPost, wishes[i].path, wishes[i].body, "If-Match", at)
			return err
		})
		if answers[0].status == http.StatusConflict {
			answers[0], answers[1] = answers[1], answers[0]
		}
		won, lost := answers[0], answers[1]
		s.check(won.status/100 == 2 && lost.status == http.StatusConflict, "%s, and %s", won, lost)
		now := s.orderNow(o.ID)
		p := lost.problem()
		s.check(p.Code == orders.CodeSequenceMismatch && p.Current.Sequence > o.Sequence && p.Current.Sequence <= now.Sequence, "the loser learns: %s; the order is at %d", lost, now.Sequence)
		s.check((now.Status == orders.StatusCancelled) != (len(now.Shipments) == 1), "the order is %s with %d shipments", now.Status, len(now.Shipments))
		for _, stale := range []string{at, `"999"`} {
			s.conflict(orders.CodeSequenceMismatch, http.MethodPost, wishes[1].path, wishes[1].body, "If-Match", stale)
		}
	}
}

func playExceptionAfterDelivery(s *scene) {
	o := s.basket()
	parcel := s.ship(o.ID)
	s.carrier(parcel.ID, orders.ShipmentDelivered, s.ago(0, time.UTC))
	o = s.awaitOrder(o.ID, "it is completed", isStatus(orders.StatusCompleted))
	s.until("its feed is closed", func() bool { return s.feed("orders", o.ID, 0).Closed })
	end := s.feed("orders", o.ID, 0)
	s.check(end.Cursor == o.Sequence, "the feed ends at %d, the order is at %d", end.Cursor, o.Sequence)
	finished := s.call(http.MethodGet, "/v1/orders/"+o.ID+"/events", nil, "Accept", "text/event-stream", "Last-Event-ID", strconv.FormatInt(end.Cursor, 10))
	s.check(finished.status == http.StatusNoContent, "who comes back to a finished feed: %s", finished)
	s.restart()

	s.pass(time.Hour)
	seen := s.carrier(parcel.ID, orders.ShipmentException, s.ago(0, time.UTC))
	s.check(seen.Status == orders.ShipmentException, "the delivery was taken back, and the parcel is %s", seen.Status)
	var heard feedPage
	s.until("the feed goes on", func() bool {
		a := s.want(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/orders/%s/events?after=%d&wait=5", o.ID, end.Cursor), nil)
		s.must(json.Unmarshal(a.body, &heard))
		return len(heard.Events) > 0
	})
	s.check(heard.Events[0].Seq == end.Cursor+1 && heard.Events[0].Type == orders.TypeShipmentChanged, "it goes on with %v", heard.Events)

	s.pass(time.Hour)
	s.carrier(parcel.ID, orders.ShipmentDelivered, s.ago(1, time.UTC))
	again := s.carrier(parcel.ID, orders.ShipmentException, s.ago(0, time.UTC))
	s.check(again.Status != orders.ShipmentInTransit, "in the end the parcel is %s", again.Status)
	back := s.carrier(parcel.ID, orders.ShipmentInTransit, s.ago(0, time.UTC))
	s.check(back.Status == again.Status, "a parcel that was delivered is %s again", back.Status)
}
