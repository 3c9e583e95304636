package payments

import "time"

// Began is a new payment, not yet known to the provider.
type Began struct{ New Payment }

func (f Began) apply(c *change) (Verdict, error) {
	p := f.New
	p.Status, p.CreatedAt = "", c.At
	if end := c.At.Add(c.pol.Expiry); p.ExpiresAt.IsZero() || end.Before(p.ExpiresAt) {
		p.ExpiresAt = end // never later than the order's own end, which Start has set
	}
	if c.Winner != "" {
		c.Winner, c.Round = "", c.Round+1
	}
	p.Round = c.Round
	stored := &p
	c.Payments = append(c.Payments, stored)
	stored.Status = StatusCreated
	c.record(stored, "payment.created", "", string(StatusCreated), "")
	return Applied, nil
}

// Opened is the provider's session for a payment.
type Opened struct {
	Payment string
	Session Session
}

func (f Opened) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	c.answered(p, false)
	p.Redirect = f.Session.RedirectURL
	if p.Reference == "" {
		p.Reference = f.Session.Reference
	}
	if p.Payee == "" {
		p.Payee = f.Session.Payee
	}
	switch {
	case p.Status == StatusCreated:
		c.Evidence = p.Reference
		c.onBehalfOf(Cause(p.Timeline[0].Cause), func() { c.enter(p, StatusRequiresAction) })
		return Applied, nil
	case p.Status.ended() && p.OpenIntent() == nil && !p.wasAsked(OpCancel, ""):
		// Cancelled while the session was being made: nobody may pay in it now.
		c.addIntent(p, OpCancel, 0, "")
	}
	return Same, nil
}

// Introduced says that the payment's reference is known and stored, so that
// callbacks which were kept under it find their payment. It changes nothing by
// itself.
type Introduced struct{ Payment string }

func (f Introduced) apply(c *change) (Verdict, error) {
	_, err := c.payment(f.Payment)
	return Same, err
}

// Refused is the provider's final no to what was asked of it.
type Refused struct {
	Payment string
	Intent  string // key of the intent; "" = the session itself was refused
	Code    string
}

func (f Refused) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if f.Intent == "" {
		c.answered(p, false)
		if p.Status != StatusCreated {
			return Same, nil
		}
		p.DeclineCode = f.Code
		c.enter(p, StatusFailed)
		return Applied, nil
	}
	in := p.OpenIntent()
	if in == nil || in.Key != f.Intent {
		return Same, nil
	}
	c.close(p, in, IntentRefused, f.Code)
	c.refusedEnd(p, in)
	return Applied, nil
}

// refusedEnd is what a refused operation means. A session that the provider will
// not close, but that nobody has paid either, ends with us; its late success
// would be one. An authorization that it will not release is kept a while longer.
func (c *change) refusedEnd(p *Payment, in *Intent) {
	open := p.Status == StatusCreated || p.Status == StatusRequiresAction
	switch {
	case in.Op == OpCancel && open:
		c.enter(p, StatusCancelled)
	case in.Op == OpExpire && open:
		c.enter(p, StatusExpired)
	case in.Op == OpVoid && p.Status == StatusAuthorized && in.Cause == CauseTimer:
		p.ExpiresAt = c.At.Add(c.pol.Hold)
	}
}

// Silent is a call to the provider that got no answer, or a "not now".
type Silent struct {
	Payment    string
	Asked      bool // it was a question that counts against the budget
	Busy       bool // the provider did answer: later
	RetryAfter time.Duration
}

// patience is how many times a provider may say "later" before a payment that
// only it can decide becomes unknown.
const patience = 3

func (f Silent) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	misses, tries := p.Misses+1, p.Tries+1
	c.answered(p, f.Asked)
	if f.RetryAfter > 0 {
		c.notBefore = c.At.Add(f.RetryAfter)
	}
	verdict := Same
	if p.Status == StatusProcessing && f.Asked && (!f.Busy || misses >= patience) {
		c.enter(p, StatusUnknown)
		verdict = Applied
	}
	p.Misses, p.Tries = misses, tries
	return verdict, nil
}

// RanOut is the clock at a payment's ExpiresAt.
type RanOut struct{ Payment string }

func (f RanOut) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if c.At.Before(p.ExpiresAt) || p.OpenIntent() != nil {
		return Same, nil
	}
	switch {
	case p.Status == StatusAuthorized:
		c.addIntent(p, OpVoid, 0, "")
	case p.mayExpire() && p.Reference == "":
		c.enter(p, StatusExpired)
	case p.mayExpire():
		c.addIntent(p, OpExpire, 0, "")
	default:
		return Same, nil
	}
	return Applied, nil
}
