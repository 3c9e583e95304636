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
	Answers string // key of the intent that it is the provider's answer to
}

func (f Told) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if c.Cause != CauseCallback {
		c.answered(p, f.Asked)
	}
	c.answers = f.Answers
	defer func() { c.answers = "" }()
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
	verdict := Applied
	c.onBehalfOf(c.credit(p, r), func() { verdict = c.state(p, r) })
	if verdict == Early {
		return Early
	}
	fits := c.transfers(p, r)
	c.resolve(p, r)
	if !fits {
		return Early
	}
	if p.Sequence == before {
		return Same
	}
	if r.OccurredAt.After(p.TheirTime) {
		p.TheirTime = r.OccurredAt
	}
	return Applied
}

// transfers takes what a report says about refunds, and reports whether all of it
// fits. Ours come first: one that failed makes room for one made at the provider.
func (c *change) transfers(p *Payment, r Report) bool {
	fits := true
	for _, t := range r.Transfers {
		if known := p.transfer(t); known != nil {
			c.transfer(p, known, t)
		}
	}
	for _, t := range r.Transfers {
		if p.transfer(t) == nil {
			fits = c.adopt(p, r, t) && fits
		}
	}
	return fits
}

// credit is who brought about what an answer says: where it is what we asked the
// provider for, whoever wanted that.
func (c *change) credit(p *Payment, r Report) Cause {
	in := p.OpenIntent()
	if c.Cause != CausePoll || in == nil || in.Cause == CauseCallback {
		return c.Cause
	}
	taken := in.Op == OpCapture && r.State == ReportCaptured && r.Captured >= in.Target
	if taken || in.Op != OpCapture && r.State == ReportCancelled {
		return in.Cause
	}
	return c.Cause
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

// resolve closes the open intent that the report answers.
func (c *change) resolve(p *Payment, r Report) {
	in := p.OpenIntent()
	if in == nil || r.State == ReportNothing {
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
		} else if taken && c.answers == in.Key && in.Target > 0 && r.Captured == in.Target {
			c.close(p, in, IntentDone, "")
			p.Approved = p.Captured // the rest is no longer reserved
		} else if taken && (in.Target == 0 || r.Captured > in.Target || r.State == ReportReversed) {
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
