package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tracker/orders"
	"tracker/payments"
	"tracker/payments/sandboxbank"
)

// The bank's words.
const (
	saysSucceeded  = "payment.succeeded"
	saysFailed     = "payment.failed"
	saysProcessing = "payment.processing"
	saysAuthorized = "payment.authorized"
	saysReversed   = "payment.reversed"
)

func playDuplicate(s *scene) {
	o, p := s.bought()
	s.decide(p, sandboxbank.ApproveSilent)
	m := s.signed("evt_copies", s.about(p, saysSucceeded).body())
	copies := func(n int) {
		s.together(n, func(int) error {
			a, err := s.deliver(m)
			if err == nil && a.status/100 != 2 {
				err = fmt.Errorf("a copy: %s", a)
			}
			return err
		})
	}
	copies(25)
	s.restart()
	copies(25)
	p = s.payment(p.ID)
	want := []string{"payment.created", "payment.requires_action", "payment.captured"}
	s.check(slices.Equal(kinds(p.Timeline), want), "fifty copies led to %s", kinds(p.Timeline))
	s.whole(p)
	o = s.awaitOrder(o.ID, "it is confirmed", isStatus(orders.StatusConfirmed))
	s.check(timesOf(o.Timeline, orders.TypeConfirmed) == 1, "the order was confirmed by %s", kinds(o.Timeline))
}

func playRenamed(s *scene) {
	_, p := s.bought()
	s.decide(p, sandboxbank.ApproveSilent)
	body := s.about(p, saysSucceeded).body()
	s.tell(http.StatusOK, s.signed("evt_first", body))
	s.restart()
	s.tell(http.StatusOK, s.signed("evt_second", body))
	s.tell(http.StatusOK, s.signed("evt_third", s.about(p, saysSucceeded).body()))
	p = s.payment(p.ID)
	s.check(p.Status == payments.StatusCaptured && len(p.Timeline) == 3, "three ids of one message led to %s", kinds(p.Timeline))

	_, q := s.bought()
	s.decide(q, sandboxbank.ApproveTwice) // the bank itself repeats and renames
	s.awaitPayment(q.ID, payments.StatusCaptured)
	s.pass(time.Second)
	s.pass(time.Second)
	q = s.payment(q.ID)
	s.check(timesOf(q.Timeline, "payment.captured") == 1, "the bank said it three times: %s", kinds(q.Timeline))
	s.whole(q)
}

func playOutOfOrder(s *scene) {
	says := []string{saysProcessing, saysAuthorized, saysSucceeded, saysReversed}
	for n, order := range everyOrder(len(says)) {
		o, p := s.bought()
		for at, i := range order {
			if n == 11 && at == 2 {
				s.restart()
			}
			m := s.about(p, says[i])
			m.OccurredAt = s.now().Add(time.Duration(i-len(says)) * time.Second)
			s.tell(http.StatusOK, s.signed(s.name("evt"), m.body()))
		}
		p = s.payment(p.ID)
		s.check(p.Status == payments.StatusReversed && p.Captured == scenarioPrice, "in the order %v it ends as %s with %d captured, by %s",
			order, p.Status, p.Captured, kinds(p.Timeline))
		o = s.knows(o.ID, p)
		s.check(o.OnHold && o.PaymentStatus == orders.PaymentFailed, "in the order %v the order ends as %s, on hold %t", order, o.PaymentStatus, o.OnHold)
	}
	s.check(s.figure(figureParked) == 0, "%v callbacks are still parked", s.figure(figureParked))
}

// everyOrder lists the permutations of 0 to n-1.
func everyOrder(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, rest := range everyOrder(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(rest), at, n-1))
		}
	}
	return all
}

func playEarly(s *scene) {
	o := s.order(scenarioPrice, "EUR")
	// The bank opens a session, and we do not hear of it.
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultLostAnswer, Match: "create", Delay: "20ms", Count: 1})
	start := map[string]any{"order_id": o.ID}
	a := s.want(http.StatusServiceUnavailable, http.MethodPost, "/v1/payments", start, "Idempotency-Key", "early")
	s.check(a.header.Get("Retry-After") != "", "%s without Retry-After", a)
	p := s.paymentsOf(o.ID)[0]
	session, err := s.bank.Open(s.ctx, sandboxbank.SessionRequest{Payment: p.ID, Amount: p.Amount, Currency: string(p.Currency)})
	s.must(err)
	p.Reference = session.ID
	s.decide(p, sandboxbank.ApproveSilent)
	m := s.about(p, saysSucceeded)
	m.Payment = "" // all that the bank says is its own reference
	s.tell(http.StatusOK, s.signed("evt_early", m.body()))
	s.check(s.payment(p.ID).Status == payments.StatusCreated, "a callback about an unknown reference led to %s", s.payment(p.ID).Status)
	s.check(s.figure(figureParked) == 1, "%v callbacks are parked, want 1", s.figure(figureParked))
	s.restart()
	// The shop tries again with the same key, and now hears of the session.
	again, err := s.surely("/v1/payments", start, "early")
	s.must(err)
	s.check(again.status == http.StatusCreated, "the same start again: %s", again)
	p = s.awaitPayment(p.ID, payments.StatusCaptured)
	s.check(timesOf(p.Timeline, "payment.captured") == 1 && len(s.paymentsOf(o.ID)) == 1, "it was started and captured by %s", kinds(p.Timeline))
	s.check(s.figure(figureParked) == 0, "%v callbacks are still parked", s.figure(figureParked))
	s.awaitOrder(o.ID, "it is confirmed", isStatus(orders.StatusConfirmed))
}

func playForged(s *scene) {
	_, p := s.bought()
	body := s.about(p, saysSucceeded).body()
	good := s.signed("evt_forged", body)
	for name, bad := range forgeries(s, good) {
		a, err := s.deliver(bad)
		s.must(err)
		s.check(a.status == http.StatusUnauthorized, "%s: %s, want 401", name, a)
	}
	count := float64(len(forgeries(s, good)))
	s.check(s.figure(figureForged) == count, "the metric counts %v of %v forgeries", s.figure(figureForged), count)
	s.check(s.payment(p.ID).Sequence == p.Sequence, "a forgery led to %s", kinds(s.payment(p.ID).Timeline))
	s.restart()

	old, err := sandboxbank.NewSigner(s.box.old)
	s.must(err)
	rotated := message{http.Header{}, body}
	old.Sign(rotated.header, "evt_rotated", s.now(), body)
	s.tell(http.StatusOK, rotated)
	p = s.awaitPayment(p.ID, payments.StatusCaptured)
	s.pass(sandboxbank.Tolerance + time.Second)
	s.tell(http.StatusUnauthorized, rotated) // recorded, and sent again later
	s.check(s.payment(p.ID).Sequence == p.Sequence, "a replay led to %s", kinds(s.payment(p.ID).Timeline))
}

// forgeries are messages that only look like the good one.
func forgeries(s *scene, good message) map[string]message {
	stranger, err := sandboxbank.NewSigner(newBankSecret())
	s.must(err)
	signed := func(by *sandboxbank.Signer, at time.Time) message {
		m := message{http.Header{}, good.body}
		by.Sign(m.header, "evt_forged", at, good.body)
		return m
	}
	flipped := message{good.header, slices.Clone(good.body)}
	flipped.body[len(flipped.body)/2] ^= 1
	renamed := message{good.header.Clone(), good.body}
	renamed.header.Set(sandboxbank.HeaderID, "evt_other")
	raised := message{good.header, []byte(strings.Replace(string(good.body), "1999", "9999", 1))}
	return map[string]message{
		"one bit of the body":    flipped,
		"another amount":         raised,
		"another id":             renamed,
		"an unknown secret":      signed(stranger, s.now()),
		"six minutes old":        signed(s.signer, s.now().Add(-6*time.Minute)),
		"six minutes ahead":      signed(s.signer, s.now().Add(6*time.Minute)),
		"no signature at all":    {http.Header{}, good.body},
		"an empty body":          {good.header, nil},
		"one space at its end":   {good.header, append(slices.Clone(good.body), ' ')},
		"the headers repeatedly": {http.Header{sandboxbank.HeaderID: {"evt_forged", "evt_forged"}}, good.body},
	}
}

func playReturnPage(s *scene) {
	o := s.order(scenarioPrice, "EUR")
	p := s.payBy(map[string]any{"order_id": o.ID, "return_url": "http://" + s.box.at.Public + "/checkout/" + o.ID + "?from=bank"})
	comeBack := func(query string) {
		a := s.call(http.MethodGet, "/checkout/"+o.ID+"?"+query, nil, "Authorization", "Bearer "+o.TrackingToken, "Accept", "text/html")
		s.check(a.status < 400, "the return page: %s", a)
	}
	lies := []string{"status=paid", "redirect_status=succeeded&payment=" + p.ID, "resultCode=Authorised", "from=bank&at=0&paid=true", "amount=1&status=captured"}
	for i, lie := range lies {
		if i == len(lies)/2 {
			s.restart()
		}
		comeBack(lie)
	}
	seen := s.payment(p.ID)
	s.check(seen.Status == payments.StatusRequiresAction && seen.Sequence == p.Sequence, "the return page led to %s", kinds(seen.Timeline))
	s.check(s.orderNow(o.ID).Status == orders.StatusPendingPayment, "the return page made the order %s", s.orderNow(o.ID).Status)

	// The truth: the bank has approved and does not call. Who comes back brings
	// one question forward, and it is the answer that counts.
	s.decide(p, sandboxbank.ApproveSilent)
	comeBack("from=bank")
	s.pass(20 * time.Second)
	seen = s.awaitPayment(p.ID, payments.StatusCaptured)
	last := seen.Timeline[len(seen.Timeline)-1]
	s.check(last.Cause == string(payments.CausePoll), "it was captured on the word of %q", last.Cause)
}

func playLatePoll(s *scene) {
	o, p := s.bought()
	s.decide(p, sandboxbank.Pend)
	s.fault(sandboxbank.Fault{Kind: sandboxbank.FaultDelay, Match: "status " + p.Reference, Delay: "1s", Count: 1})
	s.pass(2 * time.Minute) // the bank is asked, and takes its time to say: pending
	s.until("the question is at the bank", func() bool { return s.faults() == 0 })
	s.tell(http.StatusOK, s.signed("evt_faster", s.about(p, saysSucceeded).body()))
	if s.kills {
		s.restart() // the answer finds nobody
	} else {
		s.until("the answer is here", func() bool { return s.payment(p.ID).Checks == 1 })
	}
	old := s.about(p, saysProcessing)
	old.OccurredAt = s.now().Add(time.Second) // even where the bank's clock says that it is younger
	s.tell(http.StatusOK, s.signed("evt_slower", old.body()))
	s.pass(time.Hour)
	p = s.payment(p.ID)
	s.check(p.Status == payments.StatusCaptured, "the late answer led to %s", kinds(p.Timeline))
	s.check(timesOf(p.Timeline, "payment.captured") == 1, "it was captured by %s", kinds(p.Timeline))
	s.awaitOrder(o.ID, "it is confirmed", isStatus(orders.StatusConfirmed))
}
