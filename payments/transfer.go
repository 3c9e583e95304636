package payments

// Sent is a provider's word about one refund.
type Sent struct {
	Payment  string
	Refund   string
	Transfer Transfer
	Asked    bool
}

func (f Sent) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if c.Cause != CauseCallback {
		c.answered(p, f.Asked)
	}
	r := p.Refund(f.Refund)
	if r == nil {
		return Early, nil
	}
	c.theirs = f.Transfer.At
	before, by := r.Status, c.Cause
	if before == RefundRequested && !f.Asked && r.Cause != CauseCallback {
		by = r.Cause
	}
	c.onBehalfOf(by, func() { c.transfer(p, r, f.Transfer) })
	if r.Status == before {
		return Same, nil
	}
	return Applied, nil
}

// transfer finds the refund that a provider speaks of.
func (p *Payment) transfer(t Transfer) *Refund {
	for i := range p.Refunds {
		r := &p.Refunds[i]
		if t.Refund == r.ID || t.Reference != "" && t.Reference == r.Reference {
			return r
		}
	}
	return nil
}

// transfer moves a refund along. Only its ends are events; that the provider is
// still at it is written down and not announced.
func (c *change) transfer(p *Payment, r *Refund, t Transfer) {
	if t.Reference != "" && r.Reference == "" {
		r.Reference = t.Reference
		c.touch(p)
	}
	if !r.Status.CanBecome(t.Status) {
		return
	}
	from := r.Status
	r.Status, r.Code, r.UpdatedAt = t.Status, t.Code, c.At
	p.resum()
	c.touch(p)
	switch t.Status {
	case RefundSucceeded:
		c.record(p, EventRefundSucceeded, string(from), string(t.Status), r.ID)
		c.refunded(p)
	case RefundFailed, RefundCancelled:
		c.record(p, EventRefundFailed, string(from), string(t.Status), r.ID)
		c.undone(p)
	}
}

// Event types of refunds. Those of the payment itself are "payment." and the
// status entered.
const (
	EventRefundRequested = "payment.refund_requested"
	EventRefundSucceeded = "payment.refund_succeeded"
	EventRefundFailed    = "payment.refund_failed"
)

// EventTypes lists every type of event that a payment can announce.
func EventTypes() []string {
	list := []string{EventRefundRequested, EventRefundSucceeded, EventRefundFailed}
	for _, s := range Statuses() {
		list = append(list, "payment."+string(s))
	}
	return list
}

func (p *Payment) resum() {
	p.Refunded, p.RefundPending = 0, 0
	for _, r := range p.Refunds {
		switch {
		case r.Status == RefundSucceeded:
			p.Refunded += r.Amount
		case r.Status.Outstanding():
			p.RefundPending += r.Amount
		}
	}
}

func (c *change) refunded(p *Payment) {
	all := p.Refunded >= p.Captured
	switch {
	case p.Status.settled() && !all:
		c.enter(p, StatusPartiallyRefunded)
	case all && (p.Status.settled() || p.Status == StatusRefundPending):
		c.enter(p, StatusRefunded)
	case all && p.decidedElsewhere():
		c.enter(p, StatusRefundPending)
		c.enter(p, StatusRefunded)
	}
}

// decidedElsewhere reports whether a payment that a person has to decide about
// has no money left to decide about: all of it was sent back at the provider.
func (p *Payment) decidedElsewhere() bool {
	open := p.Status == StatusLateSuccess || p.Status == StatusReview && !p.held()
	return open && p.Captured > 0 && (p.Reported == nil || p.Captured >= p.Reported.Amount)
}

// undone is a refund that will not happen. Where the money had to go back, a
// person must know of it.
func (c *change) undone(p *Payment) {
	expired := c.Closed == ClosedExpired && c.pol.Late == LateRefund
	owed := p.Status == StatusRefundPending || c.Closed == ClosedCancelled || expired
	if owed && p.Status.CanBecome(StatusReview) {
		c.enter(p, StatusReview)
	}
}

// addRefund commits us to send amount back for the cause that key names.
func (c *change) addRefund(p *Payment, amount int64, key, reason string) {
	r := Refund{
		ID: refundID(p.ID, key), PaymentID: p.ID, Key: key, Amount: amount, Currency: p.currency(),
		Status: RefundRequested, Reason: reason, Cause: c.Cause, CreatedAt: c.At, UpdatedAt: c.At,
	}
	p.Refunds = append(p.Refunds, r)
	p.resum()
	c.record(p, EventRefundRequested, "", string(RefundRequested), r.ID)
}

func (p *Payment) hasRefund(key string) bool {
	for _, r := range p.Refunds {
		if r.Key == key {
			return true
		}
	}
	return false
}

// sendBack returns everything that is left, once per key.
func (c *change) sendBack(p *Payment, key string) {
	c.enter(p, StatusRefundPending)
	if rest := p.Refundable(); rest > 0 && !p.hasRefund(key) {
		c.addRefund(p, rest, key, key)
		return
	}
	if p.RefundPending == 0 && p.Captured > 0 && p.Refunded >= p.Captured {
		c.enter(p, StatusRefunded)
	}
}
