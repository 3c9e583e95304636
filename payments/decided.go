package payments

import "strconv"

// Decided ends a review or a late success that is on hold.
type Decided struct {
	Payment    string
	Decision   Decision
	IfSequence int64
}

func (f Decided) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if f.repeated(p) {
		return Same, nil
	}
	if f.IfSequence != 0 && f.IfSequence != p.Sequence {
		return Same, conflict(p, CodeSequenceMismatch, "the payment has changed since")
	}
	if p.Status != StatusReview && p.Status != StatusLateSuccess {
		return Same, conflict(p, CodeIllegalTransition, "there is nothing to decide")
	}
	if in := p.OpenIntent(); in != nil {
		return Same, conflict(p, CodeBusy, "the provider has not answered the last "+string(in.Op))
	}
	if f.Decision == DecisionReturn {
		return c.giveUp(p)
	}
	return c.accept(p)
}

// repeated reports whether this very decision was taken already.
func (f Decided) repeated(p *Payment) bool {
	if in := p.OpenIntent(); in != nil && p.Status == StatusReview {
		return in.Op == OpVoid && f.Decision == DecisionReturn
	}
	for i := len(p.Timeline) - 1; i >= 0; i-- {
		t := p.Timeline[i]
		if t.From != string(StatusReview) && t.From != string(StatusLateSuccess) {
			continue
		}
		returned := t.To == string(StatusRefundPending) || t.To == string(StatusVoided)
		return p.Status != StatusReview && p.Status != StatusLateSuccess && returned == (f.Decision == DecisionReturn)
	}
	return false
}

func (c *change) accept(p *Payment) (Verdict, error) {
	switch {
	case c.mustReturn(p):
		return Same, conflict(p, CodeOrderClosed, "the order takes no money any more: return it")
	case p.currency() != p.Amount.Currency || p.Reported != nil && p.Reported.Amount <= 0:
		return Same, conflict(p, CodeCurrency, "money in another currency can only be returned")
	}
	c.claim(p)
	if r := p.Reported; r != nil {
		p.Approved = r.Amount
		if r.Payee != "" {
			p.Payee = r.Payee
		}
	}
	if p.held() {
		p.ExpiresAt = c.At.Add(c.pol.Hold)
		c.enter(p, StatusAuthorized)
		return Applied, nil
	}
	c.takeReported(p)
	c.enter(p, p.acceptedStatus())
	if p.Refunded > 0 {
		c.refunded(p)
	}
	return Applied, nil
}

func (p *Payment) acceptedStatus() Status {
	if p.Captured < p.Amount.Minor {
		return StatusPartiallyCaptured
	}
	return StatusCaptured
}

func (c *change) giveUp(p *Payment) (Verdict, error) {
	if p.Status == StatusReview && p.held() {
		c.addIntent(p, OpVoid, 0, "")
		return Applied, nil
	}
	c.takeReported(p)
	if p.Refundable() <= 0 && p.RefundPending == 0 {
		return Same, conflict(p, CodeRefundExceeds, "there is no money to return")
	}
	c.sendBack(p, "returned/"+strconv.Itoa(len(p.Refunds)+1))
	return Applied, nil
}
