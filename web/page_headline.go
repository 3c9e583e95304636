package web

import (
	"time"

	"tracker/orders"
)

// headline is what is true now: the state's name (data-state), its words, and
// what can be done about it.
type headline struct {
	State     string   `json:"state"`
	Tone      string   `json:"tone"` // done, good, active, warn, bad
	Title     text     `json:"title"`
	Sentences []text   `json:"sentences"`
	Notices   []notice `json:"notices"`
	Action    *action  `json:"action"`
	parcel    int      // the parcel that the headline is about, -1 for none
}

// notice is something that went wrong beside what the headline says.
type notice struct {
	Tone string `json:"tone"`
	Text text   `json:"text"`
	More text   `json:"more"`
}

// action is the one thing to press.
type action struct {
	Label text   `json:"label"`
	Href  string `json:"href"`
}

// describer says what a state means in one language at one moment. Pure.
type describer struct {
	phrases
	pageState
}

// headline is a pure function of the state and now: the first row that matches
// speaks.
func (d describer) headline() headline {
	for _, row := range []func(describer) *headline{
		describer.endedHeadline, describer.moneyHeadline, describer.unpaidHeadline, describer.parcelHeadline,
	} {
		if h := row(d); h != nil {
			return h.complete()
		}
	}
	return d.packing().complete()
}

func (h headline) complete() headline {
	if h.Sentences == nil {
		h.Sentences = []text{}
	}
	if h.Notices == nil {
		h.Notices = []notice{}
	}
	return h
}

func (d describer) plainHeadline(state, tone, title string, sentences ...text) *headline {
	return &headline{State: state, Tone: tone, Title: d.say(title, nil), Sentences: sentences, parcel: -1}
}

func (d describer) endedHeadline() *headline {
	switch d.Order.Status {
	case orders.StatusCancelled:
		key := "cancelled_by_other"
		switch d.Order.CancelledBy {
		case "merchant", "operator":
			key = "cancelled_by_merchant"
		case "shopper":
			key = "cancelled_by_shopper"
		}
		return d.plainHeadline("cancelled", "done", "cancelled", d.say(key, args{"at": d.since("order.cancelled")}))
	case orders.StatusExpired:
		return d.plainHeadline("expired", "done", "expired", d.say("expired_text", args{"at": d.since("order.expired")}))
	}
	return nil
}

func (d describer) moneyHeadline() *headline {
	last, ok := d.lastPayment()
	switch {
	case d.Order.PaymentStatus == orders.PaymentReview:
		return d.plainHeadline("review", "warn", "review", d.say("review_text", nil))
	case ok && last.Status == "reversed":
		return d.plainHeadline("reversed", "bad", "reversed",
			d.say("reversed_text", args{"amount": d.sum(last.Captured), "at": last.UpdatedAt}))
	case d.Order.FulfillmentStatus == orders.FulfillmentOnHold:
		return d.plainHeadline("held", "warn", "held", d.say("held_text", nil))
	}
	return nil
}

// unpaidHeadline speaks while the order waits for money.
func (d describer) unpaidHeadline() *headline {
	if d.Order.Status != orders.StatusPendingPayment {
		return nil
	}
	checkout := "/checkout/" + d.Order.ID
	switch d.Order.PaymentStatus {
	case orders.PaymentActionRequired:
		h := d.plainHeadline("at_bank", "active", "at_bank", d.say("at_bank_text", nil))
		h.Action = &action{Label: d.say("continue_bank", nil), Href: checkout}
		return h
	case orders.PaymentProcessing:
		return d.plainHeadline("bank_wait", "active", "bank_wait", d.bankSilence())
	case orders.PaymentAuthorized:
		return d.plainHeadline("approved", "active", "approved", d.say("approved_text", args{"amount": d.sum(d.rest())}))
	case orders.PaymentPaid, orders.PaymentOverpaid:
		return nil // the confirmation is a moment away
	}
	h := d.plainHeadline("unpaid", "active", "unpaid")
	if d.Order.PaymentStatus == orders.PaymentFailed {
		h.Tone = "bad"
		h.Sentences = append(h.Sentences, d.say("unpaid_declined", nil))
	}
	if d.paid() > 0 {
		h.Sentences = append(h.Sentences, d.say("unpaid_rest",
			args{"paid": d.sum(d.paid()), "amount": d.sum(d.Order.Amount), "rest": d.sum(d.rest())}))
	}
	h.Sentences = append(h.Sentences, d.say("unpaid_text", args{"by": d.Order.PayBy}))
	h.Action = &action{Label: d.say("pay", args{"amount": d.sum(d.rest())}), Href: checkout}
	return h
}

// bankSilence dates the wait and says when we ask next.
func (d describer) bankSilence() text {
	since, next := d.Order.UpdatedAt, time.Time{}
	for _, p := range d.Order.Payments {
		if p.Status == "processing" || p.Status == "unknown" {
			since = p.UpdatedAt
			if p.NextCheckAt != nil {
				next = *p.NextCheckAt
			}
		}
	}
	if next.After(d.now) {
		return d.say("bank_wait_text", args{"since": since, "next": next})
	}
	return d.say("bank_wait_soon", args{"since": since})
}

func (d describer) packing() headline {
	for _, p := range d.parcels() {
		if p.Status == orders.ShipmentLabelCreated {
			return *d.plainHeadline("packing", "active", "packing", d.say("labelled_text", args{"carrier": d.carrier(p)}))
		}
	}
	if d.Order.FulfillmentStatus == orders.FulfillmentNotRequired && d.Order.Status == orders.StatusCompleted {
		return *d.plainHeadline("digital", "good", "digital", d.say("digital_text", nil))
	}
	return *d.plainHeadline("packing", "active", "packing", d.say("packing_text", nil))
}
