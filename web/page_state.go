package web

import (
	"time"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/payments"
)

// pageState is everything that a shopper's page shows, as it is: the newest
// event of the order and of its payments. It is also the JSON that the page
// hands to its script, which keeps it up to date by itself.
type pageState struct {
	Order    orders.Summary          `json:"order"`
	Timeline []eventwire.Transition  `json:"timeline"`
	Payments map[string]paymentState `json:"payments"`
	Closed   bool                    `json:"closed"`
	Settings pageSettings            `json:"settings"`

	merchant string // whose order it is; not for the page
}

type paymentState struct {
	Payment  payments.Summary       `json:"payment"`
	Timeline []eventwire.Transition `json:"timeline"`
}

// pageSettings are the service's own words and rules as far as pages tell them.
type pageSettings struct {
	RefundDays  string `json:"refund_days"`  // "5 to 10"
	LateSuccess string `json:"late_success"` // refund, hold, accept
}

func (s pageState) sum(minor int64) cash { return cash{minor, s.Order.Currency} }

// lastPayment is the newest payment of the order as the order knows it.
func (s pageState) lastPayment() (orders.Payment, bool) {
	if n := len(s.Order.Payments); n > 0 {
		return s.Order.Payments[n-1], true
	}
	return orders.Payment{}, false
}

// paid is what was captured and counts, before refunds.
func (s pageState) paid() int64 {
	var sum int64
	for _, p := range s.Order.Payments {
		if p.Status != "reversed" && p.Status != "late_success" && p.Status != "refund_pending" {
			sum += p.Captured
		}
	}
	return sum
}

// rest is what is still to be paid.
func (s pageState) rest() int64 { return max(0, s.Order.Amount-s.paid()) }

// last is the newest transition of one of types, on the order's own timeline.
func (s pageState) last(types ...string) (eventwire.Transition, bool) {
	for i := len(s.Timeline) - 1; i >= 0; i-- {
		for _, t := range types {
			if s.Timeline[i].Type == t {
				return s.Timeline[i], true
			}
		}
	}
	return eventwire.Transition{}, false
}

// since is when the newest transition of a type happened; the order's last
// change where the timeline does not tell.
func (s pageState) since(kind string) time.Time {
	if t, ok := s.last(kind); ok {
		return t.At
	}
	return s.Order.UpdatedAt
}

// paidAt is when the payment status came to be one that means money.
func (s pageState) paidAt() (eventwire.Transition, bool) {
	for _, t := range s.Timeline {
		if t.Type == "order.payment_changed" && (t.To == "paid" || t.To == "overpaid" || t.To == "authorized") {
			return t, true
		}
	}
	return eventwire.Transition{}, false
}
