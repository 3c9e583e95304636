package web

import (
	"slices"
	"time"

	"tracker/orders"
	"tracker/payments"
)

// checkoutView is the checkout as words. State is data-state on the page.
type checkoutView struct {
	State     string           `json:"state"`
	Tone      string           `json:"tone"`
	Title     text             `json:"title"`
	Sentences []text           `json:"sentences"`
	Why       bool             `json:"why"` // offer "Why do banks decline?"
	Actions   []checkoutAction `json:"actions"`
	Steps     []step           `json:"steps"`
	Money     []moneyLine      `json:"money"`
	Items     []itemLine       `json:"items"`
	Total     text             `json:"total"`
	Waiting   bool             `json:"waiting"` // something is to come: keep asking
}

// checkoutAction is a form (pay, stop) or a link.
type checkoutAction struct {
	Kind    string `json:"kind"` // pay, stop, link
	Label   text   `json:"label"`
	Href    string `json:"href"`
	Primary bool   `json:"primary"`
}

// visit is what the address and the last press add to the state: words, never
// a state of money.
type visit struct {
	FromBank bool      `json:"from_bank"`
	At       time.Time `json:"at"`    // when the shopper came back
	Flash    string    `json:"flash"` // other_tab, changed, bank_down, unsure, starting, redirecting
}

// phases of a wait, counted from the last word about the payment.
const (
	stillAfter  = 10 * time.Second
	askingAfter = 60 * time.Second
)

// current is the payment that the page is about: the newest that is open, else
// the newest.
func (d describer) current() (payments.Summary, bool) {
	list := d.Order.Payments
	if len(list) == 0 {
		return payments.Summary{}, false
	}
	chosen := list[len(list)-1]
	for _, p := range list {
		if slices.Contains(openStates(), payments.Status(p.Status)) {
			chosen = p
		}
	}
	if known, ok := d.Payments[chosen.ID]; ok {
		return known.Payment, true
	}
	return payments.Summary{ID: chosen.ID, Status: payments.Status(chosen.Status), Amount: chosen.Amount, Captured: chosen.Captured,
		Refunded: chosen.Refunded, UpdatedAt: chosen.UpdatedAt, NextCheckAt: chosen.NextCheckAt}, true
}

func openStates() []payments.Status {
	return []payments.Status{payments.StatusCreated, payments.StatusRequiresAction, payments.StatusProcessing, payments.StatusUnknown,
		payments.StatusAuthorized, payments.StatusReview, payments.StatusLateSuccess, payments.StatusRefundPending}
}

// wasLate reports whether the money of p came after the end.
func (d describer) wasLate(p payments.Summary) (at time.Time, late bool) {
	for _, t := range d.Payments[p.ID].Timeline {
		if t.To == string(payments.StatusLateSuccess) {
			return t.At, true
		}
	}
	return p.UpdatedAt, p.Status == payments.StatusLateSuccess
}

// checkoutView is a pure function of the state, the visit and now.
func (d describer) checkoutView(v visit) checkoutView {
	p, any := d.current()
	c := d.flashed(v, p)
	if c == nil && any {
		c = d.lateCheckout(p)
	}
	if c == nil {
		c = d.closedCheckout(p, any)
	}
	if c == nil && any {
		c = d.paymentCheckout(p, v)
	}
	if c == nil {
		c = d.payable(d.newCheckout("ready", "active", "pay", args{"amount": d.sum(d.rest())},
			d.say("c_text", nil).plain(" ").join(d.say("c_by", args{"by": d.Order.PayBy}))), "pay")
	}
	c.Items, c.Total = d.items(), d.value(d.sum(d.Order.Amount), "")
	if c.Money == nil {
		c.Money = []moneyLine{}
	}
	return *c
}

func (d describer) newCheckout(state, tone, title string, a args, sentences ...text) *checkoutView {
	return &checkoutView{State: state, Tone: tone, Title: d.say(title, a), Sentences: sentences, Actions: []checkoutAction{}, Steps: []step{}}
}

func (c *checkoutView) link(label text, href string, primary bool) *checkoutView {
	if href != "" {
		c.Actions = append(c.Actions, checkoutAction{Kind: "link", Label: label, Href: href, Primary: primary})
	}
	return c
}

func (d describer) seeOrder(c *checkoutView, primary bool) *checkoutView {
	key := "order_page"
	if primary {
		key = "see_order"
	}
	return c.link(d.say(key, nil), "/track/"+d.Order.ID, primary)
}

func (d describer) payable(c *checkoutView, label string) *checkoutView {
	c.Actions = append(c.Actions, checkoutAction{Kind: "pay", Label: d.say(label, args{"amount": d.sum(d.rest())}), Primary: true})
	return c
}

func (d describer) backToShop(c *checkoutView, primary bool) *checkoutView {
	return c.link(d.say("back_to_shop", nil), d.Order.Shop.URL, primary)
}

// flashed is what the last press came to, where the state alone cannot say it.
func (d describer) flashed(v visit, p payments.Summary) *checkoutView {
	switch v.Flash {
	case "other_tab":
		c := d.newCheckout("other_tab", "active", "c_other_tab", nil, d.say("c_other_tab_text", nil))
		return d.atBank(c, p, "c_stop_it")
	case "changed":
		return d.payable(d.newCheckout("changed", "warn", "c_changed", nil, d.say("c_changed_text", args{"amount": d.sum(d.rest())})), "pay")
	case "bank_down":
		return d.payable(d.newCheckout("bank_down", "bad", "c_bank_down", nil, d.say("c_bank_down_text", nil)), "c_try_again")
	case "unsure":
		return d.payable(d.newCheckout("unsure", "warn", "c_unsure", nil, d.say("c_unsure_text", nil)), "pay")
	}
	return nil
}

// atBank offers to go on at the bank, and to stop.
func (d describer) atBank(c *checkoutView, p payments.Summary, stop string) *checkoutView {
	c.Waiting = true
	if p.NextAction != nil {
		c.link(d.say("continue_bank", nil), p.NextAction.URL, true)
	}
	c.Actions = append(c.Actions, checkoutAction{Kind: "stop", Label: d.say(stop, nil), Href: p.ID})
	return c
}

func (d describer) lateCheckout(p payments.Summary) *checkoutView {
	at, late := d.wasLate(p)
	if !late {
		return nil
	}
	amount := d.sum(max(p.Captured, p.Refunded))
	if amount.minor == 0 {
		amount = d.sum(p.Amount)
	}
	switch {
	case p.Status == payments.StatusLateSuccess && d.Settings.LateSuccess == "hold":
		c := d.newCheckout("late_back", "warn", "c_late_hold_title", nil, d.say("c_late_hold_text", nil))
		c.Waiting = true
		return d.seeOrder(c, true)
	case p.Status == payments.StatusLateSuccess || p.Status == payments.StatusRefundPending:
		c := d.newCheckout("late_back", "warn", "c_late_back", nil, d.say("c_late_back_text", args{"amount": amount, "at": at}))
		c.Waiting = true
		return d.seeOrder(c, true)
	case p.Status == payments.StatusRefunded:
		c := d.newCheckout("late_done", "good", "c_late_done", args{"amount": amount},
			d.say("c_late_done_text", args{"at": p.UpdatedAt, "days": d.refundDays()}))
		return d.seeOrder(c, true)
	}
	return nil
}

// closedCheckout speaks when the order takes no payment any more.
func (d describer) closedCheckout(p payments.Summary, any bool) *checkoutView {
	var c *checkoutView
	open := any && slices.Contains(openStates(), p.Status)
	switch d.Order.Status {
	case orders.StatusCancelled:
		c = d.newCheckout("cancelled", "done", "c_cancelled", nil, d.headline().Sentences...)
		c.Sentences = append(c.Sentences, d.say("c_nothing_to_pay", nil))
	case orders.StatusExpired:
		c = d.newCheckout("expired", "done", "c_expired", nil, d.say("c_expired_text", args{"at": d.since("order.expired")}))
	default:
		return nil
	}
	if open {
		c.Waiting = true
		c.Sentences = append(c.Sentences, d.latePolicy())
	}
	if d.paidOnce() > 0 {
		c.Money = d.moneyLines()
	}
	return d.backToShop(c, true)
}

func (d describer) latePolicy() text {
	switch d.Settings.LateSuccess {
	case "hold", "accept":
		return d.say("c_late_"+d.Settings.LateSuccess, nil)
	}
	return d.say("c_late_refund", nil)
}

// paymentCheckout speaks for the payment while the order is open or paid.
func (d describer) paymentCheckout(p payments.Summary, v visit) *checkoutView {
	kept := d.say("c_not_charged", nil).plain(" ").join(d.say("c_kept", args{"by": d.Order.PayBy}))
	pending := d.Order.Status == orders.StatusPendingPayment
	switch p.Status {
	case payments.StatusCreated, payments.StatusRequiresAction:
		if v.FromBank {
			return d.waiting(p, v)
		}
		return d.atBank(d.newCheckout("back", "active", "c_back", nil, d.say("c_back_text", nil)), p, "c_stop")
	case payments.StatusProcessing:
		return d.waiting(p, v)
	case payments.StatusUnknown:
		return d.unknown(p)
	case payments.StatusReview:
		return d.inReview(p)
	case payments.StatusAuthorized:
		c := d.newCheckout("authorized", "active", "approved", nil, d.say("approved_text", args{"amount": d.sum(p.Amount)}),
			d.say("confirmed_by_bank", args{"at": p.UpdatedAt}))
		c.Waiting = true
		return d.seeOrder(c, true)
	case payments.StatusCaptured, payments.StatusPartiallyCaptured:
		return d.captured(p)
	}
	if !pending || d.paid() > 0 {
		return d.otherwise()
	}
	switch p.Status {
	case payments.StatusFailed:
		c := d.newCheckout("declined", "bad", "c_declined", nil, kept)
		c.Why = true
		return d.backToShop(d.payable(c, "c_try_again"), false)
	case payments.StatusCancelled:
		return d.payable(d.newCheckout("stopped", "done", "c_stopped", nil, kept), "pay")
	case payments.StatusVoided:
		return d.payable(d.newCheckout("stopped", "done", "c_voided", nil, kept), "pay")
	case payments.StatusExpired:
		text := d.say("c_not_charged", nil).plain(" ").join(d.say("c_pay_expired_text", args{"by": d.Order.PayBy}))
		return d.payable(d.newCheckout("pay_expired", "warn", "c_pay_expired", nil, text), "c_try_again")
	}
	return d.otherwise()
}

// otherwise shows what the order page says.
func (d describer) otherwise() *checkoutView {
	h := d.headline()
	c := &checkoutView{State: h.State, Tone: h.Tone, Title: h.Title, Sentences: h.Sentences, Actions: []checkoutAction{}, Steps: []step{},
		Money: d.moneyLines()}
	if h.State == "unpaid" {
		return d.payable(c, "pay")
	}
	return d.seeOrder(c, true)
}

func (d describer) captured(p payments.Summary) *checkoutView {
	evidence := d.say("confirmed_by_bank", args{"at": p.UpdatedAt})
	if d.Order.PaymentStatus == orders.PaymentReview || d.Order.FulfillmentStatus == orders.FulfillmentOnHold {
		return d.otherwise()
	}
	paid := max(d.paid(), p.Captured)
	if paid >= d.Order.Amount {
		c := d.newCheckout("paid", "good", "c_paid", args{"amount": d.sum(paid)}, evidence.plain(" ").join(d.say("c_paid_text", nil)))
		return d.seeOrder(c, true)
	}
	a := args{"paid": d.sum(paid), "amount": d.sum(d.Order.Amount), "rest": d.sum(d.Order.Amount - paid)}
	c := d.newCheckout("part_paid", "active", "c_part", a, evidence)
	if p.Status == payments.StatusPartiallyCaptured {
		c.Sentences = append(c.Sentences, d.say("c_part_taken", nil))
		return d.seeOrder(c, true)
	}
	c.Sentences = append(c.Sentences, d.say("c_part_rest", a))
	return d.seeOrder(d.payable(c, "pay"), false)
}

func (d describer) inReview(p payments.Summary) *checkoutView {
	c := d.newCheckout("review", "warn", "review", nil, d.say("review_text", nil))
	if r := p.Reported; r != nil {
		c.Sentences = []text{d.say("c_review_text", args{"reported": cash{r.Amount, string(r.Currency)}, "amount": d.sum(p.Amount)})}
	}
	c.Waiting = true
	return d.seeOrder(c, true)
}

func (d describer) unknown(p payments.Summary) *checkoutView {
	sentence := d.say("c_unknown_text", nil).plain(" ")
	if next := p.NextCheckAt; next != nil && next.After(d.now) {
		sentence = sentence.join(d.say("c_unknown_next", args{"next": *next})).plain(" ")
	}
	c := d.newCheckout("unknown", "warn", "c_unknown", nil, sentence.join(d.say("c_unknown_dont", nil)))
	c.Waiting = true
	return d.seeOrder(c, false)
}

// waiting explains a wait by how long it lasts. It counts from the server's
// time of the last change, or of the return, so a reload does not start again.
func (d describer) waiting(p payments.Summary, v visit) *checkoutView {
	since := p.UpdatedAt
	if v.At.After(since) {
		since = v.At
	}
	waited := d.now.Sub(since)
	var c *checkoutView
	switch {
	case waited < stillAfter:
		c = d.newCheckout("waiting", "active", "bank_wait", nil, d.say("c_waiting_text", nil))
	case waited < askingAfter:
		c = d.newCheckout("still", "active", "c_still", nil, d.say("c_still_text", nil))
	default:
		c = d.asking(p, since)
	}
	c.Waiting = true
	if v.FromBank && !v.At.IsZero() {
		confirms := step{State: "now", Label: d.say("c_step_confirms", nil)}
		if next := p.NextCheckAt; next != nil && next.After(d.now) {
			confirms.Note = d.say("c_step_next", args{"next": *next})
		}
		c.Steps = d.named([]step{{State: "past", Label: d.say("c_step_back", nil), Time: d.moment(v.At)}, confirms})
	}
	return c
}

func (d describer) asking(p payments.Summary, since time.Time) *checkoutView {
	title := "c_asking"
	sentence := d.say("c_asking_since", args{"since": since})
	if p.LastCheckAt == nil {
		title = "c_asking_first"
	} else {
		sentence = sentence.plain(" ").join(d.say("c_asking_last", args{"last": *p.LastCheckAt}))
	}
	next := d.say("c_asking_soon", nil)
	if p.NextCheckAt != nil && p.NextCheckAt.After(d.now) {
		next = d.say("c_asking_next", args{"next": *p.NextCheckAt})
	}
	c := d.newCheckout("asking", "active", title, nil, sentence.plain(" ").join(next), d.say("c_asking_text", nil))
	if p.Status == payments.StatusRequiresAction && p.NextAction != nil {
		c.link(d.say("continue_bank", nil), p.NextAction.URL, false)
	}
	return d.seeOrder(c, false)
}
