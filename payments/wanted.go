package payments

import "fmt"

// Wanted is a command that the provider has to carry out.
type Wanted struct {
	Payment    string
	Op         Op
	Amount     int64 // OpCapture: 0 = all that is approved
	Key        string
	IfSequence int64
}

func (f Wanted) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if verdict, done, err := f.repeated(p); done {
		return verdict, err
	}
	if f.IfSequence != 0 && f.IfSequence != p.Sequence {
		return Same, conflict(p, CodeSequenceMismatch, "the payment has changed since")
	}
	if p.Status == f.result() && f.Amount == 0 {
		return Same, nil
	}
	if in := p.OpenIntent(); in != nil {
		return f.join(p, in)
	}
	switch f.Op {
	case OpCancel, OpExpire:
		return f.end(c, p)
	case OpVoid:
		return f.void(c, p)
	}
	return f.capture(c, p)
}

// result is the status that the command is for.
func (f Wanted) result() Status {
	switch f.Op {
	case OpCancel:
		return StatusCancelled
	case OpExpire:
		return StatusExpired
	case OpVoid:
		return StatusVoided
	}
	return StatusCaptured
}

// repeated answers a command whose key was used before.
func (f Wanted) repeated(p *Payment) (Verdict, bool, error) {
	for _, in := range p.Intents {
		if f.Key == "" || in.Key != f.Key {
			continue
		}
		switch {
		case in.Op != f.Op || f.Amount != 0 && in.Amount != f.Amount:
			return Same, true, conflict(p, CodeKeyReused, "the key was used for another command")
		case in.State == IntentRefused:
			return Same, true, refusal(p, in)
		}
		return Same, true, nil
	}
	return Same, false, nil
}

func refusal(p *Payment, in Intent) error {
	return conflict(p, CodeRejected, "the provider refused to "+string(in.Op)+": "+in.Code)
}

// join lets a repeated command wait for the operation that is already under way.
func (f Wanted) join(p *Payment, in *Intent) (Verdict, error) {
	ending := (f.Op == OpCancel || f.Op == OpExpire) && (in.Op == OpCancel || in.Op == OpExpire)
	same := in.Op == f.Op && f.Key == "" && (f.Amount == 0 || f.Amount == in.Amount)
	if ending || same {
		return Same, nil
	}
	return Same, conflict(p, CodeBusy, "the provider has not answered the last "+string(in.Op))
}

func (f Wanted) end(c *change, p *Payment) (Verdict, error) {
	if p.Status != StatusCreated && p.Status != StatusRequiresAction {
		return Same, conflict(p, CodeIllegalTransition, "only a payment that nobody has approved can be cancelled")
	}
	if p.Reference == "" {
		c.enter(p, f.result())
		return Applied, nil
	}
	c.addIntent(p, f.Op, 0, f.Key)
	return Applied, nil
}

func (f Wanted) void(c *change, p *Payment) (Verdict, error) {
	rest := p.Status == StatusPartiallyCaptured
	switch {
	case rest && p.Capturable() == 0 && p.wasAsked(OpVoid, ""):
		return Same, nil
	case p.Status != StatusAuthorized && !(rest && p.Capturable() > 0):
		return Same, conflict(p, CodeIllegalTransition, "only what is approved and not captured can be voided")
	}
	c.addIntent(p, OpVoid, 0, f.Key)
	return Applied, nil
}

func (f Wanted) capture(c *change, p *Payment) (Verdict, error) {
	amount := f.Amount
	if amount == 0 {
		amount = p.Capturable()
	}
	switch {
	case p.Status != StatusAuthorized && p.Status != StatusPartiallyCaptured:
		return Same, conflict(p, CodeIllegalTransition, "only an authorized payment can be captured")
	case c.lost(p):
		return Same, conflict(p, CodeOrderClosed, "the order takes no money any more")
	case amount <= 0 || amount > p.Capturable():
		return Same, conflict(p, CodeCaptureExceeds, "more than what is approved and not captured")
	case p.RefundPending > 0:
		return Same, conflict(p, CodeBusy, "a refund is under way")
	}
	c.addIntent(p, OpCapture, amount, f.Key)
	return Applied, nil
}

// maxRefunds that a merchant may make of one payment: each stands in the payment's
// message with its transitions, and that may grow only so long.
const maxRefunds = 100

// RefundWanted is a merchant's wish to send money back.
type RefundWanted struct {
	Payment    string
	Amount     int64 // 0 = everything that is left
	Key        string
	Reason     string
	IfSequence int64
}

func (f RefundWanted) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	for _, r := range p.Refunds {
		if r.Key == f.Key {
			if f.Amount != 0 && f.Amount != r.Amount {
				return Same, conflict(p, CodeKeyReused, "the key was used for another refund")
			}
			return Same, nil
		}
	}
	if f.IfSequence != 0 && f.IfSequence != p.Sequence {
		return Same, conflict(p, CodeSequenceMismatch, "the payment has changed since")
	}
	amount := f.Amount
	if amount == 0 {
		amount = p.Refundable()
	}
	switch in := p.OpenIntent(); {
	case !p.Status.settled():
		return Same, conflict(p, CodeIllegalTransition, "only captured money can be refunded")
	case amount <= 0 || amount > p.Refundable():
		return Same, conflict(p, CodeRefundExceeds, "more than what is left of the captured sum")
	case in != nil:
		return Same, conflict(p, CodeBusy, "the provider has not answered the last "+string(in.Op))
	case len(p.Refunds) >= maxRefunds:
		return Same, conflict(p, CodeTooMany, fmt.Sprintf("a payment has at most %d refunds", maxRefunds))
	}
	c.addRefund(p, amount, f.Key, f.Reason)
	return Applied, nil
}

// Nudged is a shopper who waits: one extra question in each status, not sooner
// than a while after the last news, and inside the budget.
type Nudged struct{ Payment string }

func (f Nudged) apply(c *change) (Verdict, error) {
	p, err := c.payment(f.Payment)
	if err != nil {
		return Same, err
	}
	if !p.Status.undecided() || p.Nudged || p.Checks >= c.pol.Budget {
		return Same, nil
	}
	soonest := p.UpdatedAt
	if p.LastCheckAt.After(soonest) {
		soonest = p.LastCheckAt
	}
	soonest = soonest.Add(c.pol.After / nudgeFactor)
	if soonest.Before(c.At) {
		soonest = c.At
	}
	if p.NextCheckAt.IsZero() || !soonest.Before(p.NextCheckAt) {
		return Same, nil
	}
	p.Nudged, p.NextCheckAt = true, soonest
	return Applied, nil
}
