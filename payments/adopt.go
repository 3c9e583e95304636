package payments

// adopt takes a refund that we did not ask for into the books: somebody made it
// at the provider. It is one refund per reference of the provider, however often
// and by whatever way we hear of it. false means that it does not fit yet: its
// money is not known to be captured, or a refund of ours is under way for it, of
// which the provider then says no.
func (c *change) adopt(p *Payment, r Report, t Transfer) bool {
	moving := t.Status == RefundPending || t.Status == RefundRequiresAction || t.Status == RefundSucceeded
	if t.Reference == "" || t.Amount <= 0 || !moving {
		return true // nothing went back, or nobody can say how much
	}
	key := "provider/" + shortKey(t.Reference)
	if p.hasRefund(key) {
		return true
	}
	if r.Currency != "" && r.Currency != p.currency() || t.Amount > p.sendable() {
		return false
	}
	if p.Status == StatusReview {
		c.takeReported(p)
	}
	c.theirs = t.At
	c.addRefund(p, t.Amount, key, "made at the provider")
	made := &p.Refunds[len(p.Refunds)-1]
	made.Cause = CauseProvider
	c.transfer(p, made, t)
	return true
}

// sendable is what the provider can still send back: what is left of the captured
// sum, or of what it claims to have in a review.
func (p *Payment) sendable() int64 {
	left := p.Refundable()
	if claim := p.Reported; p.Status == StatusReview && claim != nil && !p.held() && claim.Amount > p.Captured {
		left += claim.Amount - p.Captured
	}
	return left
}
