package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/payments"
	"tracker/payments/sandboxbank"
)

// orderSeen is an order as the API shows it.
type orderSeen struct {
	orders.Summary
	OnHold        bool                   `json:"on_hold"`
	TrackingToken string                 `json:"tracking_token"`
	Timeline      []eventwire.Transition `json:"timeline"`
}

// paymentSeen is a payment as the API shows it.
type paymentSeen struct {
	payments.Summary
	Timeline []eventwire.Transition `json:"timeline"`
}

// page is the answer of a poll.
type feedPage struct {
	Events []struct {
		Seq  int64  `json:"seq"`
		Type string `json:"type"`
	} `json:"events"`
	Cursor int64 `json:"cursor"`
	Closed bool  `json:"closed"`
}

// scenarioPrice is what the ordinary order costs.
const scenarioPrice = 1999

// order places an order over one thing at this price.
func (s *scene) order(amount int64, currency string) orderSeen {
	return s.orderOf(map[string]any{"currency": currency, "items": []map[string]any{
		{"sku": "mug", "name": "Mug", "quantity": 1, "unit_amount": amount}}})
}

func (s *scene) orderOf(body map[string]any) orderSeen {
	body["reference"] = s.name("scenario")
	var o orderSeen
	s.post(http.StatusCreated, "/v1/orders", body, &o)
	return o
}

// pay starts a payment as the merchant.
func (s *scene) pay(order string) paymentSeen {
	return s.payBy(map[string]any{"order_id": order})
}

func (s *scene) payBy(body map[string]any) paymentSeen {
	var p paymentSeen
	s.post(http.StatusCreated, "/v1/payments", body, &p)
	if p.Reference == "" {
		// A bank that was away meanwhile: the session is opened a little later.
		s.settle("the bank has a session", 5*time.Minute, func() bool { p = s.payment(p.ID); return p.Reference != "" })
	}
	return p
}

// bought is an ordinary order with a payment that waits for the shopper.
func (s *scene) bought() (orderSeen, paymentSeen) {
	o := s.order(scenarioPrice, "EUR")
	return o, s.pay(o.ID)
}

// paid is an ordinary order that is paid and confirmed.
func (s *scene) paid() (orderSeen, paymentSeen) {
	o, p := s.bought()
	s.decide(p, sandboxbank.Approve)
	s.awaitPayment(p.ID, payments.StatusCaptured)
	return s.awaitOrder(o.ID, "it is confirmed", isStatus(orders.StatusConfirmed)), s.payment(p.ID)
}

func (s *scene) payment(id string) paymentSeen {
	var p paymentSeen
	s.read("/v1/payments/"+id, &p)
	return p
}

func (s *scene) orderNow(id string) orderSeen {
	var o orderSeen
	s.read("/v1/orders/"+id, &o)
	return o
}

// paymentsOf are all payments of an order, newest first.
func (s *scene) paymentsOf(order string) []paymentSeen {
	var list struct{ Data []paymentSeen }
	s.read("/v1/payments?limit=100&order_id="+order, &list)
	return list.Data
}

// feed is the whole feed of an order or a payment.
func (s *scene) feed(kind, id string, after int64) feedPage {
	var p feedPage
	s.read(fmt.Sprintf("/v1/%s/%s/events?after=%d", kind, id, after), &p)
	return p
}

// decide presses a button of the bank's page.
func (s *scene) decide(p paymentSeen, d sandboxbank.Decision) {
	s.decideBy(p, sandboxbank.DecideRequest{Decision: d})
}

func (s *scene) decideBy(p paymentSeen, in sandboxbank.DecideRequest) {
	_, err := s.bank.Decide(s.ctx, p.Reference, in)
	s.must(err)
}

// atBank is what the bank has in its own books.
func (s *scene) atBank(p paymentSeen) sandboxbank.Session {
	session, err := s.bank.Session(s.ctx, p.Reference)
	s.must(err)
	return session
}

func (s *scene) fault(f sandboxbank.Fault) { s.must(s.bank.AddFault(s.ctx, f)) }

func (s *scene) noFaults() { s.must(s.bank.ClearFaults(s.ctx)) }

// awaitPayment waits until the payment is there, with the clock as it stands or,
// where the tracker was killed, with the time that it needs to come round.
func (s *scene) awaitPayment(id string, status payments.Status) paymentSeen {
	return s.awaitPaymentThat(id, "it is "+string(status), 5*time.Minute, func(p paymentSeen) bool { return p.Status == status })
}

func (s *scene) awaitPaymentThat(id, what string, limit time.Duration, ok func(paymentSeen) bool) paymentSeen {
	var p paymentSeen
	if !s.kills {
		limit = 0
	}
	s.explain(func() string { return fmt.Sprintf("payment %s is %s, by %s", id, p.Status, kinds(p.Timeline)) }, func() {
		s.settle("payment "+id+": "+what, limit, func() bool { p = s.payment(id); return ok(p) })
	})
	return p
}

func (s *scene) awaitOrder(id, what string, ok func(orderSeen) bool) orderSeen {
	var o orderSeen
	s.explain(func() string {
		return fmt.Sprintf("order %s is %s, %s, %s, by %s", id, o.Status, o.PaymentStatus, o.FulfillmentStatus, kinds(o.Timeline))
	}, func() {
		s.until("order "+id+": "+what, func() bool { o = s.orderNow(id); return ok(o) })
	})
	return o
}

// explain adds what was seen last to the failure of fn.
func (s *scene) explain(seen func() string, fn func()) {
	defer func() {
		r := recover()
		if failed, ok := r.(notAsPromised); ok {
			r = notAsPromised{fmt.Errorf("%w; %s", failed.error, seen())}
		}
		if r != nil {
			panic(r)
		}
	}()
	fn()
}

func isStatus(status orders.Status) func(orderSeen) bool {
	return func(o orderSeen) bool { return o.Status == status }
}

func isPaid(status orders.PaymentStatus) func(orderSeen) bool {
	return func(o orderSeen) bool { return o.PaymentStatus == status }
}

// knows waits until the order has heard all that its payment has to say.
func (s *scene) knows(order string, p paymentSeen) orderSeen {
	return s.awaitOrder(order, "it knows of its payment", func(o orderSeen) bool {
		return slices.ContainsFunc(o.Payments, func(known orders.Payment) bool {
			return known.ID == p.ID && known.Status == string(p.Status) && known.Captured == p.Captured &&
				known.Refunded == p.Refunded && known.RefundPending == p.RefundPending
		})
	})
}

// kinds are the types of a timeline.
func kinds(timeline []eventwire.Transition) []string {
	list := make([]string, len(timeline))
	for i, t := range timeline {
		list[i] = t.Type
	}
	return list
}

// timesOf counts a type in a timeline.
func timesOf(timeline []eventwire.Transition, kind string) int {
	n := 0
	for _, t := range timeline {
		if t.Type == kind {
			n++
		}
	}
	return n
}

// whole ends the scenario unless the timeline and the feed tell the same story,
// without a hole and without a repetition.
func (s *scene) whole(p paymentSeen) {
	for i, t := range p.Timeline {
		s.check(t.Seq == int64(i+1), "entry %d of the timeline of %s has seq %d", i+1, p.ID, t.Seq)
	}
	s.check(p.Sequence == int64(len(p.Timeline)), "%s is at %d and has %d entries", p.ID, p.Sequence, len(p.Timeline))
	var seen feedPage
	s.until("the feed of "+p.ID+" has all of its timeline", func() bool {
		seen = s.feed("payments", p.ID, 0)
		return seen.Cursor >= p.Sequence
	})
	s.check(len(seen.Events) == len(p.Timeline), "the feed of %s has %d events, its timeline %d", p.ID, len(seen.Events), len(p.Timeline))
	for i, e := range seen.Events {
		s.check(e.Seq == int64(i+1) && e.Type == p.Timeline[i].Type, "event %d of the feed of %s is %d %s", i+1, p.ID, e.Seq, e.Type)
	}
}

// told is what a callback says.
type told struct {
	Type       string
	Payment    string
	Reference  string
	Amount     int64
	Currency   string
	OccurredAt time.Time
}

// about is a callback about a payment as it should be.
func (s *scene) about(p paymentSeen, kind string) told {
	return told{kind, p.ID, p.Reference, p.Amount, string(p.Currency), s.now()}
}

func (t told) body() []byte {
	data := map[string]any{"reference": t.Reference, "amount": t.Amount, "currency": t.Currency, "occurred_at": t.OccurredAt}
	if t.Payment != "" {
		data["payment"] = t.Payment
	}
	text, err := json.Marshal(map[string]any{"type": t.Type, "data": data})
	if err != nil {
		panic("a callback that is no JSON: " + err.Error()) // strings, numbers and a time
	}
	return text
}

// message is a callback on its way: the very bytes and headers.
type message struct {
	header http.Header
	body   []byte
}

// signed is a callback as the bank signs it now.
func (s *scene) signed(id string, body []byte) message {
	m := message{http.Header{}, body}
	s.signer.Sign(m.header, id, s.now(), body)
	return m
}

// deliver posts a callback as the bank does.
func (s *scene) deliver(m message) (answer, error) {
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.box.at.Public+"/v1/callbacks/"+sandboxbank.ProviderName, bytes.NewReader(m.body))
	if err != nil {
		return answer{}, err
	}
	r.Header = m.header.Clone()
	r.Header.Set("Content-Type", "application/json")
	return s.send(r)
}

// tell delivers a callback and demands the status.
func (s *scene) tell(status int, m message) {
	a, err := s.deliver(m)
	s.must(err)
	s.check(a.status == status, "the callback %s: %s, want %d", m.body, a, status)
}
