package main

import (
	"fmt"
	"net/http"
	"time"

	"tracker/orders"
	"tracker/payments"
	"tracker/payments/sandboxbank"
)

func playLate(s *scene) {
	// The order is cancelled while the shopper is at the bank.
	o, p := s.bought()
	s.decide(p, sandboxbank.ApproveLate)
	s.post(http.StatusOK, "/v1/orders/"+o.ID+"/cancel", map[string]any{"reason": "sold out"}, nil)
	s.awaitPayment(p.ID, payments.StatusCancelled)
	s.restart()
	s.pass(31 * time.Minute)
	p = s.wentBack(p)
	o = s.knows(o.ID, p)
	s.check(o.Status == orders.StatusCancelled && o.PaymentStatus == orders.PaymentRefunded, "the order is %s, %s", o.Status, o.PaymentStatus)
	s.check(timesOf(o.Timeline, orders.TypeCancelled) == 1, "the order was cancelled by %s", kinds(o.Timeline))
	told := s.call(http.MethodGet, "/v1/orders/"+o.ID, nil, "Authorization", "Bearer "+o.TrackingToken)
	s.check(told.status == http.StatusOK, "the shopper asks: %s", told)

	// The payment runs out, under each policy.
	for _, policy := range []struct {
		late string
		ends func(paymentSeen) paymentSeen
	}{
		{"refund", s.wentBack},
		{"hold", func(p paymentSeen) paymentSeen { return s.awaitPayment(p.ID, payments.StatusLateSuccess) }},
		{"accept", func(p paymentSeen) paymentSeen { return s.awaitPayment(p.ID, payments.StatusCaptured) }},
	} {
		s.reconfigure(map[string]string{"TRACKER_LATE_SUCCESS": policy.late})
		_, p := s.bought()
		s.decide(p, sandboxbank.ApproveLate)
		s.pass(30 * time.Minute)
		s.until("it is expired", func() bool { return s.payment(p.ID).Status == payments.StatusExpired })
		s.pass(2 * time.Second)
		p = policy.ends(p)
		s.check(timesOf(p.Timeline, "payment.late_success") == 1, "under the policy %s it went by %s", policy.late, kinds(p.Timeline))
		if policy.late == "hold" { // it is the merchant's turn
			s.post(http.StatusOK, "/v1/payments/"+p.ID+"/review", map[string]any{"decision": "return"}, nil)
			s.awaitPayment(p.ID, payments.StatusRefunded)
		}
	}
}

// wentBack demands that all money went back, in one refund, at us and at the bank.
func (s *scene) wentBack(p paymentSeen) paymentSeen {
	p = s.awaitPayment(p.ID, payments.StatusRefunded)
	session := s.atBank(p)
	refunds, err := s.bank.Refunds(s.ctx, p.Reference)
	s.must(err)
	s.check(len(p.Refunds) == 1 && len(refunds) == 1 && session.Refunded == session.Captured,
		"%d refunds here, %d at the bank, which gave back %d of %d", len(p.Refunds), len(refunds), session.Refunded, session.Captured)
	return p
}

func playTwoTabs(s *scene) {
	o := s.order(scenarioPrice, "EUR")
	tabs := []paymentSeen{s.pay(o.ID), s.pay(o.ID)}
	s.together(2, func(i int) error {
		_, err := s.bank.Decide(s.ctx, tabs[i].Reference, sandboxbank.DecideRequest{Decision: sandboxbank.Approve})
		return err
	})
	s.restart()
	first, second := tabs[0], tabs[1]
	s.settle("one is captured and the other refunded", 5*time.Minute, func() bool {
		first, second = s.payment(tabs[0].ID), s.payment(tabs[1].ID)
		if first.Status == payments.StatusRefunded {
			first, second = second, first
		}
		return first.Status == payments.StatusCaptured && second.Status == payments.StatusRefunded
	})
	s.wentBack(second)
	s.check(s.atBank(first).Refunded == 0, "the first got %d back", s.atBank(first).Refunded)
	s.check(timesOf(second.Timeline, "payment.late_success") == 1, "the second went by %s", kinds(second.Timeline))
	s.knows(o.ID, first)
	o = s.knows(o.ID, second)
	s.check(o.Status == orders.StatusConfirmed && o.PaymentStatus == orders.PaymentPaid, "the order is %s, %s", o.Status, o.PaymentStatus)
	s.check(timesOf(o.Timeline, orders.TypeConfirmed) == 1, "the order was confirmed by %s", kinds(o.Timeline))
	s.conflict(payments.CodeOrderPaid, http.MethodPost, "/v1/payments", map[string]any{"order_id": o.ID})
}

func playCancelAgainstPay(s *scene) {
	const rounds = 12
	var list [rounds]struct {
		order   orderSeen
		payment paymentSeen
	}
	for i := range list {
		list[i].order, list[i].payment = s.bought()
	}
	race := func(i int) error {
		r := list[i/2]
		if i%2 == 0 {
			_, err := s.bank.Decide(s.ctx, r.payment.Reference, sandboxbank.DecideRequest{Decision: sandboxbank.Approve})
			if err != nil && s.sessionIs(r.payment, sandboxbank.StatusCancelled) {
				return nil // the cancel was first
			}
			return err
		}
		a, err := s.surely("/v1/orders/"+r.order.ID+"/cancel", map[string]any{}, "cancel-"+r.order.ID)
		if err == nil && a.status != http.StatusOK && (a.status != http.StatusConflict || a.problem().Current.Status == "") {
			return fmt.Errorf("a cancel: %s", a)
		}
		return err
	}
	s.together(rounds, race)
	s.restart()
	s.together(rounds, func(i int) error { return race(i + rounds) })
	for _, r := range list {
		s.settleRace(r.order, r.payment)
	}
	s.check(s.figure(figureOverdue) == 0, "%v payments are overdue", s.figure(figureOverdue))
}

func (s *scene) sessionIs(p paymentSeen, status string) bool {
	session, err := s.bank.Session(s.ctx, p.Reference)
	return err == nil && session.Status == status
}

// settleRace demands the promise of a race: what was captured belongs to a living
// order, or went back.
func (s *scene) settleRace(o orderSeen, p paymentSeen) {
	var session sandboxbank.Session
	s.explain(func() string {
		return fmt.Sprintf("the order is %s, %s; the payment %s, by %s; the bank took %d and gave back %d",
			o.Status, o.PaymentStatus, p.Status, kinds(p.Timeline), session.Captured, session.Refunded)
	}, func() {
		s.settle("the race is over", 10*time.Minute, func() bool {
			o, p, session = s.orderNow(o.ID), s.payment(p.ID), s.atBank(p)
			alive := o.Status == orders.StatusConfirmed && o.PaymentStatus == orders.PaymentPaid && p.Status == payments.StatusCaptured && session.Captured == scenarioPrice
			over := o.Status == orders.StatusCancelled || o.Status == orders.StatusExpired
			nothing := session.Captured == 0 && (p.Status == payments.StatusCancelled || p.Status == payments.StatusExpired)
			back := session.Captured == scenarioPrice && p.Status == payments.StatusRefunded
			return (alive || over && (nothing || back)) && session.Refunded == p.Refunded && p.Captured == session.Captured
		})
	})
	s.whole(p)
}

func playExpiryAgainstPay(s *scene) {
	hurried := func() (orderSeen, paymentSeen) {
		o := s.orderOf(map[string]any{"currency": "EUR", "expires_in": "10m", "items": []map[string]any{
			{"sku": "mug", "name": "Mug", "quantity": 1, "unit_amount": scenarioPrice}}})
		return o, s.pay(o.ID)
	}
	// The bank is at it: the order waits for its word.
	o, p := hurried()
	s.tell(http.StatusOK, s.signed(s.name("evt"), s.about(p, saysProcessing).body()))
	s.decide(p, sandboxbank.Pend)
	s.knows(o.ID, s.payment(p.ID))
	s.pass(20 * time.Minute)
	idle, idleToo := hurried() // when this one is gone, the sweeper has been round
	s.pass(11 * time.Minute)
	s.awaitOrder(idle.ID, "it is expired", isStatus(orders.StatusExpired))
	s.awaitPayment(idleToo.ID, payments.StatusExpired)
	s.check(s.orderNow(o.ID).Status == orders.StatusPendingPayment, "an order whose payment is at the bank is %s", s.orderNow(o.ID).Status)
	s.decide(p, sandboxbank.Approve)
	s.awaitPayment(p.ID, payments.StatusCaptured)
	s.awaitOrder(o.ID, "it is confirmed", isStatus(orders.StatusConfirmed))

	// The money was taken and nobody told us: the bank is asked before it ends.
	o, p = hurried()
	s.decide(p, sandboxbank.ApproveSilent)
	s.pass(11 * time.Minute)
	s.restart()
	s.settleRace(o, p)

	// The callback comes while the time runs out.
	for range 6 {
		o, p := hurried()
		s.decide(p, sandboxbank.ApproveSilent)
		m := s.signed(s.name("evt"), s.about(p, saysSucceeded).body())
		m2 := message{http.Header{}, m.body}
		s.signer.Sign(m2.header, m.header.Get(sandboxbank.HeaderID), s.now().Add(10*time.Minute), m.body)
		s.together(2, func(i int) error {
			if i == 0 {
				return s.box.pass(s.ctx, 10*time.Minute)
			}
			a, err := s.deliver(m)
			if err == nil && a.status == http.StatusUnauthorized { // it came after the clock was moved
				a, err = s.deliver(m2)
			}
			if err == nil && a.status != http.StatusOK {
				err = fmt.Errorf("the callback: %s", a)
			}
			return err
		})
		s.settleRace(o, p)
	}
}
