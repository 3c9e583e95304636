package payments

import (
	"context"
	"unicode/utf8"

	"tracker/notify/eventwire"
)

// Capture takes what the shopper approved: amount minor units, or all that is
// left where it is 0. When the provider answers in time the payment shows it;
// else it shows the pending operation, which the reconciler carries on with.
// Errors: ErrNotFound, *InvalidError, *ConflictError.
func (s *Service) Capture(ctx context.Context, cmd Command, amount int64) (Payment, error) {
	if amount < 0 {
		return Payment{}, &InvalidError{[]FieldError{{"/amount", "out_of_range", "must be positive"}}}
	}
	return s.wanted(ctx, cmd, OpCapture, amount)
}

// Void releases an authorization. See Capture.
func (s *Service) Void(ctx context.Context, cmd Command) (Payment, error) {
	return s.wanted(ctx, cmd, OpVoid, 0)
}

// Cancel stops a payment that nobody has approved. Where the shopper was faster
// it is a conflict that carries the state, and the merchant may refund.
func (s *Service) Cancel(ctx context.Context, cmd Command) (Payment, error) {
	return s.wanted(ctx, cmd, OpCancel, 0)
}

func (s *Service) wanted(ctx context.Context, cmd Command, op Op, amount int64) (Payment, error) {
	f := Wanted{Payment: cmd.ID, Op: op, Amount: amount, IfSequence: cmd.IfSequence}
	if cmd.Key != "" {
		f.Key = string(op) + "/" + shortKey(cmd.Key)
	}
	p, err := s.command(ctx, cmd, f)
	if err != nil || p.OpenIntent() == nil {
		return p, err
	}
	key := p.OpenIntent().Key
	if p, err = s.perform(ctx, p); err != nil {
		return p, err
	}
	for _, in := range p.Intents {
		if in.Key == key && in.State == IntentRefused && p.Status != f.result() {
			return p, refusal(&p, in)
		}
	}
	return p, nil
}

// Review ends a review, or a late success that is on hold.
func (s *Service) Review(ctx context.Context, cmd Command, d Decision) (Payment, error) {
	if d != DecisionAccept && d != DecisionReturn {
		return Payment{}, &InvalidError{[]FieldError{{"/decision", "invalid", "must be accept or return"}}}
	}
	p, err := s.command(ctx, cmd, Decided{Payment: cmd.ID, Decision: d, IfSequence: cmd.IfSequence})
	if err != nil || !p.owesCall() || p.Closed() {
		return p, err
	}
	return s.perform(ctx, p)
}

const maxReason = 500

// Refund sends money back: in.Amount minor units, or all that is left. The same
// Key is the same refund however often and from wherever it is asked for. When
// the provider does not answer in time the refund is still requested, and the
// reconciler carries on.
func (s *Service) Refund(ctx context.Context, in NewRefund) (Refund, Payment, error) {
	if in.Amount < 0 {
		return Refund{}, Payment{}, &InvalidError{[]FieldError{{"/amount", "out_of_range", "must be positive"}}}
	}
	if utf8.RuneCountInString(in.Reason) > maxReason || !utf8.ValidString(in.Reason) {
		return Refund{}, Payment{}, &InvalidError{[]FieldError{{"/reason", "too_long", "must be at most 500 characters"}}}
	}
	if in.Key == "" {
		in.Key = s.opt.NewID(eventwire.PrefixRefund, s.now())
	}
	key := "asked/" + shortKey(in.Key)
	cmd := Command{Merchant: in.Merchant, ID: in.PaymentID, By: in.By, Evidence: in.Evidence}
	p, err := s.command(ctx, cmd, RefundWanted{Payment: in.PaymentID, Amount: in.Amount, Key: key, Reason: in.Reason, IfSequence: in.IfSequence})
	if err != nil {
		return Refund{}, p, err
	}
	id := refundID(p.ID, key)
	if r := p.Refund(id); r != nil && r.Status == RefundRequested {
		if p, err = s.transfer(ctx, p, r); err != nil {
			return Refund{}, p, err
		}
	}
	return *p.Refund(id), p, nil
}

// transfer asks the provider for this very refund, whatever else is waiting.
func (s *Service) transfer(ctx context.Context, p Payment, r *Refund) (Payment, error) {
	prov, err := s.provider(p.Provider)
	if err != nil {
		return p, err
	}
	ctx = context.WithoutCancel(ctx)
	calling, cancel := context.WithTimeout(ctx, s.opt.CallTimeout)
	defer cancel()
	facts := s.refund(calling, prov, &p, r)
	s.heed(ctx, p.Provider, facts)
	why := Why{At: s.now(), Cause: CausePoll, Evidence: p.Reference}
	return s.update(ctx, p.Merchant, p.OrderID, p.ID, why, facts...)
}

// Nudge says that a shopper is waiting: the next question to the bank comes
// sooner, once per status and inside the payment's budget.
func (s *Service) Nudge(ctx context.Context, merchant, id string) error {
	_, err := s.command(ctx, Command{Merchant: merchant, ID: id, By: CauseShopper}, Nudged{id})
	return err
}

// The words of orders that mean something to a payment.
const (
	orderCancelled = "order.cancelled"
	orderExpired   = "order.expired"
)

// OrderTypes are the types of events that [Service.OnOrder] acts on.
func OrderTypes() []string { return []string{orderCancelled, orderExpired} }

// OnOrder hears of orders. A cancelled or expired order takes no money any more:
// what is open is cancelled or voided, what was captured goes back, and what
// arrives later is a late success. The same event again changes nothing.
//
// Other types than [OrderTypes] mean nothing to it.
func (s *Service) OnOrder(ctx context.Context, e eventwire.Event) error {
	var f OrderClosed
	switch e.Type {
	case orderCancelled:
		f.As = ClosedCancelled
	case orderExpired:
		f.As = ClosedExpired
	default:
		return nil
	}
	why := Why{At: s.now(), Cause: CauseOrder, Evidence: e.ID}
	_, err := s.update(ctx, e.Merchant, e.Subject, "", why, f)
	return err
}
