package payments

import (
	"hash/fnv"
	"strconv"
	"time"
)

// LatePolicy says what happens to money that arrives after its payment ended.
// Money for a cancelled order and the second success of an order always go back.
type LatePolicy string

// The policies.
const (
	LateRefund LatePolicy = "refund"
	LateHold   LatePolicy = "hold"
	LateAccept LatePolicy = "accept"
)

// Policy holds every duration and limit of a payment's life. Zero fields have
// the defaults named here.
type Policy struct {
	Expiry time.Duration // 30m: how long a shopper has
	Hold   time.Duration // 7 days: how long an authorization is kept before we void it
	After  time.Duration // 90s: the first question about a payment that the bank has not called about
	// Budget is how many status questions a payment may cost at growing gaps; 12.
	// After that the questions go on at the slow gap, so that nothing is stuck.
	Budget int
	Late   LatePolicy // refund
	// Grace is how long a command's own call to the provider may take before the
	// reconciler repeats it; 15s, and never more than After.
	Grace time.Duration
}

const (
	maxGapFactor = 40  // the widest gap inside the budget: 1h at the default After
	slowFactor   = 240 // the gap outside of it: 6h
	nudgeFactor  = 6   // a nudge never asks sooner than After/6 after the last news: 15s
)

func (pol Policy) withDefaults() Policy {
	if pol.Expiry <= 0 {
		pol.Expiry = 30 * time.Minute
	}
	if pol.Hold <= 0 {
		pol.Hold = 7 * 24 * time.Hour
	}
	if pol.After <= 0 {
		pol.After = 90 * time.Second
	}
	if pol.Budget <= 0 {
		pol.Budget = 12
	}
	if pol.Late == "" {
		pol.Late = LateRefund
	}
	if pol.Grace <= 0 {
		pol.Grace = 15 * time.Second
	}
	pol.Grace = min(pol.Grace, pol.After)
	return pol
}

// gap is the time until the next question: it doubles with every call that
// brought nothing new, has a ceiling, and becomes slow when the budget is spent.
// The first is exact, as shoppers come one by one. To the others up to a fifth is
// added, different for each payment and each question but the same each time it
// is computed, so that payments that waited together drift apart.
func (pol Policy) gap(p *Payment) time.Duration {
	gap := pol.After
	for range min(p.Tries, 10) {
		gap = min(gap*2, pol.After*maxGapFactor)
	}
	if p.Checks >= pol.Budget || p.idle() {
		gap = pol.After * slowFactor
	}
	if p.Checks+p.Tries == 0 && !p.idle() {
		return gap
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.ID + "/" + strconv.Itoa(p.Checks) + "/" + strconv.Itoa(p.Tries)))
	return gap + time.Duration(float64(gap)/5*float64(h.Sum32()%1000)/1000)
}

// next is when the payment must be looked at again: zero when nothing is
// expected any more. hurry is false where the one who caused the change calls
// the provider itself.
func (pol Policy) next(p *Payment, at time.Time, hurry bool) time.Time {
	if p.Closed() {
		return time.Time{}
	}
	wait := pol.gap(p)
	if p.Tries == 0 && p.owesCall() {
		wait = 0
		if !hurry {
			wait = pol.Grace
		}
	}
	due := at.Add(wait)
	if p.mayExpire() && p.ExpiresAt.After(at) && p.ExpiresAt.Before(due) {
		due = p.ExpiresAt
	}
	return due
}

// idle reports whether nobody but a person can move the payment: the bank is
// asked only rarely, to learn of a reversal.
func (p *Payment) idle() bool {
	if p.outstanding() {
		return false
	}
	manual := p.Status == StatusAuthorized && p.Capture == CaptureManual
	return manual || p.Status == StatusReview || p.Status == StatusLateSuccess
}

// owesCall reports whether we have decided something that the provider was not
// told yet.
func (p *Payment) owesCall() bool {
	if p.Reference == "" || p.OpenIntent() != nil {
		return true
	}
	r := p.nextRefund()
	return r != nil && r.Status == RefundRequested
}

// mayExpire reports whether ExpiresAt ends the payment in its present status.
func (p *Payment) mayExpire() bool {
	return p.Status == StatusCreated || p.Status == StatusRequiresAction || p.Status == StatusAuthorized
}
