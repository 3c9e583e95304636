package payments

// OrderClosed is the order's end: from now on it takes no money.
type OrderClosed struct{ As Closing }

func (f OrderClosed) apply(c *change) (Verdict, error) {
	if c.Closed == f.As || c.Closed == ClosedCancelled {
		return Same, nil
	}
	c.Closed = f.As
	if f.As == ClosedExpired && c.pol.Late == LateRefund {
		for _, p := range c.Payments {
			if p.Status.settled() {
				c.giveBack(p)
			}
		}
	}
	return Applied, nil
}

// keyClosed is the cause of the refund that a closed order owes. An order that
// expired and is then cancelled has two causes: the second must not be taken for
// done because the first one failed.
func (l *Ledger) keyClosed() string { return "order_" + string(l.Closed) }

// obey does what a closed or otherwise paid order demands of p, unless the
// provider still has to answer something. It reports whether it did anything.
func (c *change) obey(p *Payment) bool {
	if p.OpenIntent() != nil || c.broken != nil {
		return false
	}
	seq, intents := p.Sequence, len(p.Intents)
	c.onBehalfOf(CauseOrder, func() {
		switch {
		case p.Status == StatusAuthorized && c.lost(p) && !p.wasAsked(OpVoid, CauseOrder):
			c.addIntent(p, OpVoid, 0, "")
		case c.Closed != "" && (p.Status == StatusCreated || p.Status == StatusRequiresAction):
			c.stop(p)
		case c.Closed == ClosedCancelled:
			c.giveBack(p)
		}
		if c.Closed != "" && p.Status == StatusPartiallyCaptured && p.Capturable() > 0 && p.OpenIntent() == nil && !p.wasAsked(OpVoid, CauseOrder) {
			c.addIntent(p, OpVoid, 0, "")
		}
	})
	return p.Sequence != seq || len(p.Intents) != intents
}

// stop ends a payment that nobody has approved.
func (c *change) stop(p *Payment) {
	op, end := OpCancel, StatusCancelled
	if c.Closed == ClosedExpired {
		op, end = OpExpire, StatusExpired
	}
	if p.Reference != "" {
		c.addIntent(p, op, 0, "")
		return
	}
	c.enter(p, end)
}

// giveBack returns what a closed order has no right to, once.
func (c *change) giveBack(p *Payment) {
	key := c.keyClosed()
	if p.hasRefund(key) {
		return
	}
	switch {
	case p.Status == StatusReview && p.held():
		if !p.wasAsked(OpVoid, CauseOrder) {
			c.addIntent(p, OpVoid, 0, "")
		}
	case p.Status == StatusLateSuccess:
		c.sendBack(p, key)
	case p.Status == StatusReview && len(p.failedRefunds()) == 0:
		c.takeReported(p)
		if p.Refundable() > 0 {
			c.sendBack(p, key)
		}
	case p.Status.settled() && p.Refundable() > 0 && p.OpenIntent() == nil:
		c.addRefund(p, p.Refundable(), key, key)
	}
}

// takeReported believes the provider's claim, so that it can be sent back or kept.
func (c *change) takeReported(p *Payment) {
	if p.Reported != nil && !p.held() && p.Reported.Amount > p.Captured {
		p.Captured = p.Reported.Amount
	}
}

func (p *Payment) failedRefunds() []Refund {
	var list []Refund
	for _, r := range p.Refunds {
		if r.Status == RefundFailed || r.Status == RefundCancelled {
			list = append(list, r)
		}
	}
	return list
}

// wasAsked reports whether the provider was ever asked for op on by's behalf;
// by "" means on anybody's.
func (p *Payment) wasAsked(op Op, by Cause) bool {
	for _, in := range p.Intents {
		if in.Op == op && (by == "" || in.Cause == by) {
			return true
		}
	}
	return false
}
