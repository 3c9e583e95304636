package main

import (
	"fmt"
	"net/http"
	"time"

	"tracker/orders"
	"tracker/payments"
	"tracker/payments/sandboxbank"
)

func playLostCallback(s *scene) { loseCallbacks(s, 8) }

// loseCallbacks lets the bank decide about so many payments without ever
// calling, and demands that all of them find their end.
func loseCallbacks(s *scene, n int) {
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultDropCallbacks})
	began := s.now()
	list := make([]paymentSeen, n)
	for i := range list {
		_, list[i] = s.bought()
		// When the answer comes is a matter of the machine; when it is asked for is ours.
		due := s.payment(list[i].ID).NextCheckAt
		s.check(due != nil && due.Sub(began) <= 2*time.Minute, "the first question is due at %v, for a payment of %v", due, began)
	}
	for i, p := range list {
		s.decide(p, []sandboxbank.Decision{sandboxbank.Approve, sandboxbank.Decline}[i%2])
	}
	s.restart()
	s.check(s.payment(list[0].ID).Status == payments.StatusRequiresAction, "it was told, although every callback is lost")
	wants := []payments.Status{payments.StatusCaptured, payments.StatusFailed}
	// A question after 90 s and up to a fifth; where it was cut off by a kill, the
	// next one follows when the lease of the first is over.
	for i, p := range list {
		seen := p
		s.explain(func() string { return fmt.Sprintf("payment %s is %s after %d checks", p.ID, seen.Status, seen.Checks) }, func() {
			s.settle("every payment is final", 5*time.Minute, func() bool {
				seen = s.payment(p.ID)
				return seen.Status == wants[i%2]
			})
		})
		s.check(seen.Checks >= 1 && seen.Checks <= 12, "%d questions about one payment", seen.Checks)
	}
	s.check(s.figure(figureOverdue) == 0, "%v payments are overdue", s.figure(figureOverdue))
}

func playSilentBank(s *scene) {
	o, p := s.bought()
	s.decide(p, sandboxbank.Pend)
	s.settle("it is processing", 3*time.Minute, func() bool { return s.payment(p.ID).Status == payments.StatusProcessing })
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultTimeout, Match: "status " + p.Reference, Delay: "20ms"})
	s.settle("it is unknown", 10*time.Minute, func() bool { return s.payment(p.ID).Status == payments.StatusUnknown })
	s.restart()
	start := map[string]any{"order_id": o.ID}
	s.conflict(payments.CodePaymentOpen, http.MethodPost, "/v1/payments", start, "Authorization", "Bearer "+o.TrackingToken)
	s.conflict(payments.CodePaymentOpen, http.MethodPost, "/v1/payments", start)
	force := map[string]any{"order_id": o.ID, "force": true}
	s.want(http.StatusForbidden, http.MethodPost, "/v1/payments", force, "Authorization", "Bearer "+o.TrackingToken)
	second := s.payBy(force)
	s.check(s.payment(p.ID).Status == payments.StatusUnknown, "the first payment is now %s", s.payment(p.ID).Status)

	s.noFaults()
	s.decide(p, sandboxbank.Approve) // it comes after all
	s.awaitPayment(p.ID, payments.StatusCaptured)
	s.decide(second, sandboxbank.Approve)
	second = s.awaitPayment(second.ID, payments.StatusRefunded)
	s.check(s.atBank(second).Refunded == scenarioPrice && s.atBank(p).Refunded == 0, "the bank gave back %d and %d", s.atBank(p).Refunded, s.atBank(second).Refunded)
	o = s.knows(o.ID, second)
	s.check(o.Status == orders.StatusConfirmed && o.PaymentStatus == orders.PaymentPaid, "the order is %s, %s", o.Status, o.PaymentStatus)
}

func playSlowGuard(s *scene) {
	o, p := s.bought()
	s.decide(p, sandboxbank.Pend)
	s.settle("it is processing", 3*time.Minute, func() bool { return s.payment(p.ID).Status == payments.StatusProcessing })
	// From here on the bank answers nobody. The guard must not need it.
	const calls = 1000
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultTimeout, Delay: "30s", Count: calls})
	for _, as := range []string{"Bearer " + o.TrackingToken, "Bearer " + s.box.env["TRACKER_SANDBOX_KEY"]} {
		s.conflict(payments.CodePaymentOpen, http.MethodPost, "/v1/payments", map[string]any{"order_id": o.ID}, "Authorization", as)
	}
	left, err := s.bank.Faults(s.ctx)
	s.must(err)
	s.check(len(left) == 1 && left[0].Count == calls, "the guard asked the bank: of %d calls that it would leave unanswered, these are left: %+v", calls, left)
	s.noFaults()
	s.restart()

	// The start itself gets no answer: the bank has a session, and the shop asks again.
	other := s.order(scenarioPrice, "EUR")
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultLostAnswer, Match: "create", Delay: "20ms", Count: 1})
	start := map[string]any{"order_id": other.ID}
	s.want(http.StatusServiceUnavailable, http.MethodPost, "/v1/payments", start, "Idempotency-Key", "slow")
	again := s.want(http.StatusCreated, http.MethodPost, "/v1/payments", start, "Idempotency-Key", "slow")
	list := s.paymentsOf(other.ID)
	s.check(len(list) == 1, "%s, and the order has %d payments", again, len(list))
	s.decide(list[0], sandboxbank.Approve)
	s.awaitPayment(list[0].ID, payments.StatusCaptured)
	refused := s.conflict(payments.CodeOrderPaid, http.MethodPost, "/v1/payments", start)
	s.check(refused.Current.Status != "", "the conflict does not carry the present state: %+v", refused)
	s.decide(p, sandboxbank.Approve)
	s.awaitPayment(p.ID, payments.StatusCaptured)
}

func playReversed(s *scene) {
	o, p := s.bought()
	s.decide(p, sandboxbank.ApproveThenReverse)
	s.awaitPayment(p.ID, payments.StatusCaptured)
	s.restart()
	s.awaitOrder(o.ID, "it is confirmed", isStatus(orders.StatusConfirmed))
	s.pass(3 * time.Second)
	p = s.awaitPayment(p.ID, payments.StatusReversed)
	o = s.awaitOrder(o.ID, "it is on hold", func(o orderSeen) bool { return o.OnHold })
	s.check(o.FulfillmentStatus == orders.FulfillmentOnHold && o.PaymentStatus == orders.PaymentFailed, "the order is %s, %s", o.PaymentStatus, o.FulfillmentStatus)
	parcel := map[string]any{"carrier": "DHL", "tracking_number": "1"}
	s.conflict(orders.CodeOnHold, http.MethodPost, "/v1/orders/"+o.ID+"/shipments", parcel)
	s.whole(p)
	heard := s.feed("payments", p.ID, p.Sequence-1)
	s.check(len(heard.Events) == 1 && heard.Events[0].Type == "payment.reversed", "who watches heard %v", heard.Events)
}

func playGentleChecks(s *scene) {
	const n, budget = 20, 12
	list := make([]paymentSeen, n)
	for i := range list {
		_, list[i] = s.bought()
		s.decide(list[i], sandboxbank.Pend)
	}
	s.settle("all were asked about once", 3*time.Minute, func() bool { return s.checks(list, 1) })
	due := map[time.Time]bool{}
	for i := range list {
		list[i] = s.payment(list[i].ID)
		s.check(list[i].NextCheckAt != nil, "payment %s is %s and has no next check", list[i].ID, list[i].Status)
		due[*list[i].NextCheckAt] = true
	}
	s.check(len(due) > n/2, "the next checks of %d payments fall on %d moments", n, len(due))
	s.restart()

	// The bank asks for half an hour of peace.
	const peace = 30 * time.Minute
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultUnavailable, Delay: peace.String(), Count: 1, Match: "status"})
	var asked time.Time // not later than when the bank said so
	s.settle("the bank has sent one question away", peace, func() bool {
		now := s.now()
		if s.faults() > 0 {
			asked = now
			return false
		}
		return true
	})
	for _, p := range list {
		s.explain(func() string { return fmt.Sprintf("asked for peace after %s, next check at %v", asked, p.NextCheckAt) }, func() {
			s.until("payment "+p.ID+" leaves the bank in peace", func() bool {
				p = s.payment(p.ID)
				return p.NextCheckAt != nil && !p.NextCheckAt.Before(asked.Add(peace))
			})
		})
	}
	// Questions that were on their way when the bank said so are counted with their answers.
	before, same := 0, 0
	s.until("the questions on their way are answered", func() bool {
		if n := s.sumOfChecks(list); n != before {
			before, same = n, 0
		}
		same++
		return same > 20
	})
	s.pass(asked.Add(peace - time.Second).Sub(s.now()))
	s.check(s.sumOfChecks(list) == before, "the bank was asked %d times although it had said: later", s.sumOfChecks(list)-before)
	s.check(s.figure(figureOverdue) == 0, "%v payments are overdue while the bank is left in peace", s.figure(figureOverdue))

	for range 24 { // two days: the questions go on, and become rare
		s.pass(2 * time.Hour)
		s.until("nothing is overdue", func() bool { return s.figure(figureOverdue) == 0 })
	}
	for _, p := range list {
		p = s.payment(p.ID)
		s.check(p.Checks <= budget+9, "%d questions about one payment in two days", p.Checks)
		s.check(p.NextCheckAt != nil, "payment %s is %s and has no next check", p.ID, p.Status)
	}
	s.decide(list[0], sandboxbank.Approve)
	s.awaitPayment(list[0].ID, payments.StatusCaptured)
}

// faults counts the faults that the bank still has before it.
func (s *scene) faults() int {
	list, err := s.bank.Faults(s.ctx)
	s.must(err)
	return len(list)
}

// checks reports whether all of these payments were asked about so often.
func (s *scene) checks(list []paymentSeen, n int) bool {
	for _, p := range list {
		if s.payment(p.ID).Checks < n {
			return false
		}
	}
	return true
}

func (s *scene) sumOfChecks(list []paymentSeen) int {
	sum := 0
	for _, p := range list {
		sum += s.payment(p.ID).Checks
	}
	return sum
}
