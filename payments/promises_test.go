package payments_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"tracker/payments"
)

// check is what must hold at every moment, whatever is under way.
func (c *chaos) check(rt *rapid.T) {
	if len(c.wrong) > 0 {
		rt.Fatalf("errors: %v", c.wrong)
	}
	for _, p := range c.all() {
		switch {
		case p.Refunded+p.RefundPending > p.Captured:
			rt.Fatalf("refunds %d and %d of %d captured\n%s", p.Refunded, p.RefundPending, p.Captured, story(p))
		case p.Closed() != p.NextCheckAt.IsZero():
			rt.Fatalf("%s, closed %v, next check %v\n%s", p.Status, p.Closed(), p.NextCheckAt, story(p))
		case p.Sequence < c.seen[p.ID] || int(p.Sequence) != len(p.Timeline) || len(c.events(p.ID)) != len(p.Timeline):
			rt.Fatalf("a hole: sequence %d, %d transitions, %d events\n%s", p.Sequence, len(p.Timeline), len(c.events(p.ID)), story(p))
		}
		c.seen[p.ID] = p.Sequence
		c.checkStory(rt, p)
		if s := c.bank.sessions[p.Reference]; s != nil && s.sent() > s.Captured {
			rt.Fatalf("the bank sent back %d of %d\n%s", s.sent(), s.Captured, story(p))
		}
	}
}

func (c *chaos) checkStory(rt *rapid.T, p payments.Payment) {
	at := payments.Status("")
	for i, step := range p.Timeline {
		if step.Seq != int64(i+1) || step.Cause == "" || step.At.IsZero() {
			rt.Fatalf("step %d is not whole: %+v", i+1, step)
		}
		if step.Subject != "" {
			continue // of a refund
		}
		if at != "" && !at.CanBecome(payments.Status(step.To)) || string(at) != step.From {
			rt.Fatalf("%s may not become %s\n%s", at, step.To, story(p))
		}
		at = payments.Status(step.To)
	}
	if at != p.Status {
		rt.Fatalf("the story ends in %s, the payment is %s", at, p.Status)
	}
}

// finish heals everything and lets a month pass: then no payment may be stuck
// and the money must add up.
func (c *chaos) finish(rt *rapid.T) {
	c.mood, c.store.death, c.bank.slow = "", alive, false
	c.restart()
	c.bank.settleTransfers(true)
	for _, w := range c.waiting {
		if err := c.trySay(w.payment, w.event, w.report); err != nil {
			rt.Fatalf("callback: %v", err)
		}
	}
	c.settleAll(30 * 24 * time.Hour)
	c.check(rt)
	var kept int64
	for _, p := range c.all() {
		kept += c.checkEnd(rt, p)
	}
	if kept > 1000 {
		rt.Fatalf("the order costs 1000, kept %d", kept)
	}
}

// checkEnd compares the end of a payment with what the bank did, and returns what
// was kept.
func (c *chaos) checkEnd(rt *rapid.T, p payments.Payment) int64 {
	s := c.bank.sessions[p.Reference]
	if s == nil {
		if !p.Closed() {
			rt.Fatalf("no session, and not closed\n%s", story(p))
		}
		return 0
	}
	net := s.Captured - s.sent()
	person := p.Status == payments.StatusReview || p.Status == payments.StatusLateSuccess
	switch {
	case !p.Closed() && !person && s.State != payments.ReportProcessing:
		rt.Fatalf("stuck in %s, the bank says %s\n%s", p.Status, s.State, story(p))
	case person || s.State == payments.ReportReversed || s.State == payments.ReportProcessing:
		return 0
	case p.Captured != s.Captured && c.told(p):
		rt.Fatalf("we say captured %d, the bank %d\n%s", p.Captured, s.Captured, story(p))
	case p.Captured-p.Refunded != net && c.told(p):
		rt.Fatalf("we say %d is kept, the bank %d\n%s", p.Captured-p.Refunded, net, story(p))
	case c.outcome == "cancelled" && net != 0 && c.told(p):
		rt.Fatalf("the order is cancelled and %d of it is kept\n%s", net, story(p))
	case p.Status == payments.StatusFailed && s.State == payments.ReportCaptured && c.told(p):
		rt.Fatalf("failed, and the bank has the money\n%s", story(p))
	}
	return p.Captured - p.Refunded
}

// told reports whether the bank's last word can have reached us: nobody asks
// about a payment that ended, so a dropped late callback stays unknown to us, and
// so does that of a refund at the bank of a payment that is closed.
func (c *chaos) told(p payments.Payment) bool {
	ended := slices.Contains([]payments.Status{payments.StatusFailed, payments.StatusExpired,
		payments.StatusCancelled, payments.StatusVoided}, p.Status)
	return !c.unheard[p.ID] && (!ended || !c.dropped[p.ID])
}
