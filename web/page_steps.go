package web

import (
	"time"

	"tracker/orders"
)

// step is one milestone. It moves only because an event moved it.
type step struct {
	State string `json:"state"` // past, now, next, problem, ended
	Word  string `json:"word"`  // the state in a word, for who cannot see the shape
	Label text   `json:"label"`
	Time  text   `json:"time"`
	Note  text   `json:"note"`
}

// steps is the timeline of the order. What has no evidence is left out once a
// later step has some; what comes after an end does not exist.
func (d describer) steps(h headline) []step { return d.named(d.milestones(h)) }

// named adds each step's state as a word.
func (d describer) named(list []step) []step {
	for i, s := range list {
		list[i].Word = d.get("x_" + s.State)
	}
	return list
}

func (d describer) milestones(h headline) []step {
	list := []step{{Label: d.say("s_ordered", nil), Time: d.moment(d.Order.CreatedAt), State: "past"}}
	if s, ok := d.paidStep(); ok {
		list = append(list, s)
	}
	switch {
	case d.Order.Status == orders.StatusCancelled:
		return append(list, step{State: "ended", Label: d.say("s_cancelled", nil), Time: d.moment(d.since("order.cancelled"))})
	case d.Order.Status == orders.StatusExpired:
		return append(list, step{State: "ended", Label: d.say("s_expired", nil), Time: d.moment(d.since("order.expired"))})
	}
	list = append(list, d.deliverySteps(h)...)
	return markNow(list, h)
}

// markNow makes the last step that was reached the present one, unless nothing
// comes after it; a problem is where the order stands.
func markNow(list []step, h headline) []step {
	at := 0
	for i, s := range list {
		if s.State == "past" {
			at = i
		}
	}
	if at < len(list)-1 {
		list[at].State = "now"
	}
	switch h.State {
	case "trouble", "held", "review", "reversed":
		list[at].State = "problem"
		list[at].Note = h.Title
	}
	return list
}

func (d describer) moment(t time.Time) text { return d.value(t, "moment") }

func (d describer) paidStep() (step, bool) {
	reached, ended := false, d.Order.Status == orders.StatusCancelled || d.Order.Status == orders.StatusExpired
	s := step{State: "past", Label: d.say("s_paid", nil)}
	switch d.Order.PaymentStatus {
	case orders.PaymentPaid, orders.PaymentOverpaid, orders.PaymentPartiallyRefunded, orders.PaymentRefunded:
		reached = true
	case orders.PaymentAuthorized:
		reached = true
		s.Label = d.say("s_approved", nil)
	}
	if t, ok := d.paidAt(); ok && reached {
		s.Time, s.Note = d.moment(t.At), d.evidence(t)
	}
	if !reached {
		s.State = "next"
	}
	return s, reached || !ended
}

func (d describer) deliverySteps(h headline) []step {
	if d.Order.FulfillmentStatus == orders.FulfillmentNotRequired {
		s := step{State: "next", Label: d.say("s_done", nil)}
		if d.Order.Status == orders.StatusCompleted {
			s.State, s.Time = "past", d.moment(d.since("order.completed"))
		}
		return []step{s}
	}
	shipped := d.milestone("s_shipped", orders.ShipmentPickedUp, orders.ShipmentInTransit, orders.ShipmentOutForDelivery,
		orders.ShipmentDelivered, orders.ShipmentDeliveryAttempted, orders.ShipmentAvailableForPickup, orders.ShipmentDelayed,
		orders.ShipmentException, orders.ShipmentOnHold, orders.ShipmentReturnedToSender, orders.ShipmentLost)
	out := d.milestone("s_out", orders.ShipmentOutForDelivery)
	delivered := d.milestone("s_delivered", orders.ShipmentDelivered)
	if p := find(d.parcels(), orders.ShipmentLabelCreated); shipped.State == "next" && p >= 0 {
		shipped.Note = d.say("labelled_text", args{"carrier": d.carrier(d.parcels()[p])})
	}
	if !d.allDelivered() {
		delivered.State, delivered.Time = "next", nil
		delivered.Note = d.expectedNote(h, delivered.Note)
	}
	list := []step{shipped}
	if out.State == "past" || delivered.State == "next" && h.State != "pickup" && h.State != "returned" {
		list = append(list, out)
	}
	if h.State == "returned" {
		return append(list, step{State: "ended", Label: d.say("s_returned", nil), Time: d.moment(d.Order.UpdatedAt)})
	}
	return append(list, delivered)
}

// milestone is reached when a carrier reported one of states for any parcel;
// its note says for how many of several, and whose word it is.
func (d describer) milestone(label string, states ...orders.ShipmentStatus) step {
	s := step{State: "next", Label: d.say(label, nil)}
	list := d.parcels()
	var first time.Time
	reached, who := 0, -1
	for i, p := range list {
		at, ok := firstScan(p, states)
		if !ok {
			continue
		}
		reached++
		if first.IsZero() || at.Before(first) {
			first, who = at, i
		}
	}
	if reached == 0 {
		return s
	}
	s.State, s.Time = "past", d.moment(first)
	total := len(list)
	if len(d.unsent()) > 0 {
		total++
	}
	says := d.say("s_says", args{"carrier": d.carrier(list[who])})
	if reached < total {
		says = d.count("s_some", int64(total), args{"i": reached}).plain(", ").join(says)
	}
	s.Note = says
	return s
}

func firstScan(p orders.ShipmentSummary, states []orders.ShipmentStatus) (time.Time, bool) {
	for _, scan := range p.Events {
		for _, s := range states {
			if scan.Status == s {
				return scan.OccurredAt, true
			}
		}
	}
	return time.Time{}, false
}

func (d describer) allDelivered() bool {
	for _, p := range d.parcels() {
		if p.Status != orders.ShipmentDelivered {
			return false
		}
	}
	return len(d.parcels()) > 0 && len(d.unsent()) == 0
}

func (d describer) expectedNote(h headline, note text) text {
	if h.parcel < 0 || h.parcel >= len(d.parcels()) {
		return note
	}
	from, to := d.dates(d.parcels()[h.parcel])
	switch {
	case to == "":
		return note
	case from == "":
		return d.say("e_expected", args{"day": to})
	}
	return d.say("e_expected_range", args{"from": from, "to": to})
}
