package payments

import (
	"time"

	"tracker/payments/money"
)

// Told is a provider's report about a payment: a callback or an answer to a call
// of ours. Asked marks a question that counts against the budget.
type Told struct {
	Payment string
	Report  Report
	Asked   bool
}

func (f Told) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if c.Cause != CauseCallback {
		c.answered(p, f.Asked)
	}
	return c.report(p, f.Report), nil
}

// answered books one call to the provider that got an answer.
func (c *change) answered(p *Payment, asked bool) {
	p.Tries++
	p.Misses = 0
	if asked {
		p.Checks++
		p.LastCheckAt = c.At
	}
	c.touch(p)
}

// report takes a provider's word. What is older than what we know, or says the
// same again, changes nothing; what cannot be true yet is Early.
func (c *change) report(p *Payment, r Report) Verdict {
	c.theirs = r.OccurredAt
	defer func() { c.theirs = time.Time{} }()
	if p.Reference == "" && r.Reference != "" {
		p.Reference = r.Reference
		c.touch(p)
	}
	before := p.Sequence
	verdict := c.state(p, r)
	if verdict == Early {
		return Early
	}
	for _, t := range r.Transfers {
		if known := p.transfer(t); known != nil {
			c.transfer(p, known, t)
		}
	}
	c.resolve(p, r)
	if p.Sequence == before {
		return Same
	}
	if r.OccurredAt.After(p.TheirTime) {
		p.TheirTime = r.OccurredAt
	}
	return Applied
}

func (c *change) state(p *Payment, r Report) Verdict {
	switch r.State {
	case ReportOpen:
		c.reopened(p, r)
	case ReportProcessing:
		c.processing(p, r)
	case ReportAuthorized, ReportCaptured:
		c.success(p, r)
	case ReportFailed, ReportExpired, ReportCancelled:
		c.ended(p, r)
	case ReportReversed:
		return c.reversed(p, r)
	}
	return Applied
}

func (c *change) reopened(p *Payment, r Report) {
	if r.NextAction != "" && p.Status.undecided() {
		p.Redirect = r.NextAction
		if p.Status == StatusCreated {
			c.enter(p, StatusRequiresAction)
		}
	}
}

// processing moves forward only. Out of unknown it needs news: an answer to a
// question, or a callback that is younger than the last report.
func (c *change) processing(p *Payment, r Report) {
	switch p.Status {
	case StatusCreated, StatusRequiresAction:
		c.enter(p, StatusProcessing)
	case StatusUnknown:
		if c.Cause != CauseCallback || r.OccurredAt.After(p.TheirTime) {
			c.enter(p, StatusProcessing)
		}
	}
}

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
	want := p.approved()
	other := func(a, b string) bool { return a != "" && b != "" && a != b }
	if !p.sameCurrency(r) || other(r.Payee, p.Payee) || other(r.Reference, p.Reference) {
		return true
	}
	if r.Amount != 0 && r.Amount != want {
		return true
	}
	if r.State != ReportCaptured {
		return false
	}
	part := p.Capture == CaptureManual && r.Captured < want
	return r.Captured <= 0 || (r.Captured != want && !part)
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

// resolve closes the open intent that the report answers.
func (c *change) resolve(p *Payment, r Report) {
	in := p.OpenIntent()
	if in == nil {
		return
	}
	gone := r.State == ReportCancelled || r.State == ReportExpired || r.State == ReportFailed
	taken := r.State == ReportCaptured || r.State == ReportReversed
	switch in.Op {
	case OpCapture:
		if taken && r.Captured >= in.Target {
			c.close(p, in, IntentDone, "")
		} else if gone {
			c.close(p, in, IntentRefused, string(p.Status))
		}
	case OpVoid:
		if gone {
			c.close(p, in, IntentDone, "")
		} else if taken {
			c.close(p, in, IntentRefused, string(p.Status))
		}
	case OpCancel, OpExpire:
		if gone {
			c.close(p, in, IntentDone, "")
		} else if r.State != ReportOpen {
			c.close(p, in, IntentRefused, string(p.Status))
		}
	}
}

func (c *change) close(p *Payment, in *Intent, state IntentState, code string) {
	in.State, in.Code = state, code
	c.touch(p)
}

func (p *Payment) currency() money.Currency {
	if p.Reported != nil && !p.held() {
		return p.Reported.Currency
	}
	return p.Amount.Currency
}
