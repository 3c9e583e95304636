package web

import (
	"slices"
	"strings"
	"time"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/payments"
)

// moneyLine is one line of the money card, with the time and source that stand
// behind it.
type moneyLine struct {
	Tone string `json:"tone"`
	Text text   `json:"text"`
	Note text   `json:"note"`
}

// moneyLines tell what happened to the money, in the server's words alone.
func (d describer) moneyLines() []moneyLine {
	list := []moneyLine{d.paymentLine()}
	list = append(list, d.refundLines()...)
	if due := d.Order.RefundDue; due > 0 && len(list) == 1 {
		list = append(list, moneyLine{Tone: "active", Text: d.say("m_due_back", args{"amount": d.sum(due)})})
	}
	return list
}

func (d describer) paymentLine() moneyLine {
	status := d.Order.PaymentStatus
	if last, ok := d.lastPayment(); ok && last.Status == "reversed" {
		return moneyLine{Tone: "bad", Text: d.say("m_reversed", args{"amount": d.sum(last.Captured)})}
	}
	a := args{"amount": d.sum(d.Order.Amount), "paid": d.sum(d.paid()), "extra": d.sum(d.paid() - d.Order.Amount)}
	key, tone := "m_"+string(status), "active"
	switch status {
	case orders.PaymentPaid, orders.PaymentPartiallyRefunded, orders.PaymentRefunded:
		key, tone = "m_paid", "good"
		a["amount"] = d.sum(d.paidOnce())
	case orders.PaymentOverpaid, orders.PaymentReview:
		tone = "warn"
	case orders.PaymentFailed:
		tone = "bad"
	case orders.PaymentVoided:
		tone = "done"
	}
	line := moneyLine{Tone: tone, Text: d.say(key, a)}
	if t, ok := d.paidAt(); ok && (tone == "good" || status == orders.PaymentOverpaid) {
		line.Note = d.say("confirmed_by_bank", args{"at": d.bankTime(t)})
	}
	return line
}

// paidOnce is what was captured at all, also where it went back as a late
// payment.
func (d describer) paidOnce() int64 {
	if p := d.paid(); p > 0 {
		return p
	}
	var sum int64
	for _, p := range d.Order.Payments {
		sum += p.Captured
	}
	return sum
}

// bankTime is when the payment behind an order's transition changed: the bank's
// word came with that.
func (d describer) bankTime(t eventwire.Transition) time.Time {
	if p, ok := d.paymentBehind(t); ok {
		return p.At
	}
	return t.At
}

// paymentBehind is the payment's own transition that caused t.
func (d describer) paymentBehind(t eventwire.Transition) (eventwire.Transition, bool) {
	list := d.Payments[t.Subject].Timeline
	for i := len(list) - 1; i >= 0; i-- {
		if !list[i].At.After(t.At) {
			return list[i], true
		}
	}
	return eventwire.Transition{}, false
}

func (d describer) refundLines() []moneyLine {
	list := []moneyLine{}
	for _, p := range d.Order.Payments {
		if known, ok := d.Payments[p.ID]; ok && len(known.Payment.Refunds) > 0 {
			for _, r := range known.Payment.Refunds {
				list = append(list, d.refundLine(r))
			}
			continue
		}
		if p.Refunded > 0 {
			list = append(list, moneyLine{Tone: "good", Text: d.say("r_succeeded", args{"amount": d.sum(p.Refunded)}),
				Note: d.say("r_succeeded_note", args{"at": p.UpdatedAt})})
		}
		if p.RefundPending > 0 {
			list = append(list, moneyLine{Tone: "active", Text: d.say("r_pending", args{"amount": d.sum(p.RefundPending)}),
				Note: d.say("r_pending_note_nodate", args{"days": d.refundDays()})})
		}
	}
	return list
}

func (d describer) refundDays() text { return text{{Text: d.Settings.RefundDays}} }

func (d describer) refundLine(r payments.RefundSummary) moneyLine {
	a := args{"amount": d.sum(r.Amount), "at": r.UpdatedAt, "days": d.refundDays()}
	line := moneyLine{Tone: "active", Text: d.say("r_"+string(r.Status), a)}
	switch r.Status {
	case payments.RefundPending:
		line.Note = d.say("r_pending_note", a)
	case payments.RefundSucceeded:
		line.Tone, line.Note = "good", d.say("r_succeeded_note", a)
	case payments.RefundFailed, payments.RefundRequiresAction:
		line.Tone = "warn"
	case payments.RefundCancelled:
		line.Tone = "done"
	}
	return line
}

// entry is one line of what happened.
type entry struct {
	Key   string `json:"key"`
	Title text   `json:"title"`
	Time  text   `json:"time"`
	Notes []text `json:"notes"`

	at   time.Time
	fold string // reports of one status by one carrier on one day are one line
	n    int64
}

// log is what happened, newest first: the order's own transitions and the
// carriers' reports.
func (d describer) log() []entry {
	list := []entry{}
	for _, t := range d.Timeline {
		if e, ok := d.transitionEntry(t); ok {
			list = append(list, e)
		}
	}
	parcels := d.parcels()
	for i, p := range parcels {
		list = append(list, d.scanEntries(p, i, len(parcels))...)
	}
	slices.SortStableFunc(list, func(a, b entry) int { return a.at.Compare(b.at) })
	slices.Reverse(list)
	return list
}

func (d describer) transitionEntry(t eventwire.Transition) (entry, bool) {
	kind := strings.TrimPrefix(t.Type, "order.")
	key, a := "l_"+kind, args{}
	switch kind {
	case "payment_changed":
		key = "l_" + t.To
		if t.From == t.To || d.get(key) == "" {
			return entry{}, false
		}
	case "shipment_created":
		key = "l_shipment"
		for _, s := range d.Order.Shipments {
			if s.ID == t.Subject && s.Carrier != "" {
				key, a = "l_shipment_carrier", args{"carrier": name(s.Carrier)}
			}
		}
	case "created", "confirmed", "completed", "cancelled", "expired":
	default:
		return entry{}, false
	}
	e := entry{Key: "t" + itoa(t.Seq), Title: d.say(key, a), Time: d.moment(t.At), Notes: []text{}, at: t.At}
	if kind != "created" && kind != "completed" && t.To != "action_required" { // a delivery beside it says who said so
		e.Notes = append(e.Notes, d.evidence(t))
		if ref := d.Payments[t.Subject].Payment.Reference; ref != "" {
			e.Notes = append(e.Notes, d.say("v_reference", args{"ref": name(ref)}))
		}
	}
	if theirs := d.theirTime(t); theirs != nil && t.At.Sub(*theirs) > 2*time.Minute {
		e.Time = d.moment(*theirs)
		e.Notes = append(e.Notes, d.say("v_late", args{"at": t.At}))
	}
	return e, true
}

func (d describer) theirTime(t eventwire.Transition) *time.Time {
	if p, ok := d.paymentBehind(t); ok && t.Cause == "payment" {
		return p.TheirTime
	}
	return t.TheirTime
}

// evidence says on whose word a transition rests.
func (d describer) evidence(t eventwire.Transition) text {
	cause := t.Cause
	if cause == "payment" {
		if p, ok := d.paymentBehind(t); ok {
			cause = p.Cause
		}
	}
	if cause == "callback" && t.Type == "order.completed" {
		cause = "carrier_any" // an order is completed by the last parcel's report
	}
	if d.get("v_"+cause) == "" {
		cause = "order"
	}
	return d.say("v_"+cause, nil)
}

func (d describer) scanEntries(p orders.ShipmentSummary, i, n int) []entry {
	list, delivered := []entry{}, false
	for _, scan := range p.Events {
		corrects := delivered && scan.Status != orders.ShipmentDelivered
		delivered = scan.Status == orders.ShipmentDelivered
		what := d.say("p_"+string(scan.Status), args{"carrier": d.carrier(p)})
		fold := string(scan.Status) + scan.OccurredAt.UTC().Format(time.DateOnly)
		if last := len(list) - 1; last >= 0 && list[last].fold == fold {
			list[last].n++
			list[last].Notes = []text{d.count("l_scans", list[last].n, nil), list[last].Notes[len(list[last].Notes)-1]}
			continue
		}
		if n > 1 {
			what = d.say("l_scan_n", args{"i": i + 1, "what": what})
		}
		e := entry{Key: p.ID + "/" + fold, Title: what, Time: d.moment(scan.OccurredAt), at: scan.OccurredAt, fold: fold, n: 1}
		e.Notes = []text{d.scanSource(p, scan)}
		if scan.RecordedAt.Sub(scan.OccurredAt) > 2*time.Minute {
			e.Notes = append(e.Notes, d.say("v_late", args{"at": scan.RecordedAt}))
		}
		if corrects {
			e.Notes = append(e.Notes, d.say("corrected", args{"carrier": d.carrier(p)}))
		}
		list = append(list, e)
	}
	return list
}

func (d describer) scanSource(p orders.ShipmentSummary, scan orders.ScanSummary) text {
	if scan.Location == "" {
		return d.say("v_carrier", args{"carrier": d.carrier(p)})
	}
	return d.say("v_carrier_place", args{"carrier": d.carrier(p), "place": name(scan.Location)})
}
