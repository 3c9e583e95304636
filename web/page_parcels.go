package web

import (
	"slices"
	"time"

	"tracker/orders"
)

// parcels are the shipments that were not called off.
func (d describer) parcels() []orders.ShipmentSummary {
	list := []orders.ShipmentSummary{}
	for _, s := range d.Order.Shipments {
		if s.Status != orders.ShipmentCancelled {
			list = append(list, s)
		}
	}
	return list
}

func (d describer) carrier(s orders.ShipmentSummary) any {
	if s.Carrier == "" {
		return d.say("carrier_somebody", nil)
	}
	return name(s.Carrier)
}

// inTrouble are the states in which a parcel does not come closer by itself.
func inTrouble(s orders.ShipmentStatus) bool {
	switch s {
	case orders.ShipmentDeliveryAttempted, orders.ShipmentDelayed, orders.ShipmentException,
		orders.ShipmentOnHold, orders.ShipmentLost:
		return true
	}
	return false
}

func troubleTone(s orders.ShipmentStatus) string {
	if s == orders.ShipmentLost || s == orders.ShipmentException {
		return "bad"
	}
	return "warn"
}

// find is the place of the first parcel in one of the states, or -1.
func find(list []orders.ShipmentSummary, states ...orders.ShipmentStatus) int {
	return slices.IndexFunc(list, func(s orders.ShipmentSummary) bool { return slices.Contains(states, s.Status) })
}

// parcelHeadline speaks once there are parcels that moved. A problem with one of
// several stands beside the headline of the others.
func (d describer) parcelHeadline() *headline {
	list := d.parcels()
	open, troubled, delivered, back := 0, 0, 0, 0
	for _, p := range list {
		switch {
		case p.Status == orders.ShipmentDelivered:
			delivered++
		case p.Status == orders.ShipmentReturnedToSender:
			back++
		default:
			open++
			if inTrouble(p.Status) {
				troubled++
			}
		}
	}
	if open > 0 && open == troubled {
		return d.troubleHeadline(list)
	}
	for _, row := range []struct {
		state  string
		states []orders.ShipmentStatus
	}{
		{"pickup", []orders.ShipmentStatus{orders.ShipmentAvailableForPickup}},
		{"out", []orders.ShipmentStatus{orders.ShipmentOutForDelivery}},
		{"moving", []orders.ShipmentStatus{orders.ShipmentPickedUp, orders.ShipmentInTransit, orders.ShipmentDelayed}},
	} {
		if i := find(list, row.states...); i >= 0 {
			return d.movingHeadline(row.state, list, i)
		}
	}
	return d.arrivedHeadline(list, delivered, back)
}

func (d describer) movingHeadline(state string, list []orders.ShipmentSummary, i int) *headline {
	p, key := list[i], state
	if len(list) > 1 {
		key += "_n"
	}
	h := &headline{State: state, Tone: "active", parcel: i, Title: d.say(key, args{"i": i + 1, "n": len(list)})}
	switch state {
	case "pickup":
		h.Sentences = []text{d.pickupPlace(p)}
	case "out":
		h.Sentences = []text{d.say("out_text", args{"since": scanTime(p, p.Status), "carrier": d.carrier(p)})}
	default:
		h.Sentences = []text{d.expects(p)}
	}
	for j, other := range list {
		if inTrouble(other.Status) {
			h.Notices = append(h.Notices, d.trouble(other, j, len(list)))
		}
	}
	return h
}

func (d describer) pickupPlace(p orders.ShipmentSummary) text {
	for i := len(p.Events) - 1; i >= 0; i-- {
		if p.Events[i].Status == p.Status && p.Events[i].Location != "" {
			return d.say("pickup_text", args{"place": name(p.Events[i].Location)})
		}
	}
	return d.say("pickup_text_noplace", nil)
}

// dates are the days on which delivery is expected, without those that are over.
func (d describer) dates(p orders.ShipmentSummary) (from, to day) {
	today := d.now.UTC().Format(time.DateOnly)
	from, to = day(p.EstimatedFrom), day(p.EstimatedTo)
	if to == "" {
		to = from
	}
	if string(from) < today {
		from = ""
	}
	if string(to) < today {
		to = ""
	}
	if from == to || from > to {
		from = ""
	}
	return from, to
}

func (d describer) expects(p orders.ShipmentSummary) text {
	from, to := d.dates(p)
	a := args{"carrier": d.carrier(p), "day": to, "from": from, "to": to}
	switch {
	case to == "":
		return d.say("moving_text_nodate", a)
	case from == "":
		return d.say("moving_text", a)
	}
	return d.say("moving_text_range", a)
}

func (d describer) troubleHeadline(list []orders.ShipmentSummary) *headline {
	i := slices.IndexFunc(list, func(s orders.ShipmentSummary) bool { return inTrouble(s.Status) })
	p := list[i]
	n := d.trouble(p, i, len(list))
	h := &headline{State: "trouble", Tone: n.Tone, Title: n.Text, Sentences: []text{n.More}, parcel: i}
	for j, other := range list {
		if j != i && inTrouble(other.Status) {
			h.Notices = append(h.Notices, d.trouble(other, j, len(list)))
		}
	}
	return h
}

// trouble says what the matter is with one parcel, what happens next, and who
// reported it when.
func (d describer) trouble(p orders.ShipmentSummary, i, n int) notice {
	carrier := d.carrier(p)
	what := d.say("p_"+string(p.Status), args{"carrier": carrier})
	if n > 1 {
		what = d.say("l_scan_n", args{"i": i + 1, "what": what})
	}
	var next text
	from, to := d.dates(p)
	switch {
	case p.Status == orders.ShipmentDeliveryAttempted || p.Status == orders.ShipmentLost:
		next = d.say("t_"+string(p.Status), nil)
	case to == "":
		next = d.say("t_nodate", nil)
	case from == "":
		next = d.say("t_newdate", args{"day": to})
	default:
		next = d.say("t_newrange", args{"from": from, "to": to})
	}
	reported := d.say("t_reported", args{"carrier": carrier, "at": scanTime(p, p.Status)})
	more := next.plain(" ").join(reported)
	if _, before := firstScan(p, []orders.ShipmentStatus{orders.ShipmentDelivered}); before {
		more = more.plain(" ").join(d.say("corrected", args{"carrier": carrier}))
	}
	return notice{Tone: troubleTone(p.Status), Text: what, More: more}
}

func (d describer) arrivedHeadline(list []orders.ShipmentSummary, delivered, back int) *headline {
	switch {
	case d.Order.FulfillmentStatus == orders.FulfillmentReturned:
		return d.backHeadline("returned", list)
	case d.Order.FulfillmentStatus == orders.FulfillmentPartiallyReturned:
		return d.backHeadline("returned_part", list)
	case delivered > 0 && delivered+back == len(list) && d.Order.FulfillmentStatus == orders.FulfillmentFulfilled:
		i := find(list, orders.ShipmentDelivered)
		for j, p := range list {
			if p.Status == orders.ShipmentDelivered && scanTime(p, p.Status).After(scanTime(list[i], list[i].Status)) {
				i = j
			}
		}
		h := d.plainHeadline("delivered", "good", "delivered",
			d.say("delivered_text", args{"carrier": d.carrier(list[i]), "at": scanTime(list[i], orders.ShipmentDelivered)}))
		h.parcel = i
		return h
	case delivered > 0:
		return d.partlyHeadline(list, delivered)
	}
	return nil
}

func (d describer) backHeadline(title string, list []orders.ShipmentSummary) *headline {
	h := d.plainHeadline("returned", "warn", title)
	if i := find(list, orders.ShipmentReturnedToSender); i >= 0 {
		h.Sentences, h.parcel = []text{d.say("returned_text", args{"carrier": d.carrier(list[i])})}, i
	}
	return h
}

func (d describer) partlyHeadline(list []orders.ShipmentSummary, delivered int) *headline {
	total := len(list)
	if len(d.unsent()) > 0 {
		total++ // what is still to be sent is one parcel more, at least
	}
	h := &headline{State: "partly", Tone: "active", parcel: -1,
		Title: d.count("partly", int64(total), args{"i": delivered})}
	for i, p := range list {
		if p.Status != orders.ShipmentDelivered {
			h.parcel = i
			what := d.say("p_"+string(p.Status), args{"carrier": d.carrier(p)})
			h.Sentences = append(h.Sentences, d.say("l_scan_n", args{"i": i + 1, "what": what}))
		}
	}
	if len(h.Sentences) == 0 {
		h.Sentences = []text{d.say("packing_text", nil)}
	}
	return h
}

// scanTime is when the carrier last reported this status, by its own clock.
func scanTime(p orders.ShipmentSummary, status orders.ShipmentStatus) time.Time {
	for i := len(p.Events) - 1; i >= 0; i-- {
		if p.Events[i].Status == status {
			return p.Events[i].OccurredAt
		}
	}
	return p.UpdatedAt
}

// unsent is what no parcel holds yet, as lines "1 x Plate".
func (d describer) unsent() []text {
	left := map[string]int64{}
	for _, p := range d.parcels() {
		if p.Status == orders.ShipmentLost {
			continue
		}
		for _, item := range p.Items {
			left[item.SKU] -= item.Quantity
		}
	}
	list := []text{}
	for _, item := range d.Order.Items {
		left[item.SKU] += item.Quantity
		if n := min(left[item.SKU], item.Quantity); n > 0 {
			list = append(list, d.line(n, item.Name))
		}
	}
	return list
}

// line is "2 × Mug".
func (d describer) line(n int64, what string) text {
	return text{}.join(d.value(n, "")).plain(" × ").join(text{{Kind: "name", Text: what}})
}
