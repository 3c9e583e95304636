package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"tracker/orders"
	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/sandboxbank"
)

func playWrongAmount(s *scene) {
	parcel := map[string]any{"carrier": "DHL", "tracking_number": "1"}
	cases := []struct {
		what string
		says sandboxbank.DecideRequest
	}{
		{"one too much", sandboxbank.DecideRequest{Amount: scenarioPrice + 1}},
		{"one too little", sandboxbank.DecideRequest{Amount: scenarioPrice - 1}},
		{"a part", sandboxbank.DecideRequest{}},
		{"a hundred times", sandboxbank.DecideRequest{Amount: 100 * scenarioPrice}},
		{"another currency", sandboxbank.DecideRequest{Currency: "USD"}},
		{"another account", sandboxbank.DecideRequest{Payee: "somebody-else"}},
	}
	for i, c := range cases {
		o, p := s.bought()
		c.says.Decision = sandboxbank.ApproveWrongAmount
		silent := c.says.Payee != "" // callbacks do not name the account; the answer to a question does
		if silent {
			s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultDropCallbacks, Match: p.ID})
		}
		s.decideBy(p, c.says)
		if i == 2 {
			s.restart()
		}
		if silent {
			s.settle(c.what+": it is in review", 5*time.Minute, func() bool { return s.payment(p.ID).Status == payments.StatusReview })
		}
		p = s.awaitPayment(p.ID, payments.StatusReview)
		s.check(p.Reported != nil, "%s: the payment does not say what was reported", c.what)
		o = s.awaitOrder(o.ID, "it waits for a person", isPaid(orders.PaymentReview))
		s.check(o.Status == orders.StatusPendingPayment, "%s: the order is %s", c.what, o.Status)
		s.conflict(orders.CodeNotConfirmed, http.MethodPost, "/v1/orders/"+o.ID+"/shipments", parcel)
		if c.says.Currency != "" {
			s.conflict(payments.CodeCurrency, http.MethodPost, "/v1/payments/"+p.ID+"/review", map[string]any{"decision": "accept"})
		}
		s.post(http.StatusOK, "/v1/payments/"+p.ID+"/review", map[string]any{"decision": "return"}, nil)
		s.wentBack(p)
	}
}

func playRefunds(s *scene) { refundAtOnce(s, 50) }

// refundAtOnce captures in parts and then asks for twice n refunds at once, each
// a fiftieth of what was captured.
func refundAtOnce(s *scene, n int) {
	const part, captured = 60, 3000
	o := s.order(5000, "EUR")
	p := s.payBy(map[string]any{"order_id": o.ID, "capture": "manual"})
	s.decide(p, sandboxbank.Approve)
	s.awaitPayment(p.ID, payments.StatusAuthorized)
	capture := "/v1/payments/" + p.ID + "/capture"
	s.post(http.StatusOK, capture, map[string]any{"amount": 1000}, nil)
	s.post(http.StatusOK, capture, map[string]any{"amount": 2000}, nil)
	s.conflict(payments.CodeCaptureExceeds, http.MethodPost, capture, map[string]any{"amount": 2001})
	p = s.awaitPaymentThat(p.ID, "3000 are captured", 5*time.Minute, func(p paymentSeen) bool { return p.Captured == captured })
	s.check(p.Status == payments.StatusPartiallyCaptured && s.atBank(p).Captured == captured, "it is %s, and the bank took %d", p.Status, s.atBank(p).Captured)

	var accepted atomic.Int64
	refund := func(i int) error {
		a, err := s.surely("/v1/refunds", map[string]any{"payment_id": p.ID, "amount": part}, fmt.Sprint("part-", i))
		if code := a.problem().Code; err != nil || code == payments.CodeRefundExceeds || code == payments.CodeIllegalTransition {
			return err // there is not so much left, or nothing at all
		}
		if a.status != http.StatusCreated {
			return fmt.Errorf("refund %d: %s", i, a)
		}
		accepted.Add(1)
		return nil
	}
	s.together(n, refund)
	s.restart()
	s.together(n, func(i int) error { return refund(n + i) })
	s.check(accepted.Load() == captured/part, "%d refunds of %d were accepted, of %d", accepted.Load(), part, captured)
	p = s.awaitPaymentThat(p.ID, "all refunds have succeeded", 10*time.Minute, func(p paymentSeen) bool { return p.RefundPending == 0 })
	s.check(p.Refunded == captured && s.atBank(p).Refunded == captured, "%d of %d went back, %d at the bank", p.Refunded, captured, s.atBank(p).Refunded)
	s.conflict(payments.CodeIllegalTransition, http.MethodPost, "/v1/refunds", map[string]any{"payment_id": p.ID, "amount": 1})
	s.whole(p)
}

func playRefundTwice(s *scene) {
	_, p := s.paid()
	body := map[string]any{"payment_id": p.ID, "amount": 700}
	// The job runs twice at once, and the bank's first answer is lost.
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultLostAnswer, Match: "refund " + p.Reference, Delay: "20ms", Count: 1})
	job := func(int) error {
		a, err := s.surely("/v1/refunds", body, "job")
		if err == nil && a.status != http.StatusCreated {
			err = fmt.Errorf("the job: %s", a)
		}
		return err
	}
	s.together(2, job)
	s.restart()
	s.together(2, job)
	s.settle("the refund has succeeded", 10*time.Minute, func() bool { return s.payment(p.ID).Refunded == 700 })
	p = s.payment(p.ID)
	refunds, err := s.bank.Refunds(s.ctx, p.Reference)
	s.must(err)
	s.check(len(p.Refunds) == 1 && len(refunds) == 1, "%d refunds here, %d at the bank", len(p.Refunds), len(refunds))
	other := s.call(http.MethodPost, "/v1/refunds", map[string]any{"payment_id": p.ID, "amount": 701}, "Idempotency-Key", "job")
	s.check(other.status == http.StatusUnprocessableEntity, "the key for another amount: %s", other)

	// A cancel owes a refund. However often it is heard, it is one.
	o, q := s.paid()
	s.together(5, func(i int) error {
		_, err := s.surely("/v1/orders/"+o.ID+"/cancel", map[string]any{}, fmt.Sprint("cancel-", i))
		return err
	})
	s.wentBack(q)
}

func playCurrencies(s *scene) {
	amounts := map[money.Currency]int64{
		"JPY": 1999, "KRW": 45000, "CLP": 990, "EUR": 1999, "USD": 1, "GBP": 100, "HUF": 250050, "ISK": 3, "UGX": 12345,
		"KWD": 1999, "BHD": 1, "TND": 1234567, "CLF": 19999, "UYW": 70001,
	}
	n := 0
	for currency, amount := range amounts {
		if n++; n == len(amounts)/2 {
			s.restart()
		}
		o := s.order(amount, string(currency))
		p := s.pay(o.ID)
		session := s.atBank(p)
		s.check(p.Amount == amount && session.Amount == amount && session.Currency == string(currency),
			"%d %s are %d %s to us and %d %s to the bank", amount, currency, p.Amount, p.Currency, session.Amount, session.Currency)
		s.decide(p, sandboxbank.Approve)
		p = s.awaitPayment(p.ID, payments.StatusCaptured)
		s.check(p.Captured == amount, "%d %s: %d were captured", amount, currency, p.Captured)
		s.post(http.StatusCreated, "/v1/refunds", map[string]any{"payment_id": p.ID, "amount": 1}, nil)
		p = s.awaitPaymentThat(p.ID, "one minor unit went back", 5*time.Minute, func(p paymentSeen) bool { return p.Refunded == 1 })
		s.check(s.atBank(p).Refunded == 1, "%s: the bank gave back %d", currency, s.atBank(p).Refunded)
	}
	for _, wrong := range []map[string]any{
		{"currency": "EUR", "items": []map[string]any{{"sku": "a", "name": "A", "quantity": 1, "unit_amount": 19.99}}},
		{"currency": "XXX", "items": []map[string]any{{"sku": "a", "name": "A", "quantity": 1, "unit_amount": 1}}},
		{"currency": "eur", "items": []map[string]any{{"sku": "a", "name": "A", "quantity": 1, "unit_amount": 1}}},
		{"currency": "EUR", "items": []map[string]any{{"sku": "a", "name": "A", "quantity": 1 << 40, "unit_amount": 1 << 40}}},
	} {
		wrong["reference"] = s.name("wrong")
		s.want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/orders", wrong)
	}
}
