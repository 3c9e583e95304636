package payments

// ended is the provider's no.
func (c *change) ended(p *Payment, r Report) {
	switch p.Status {
	case StatusCreated, StatusRequiresAction:
		p.DeclineCode = r.DeclineCode
		c.enter(p, c.endOf(p, r))
	case StatusProcessing, StatusUnknown:
		p.DeclineCode = r.DeclineCode
		if p.DeclineCode == "" && r.State != ReportFailed {
			p.DeclineCode = string(r.State) + "_at_provider"
		}
		c.enter(p, StatusFailed)
	case StatusAuthorized:
		if c.endOf(p, r) == StatusExpired {
			c.enter(p, StatusExpired)
			return
		}
		c.enter(p, StatusVoided)
	case StatusReview:
		if p.held() {
			c.enter(p, StatusVoided)
		}
	}
}

// endOf is the status for a session that ended: expired also where it was the
// clock that made us cancel it.
func (c *change) endOf(p *Payment, r Report) Status {
	in := p.OpenIntent()
	switch {
	case r.State == ReportFailed:
		return StatusFailed
	case r.State == ReportExpired || in != nil && (in.Op == OpExpire || in.Cause == CauseTimer):
		return StatusExpired
	}
	return StatusCancelled
}

// held reports whether a payment in review is approved and not captured.
func (p *Payment) held() bool { return p.Reported != nil && p.Reported.State == ReportAuthorized }

// reversed is money that the provider took back. A callback about money that we
// have not heard of yet is early; an answer to a question tells both at once.
func (c *change) reversed(p *Payment, r Report) Verdict {
	if p.Status.undecided() || p.Status == StatusAuthorized || p.Status.ended() {
		if c.Cause == CauseCallback {
			return Early
		}
		c.success(p, p.reversedSum(r))
	}
	if !p.Status.CanBecome(StatusReversed) {
		return Applied
	}
	c.enter(p, StatusReversed)
	for i := range p.Refunds {
		if p.Refunds[i].Status == RefundRequested {
			c.transfer(p, &p.Refunds[i], Transfer{Status: RefundCancelled, Code: "reversed"})
		}
	}
	return Applied
}

func (p *Payment) reversedSum(r Report) Report {
	r.State = ReportCaptured
	if r.Captured == 0 {
		r.Captured = p.approved()
	}
	r.Transfers = nil
	return r
}
