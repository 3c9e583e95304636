package payments

// success is the provider's yes. Only a payment that has no verdict of its own
// yet can take it; a wrong amount, currency or payee goes before a person.
func (c *change) success(p *Payment, r Report) {
	switch p.Status {
	case StatusReview, StatusLateSuccess, StatusRefundPending, StatusRefunded, StatusReversed:
		return
	}
	repeated := r.State == ReportAuthorized || r.Captured <= p.Captured
	if (p.Status.settled() || r.State == ReportAuthorized && p.Status == StatusAuthorized) && repeated && p.sameCurrency(r) {
		return
	}
	switch {
	case p.differs(r) || p.Status == StatusPartiallyRefunded:
		c.review(p, r)
	case r.State == ReportAuthorized:
		c.authorized(p)
	default:
		c.captured(p, r)
	}
}

func (p *Payment) sameCurrency(r Report) bool {
	return r.Currency == "" || r.Currency == p.Amount.Currency
}

// differs compares what the provider says with what we asked for. What it does
// not say is not compared, but a captured sum must be there and fit.
func (p *Payment) differs(r Report) bool {
	other := func(a, b string) bool { return a != "" && b != "" && a != b }
	if !p.sameCurrency(r) || other(r.Payee, p.Payee) || other(r.Reference, p.Reference) {
		return true
	}
	want, taken := p.approved(), r.State == ReportCaptured
	// Some providers tell the captured part as the amount of their message.
	if r.Amount != 0 && r.Amount != want && !(taken && r.Amount == r.Captured) {
		return true
	}
	return taken && r.Captured != want && !p.partAskedFor(r.Captured)
}

// partAskedFor reports whether sum is a part that we asked to capture. A part
// that nobody asked for is a mismatch.
func (p *Payment) partAskedFor(sum int64) bool {
	for _, in := range p.Intents {
		if in.Op == OpCapture && sum > 0 && sum <= in.Target {
			return p.Capture == CaptureManual
		}
	}
	return false
}

func (c *change) review(p *Payment, r Report) {
	p.Reported = &Reported{Amount: r.Captured, Currency: r.Currency, Payee: r.Payee, State: r.State}
	if p.Reported.Amount == 0 {
		p.Reported.Amount = r.Amount
	}
	if p.Reported.Amount == 0 {
		p.Reported.Amount = p.approved()
	}
	if p.Reported.Currency == "" {
		p.Reported.Currency = p.Amount.Currency
	}
	c.enter(p, StatusReview)
}

// authorized holds the money for the merchant's decision. Where the order has no
// room for it, or the payment ended before, it is released at once.
func (c *change) authorized(p *Payment) {
	switch {
	case p.Status.ended():
		if !p.wasAsked(OpVoid, "") {
			c.addIntent(p, OpVoid, 0, "")
		}
	case p.Status.undecided():
		c.claim(p)
		p.Approved = p.approved()
		p.ExpiresAt = c.At.Add(c.pol.Hold)
		c.enter(p, StatusAuthorized)
	}
}

func (c *change) captured(p *Payment, r Report) {
	p.Captured, p.Approved = r.Captured, p.approved()
	switch {
	case p.Status.settled():
		c.enter(p, p.capturedStatus())
	case p.Status.ended() || c.lost(p):
		c.late(p)
	default:
		c.claim(p)
		c.enter(p, p.capturedStatus())
	}
}

func (p *Payment) capturedStatus() Status {
	if p.Captured < p.approved() {
		return StatusPartiallyCaptured
	}
	return StatusCaptured
}

// late is money that nobody waits for any more: the policy decides, except where
// the order was cancelled or is paid by another payment.
func (c *change) late(p *Payment) {
	c.enter(p, StatusLateSuccess)
	switch {
	case c.mustReturn(p) || c.pol.Late == LateRefund:
		c.sendBack(p, "late_success")
	case c.pol.Late == LateAccept:
		c.claim(p)
		c.enter(p, p.capturedStatus())
	}
}
