package payments

import (
	"context"
	"errors"
	"time"
)

// task is the next call that a payment needs.
type task int

const (
	taskNone task = iota
	taskCreate
	taskIntent
	taskRefund
	taskRunOut
	taskAsk
)

// task decides what to do about a payment whose check is due.
func (p *Payment) task(at time.Time) task {
	over := p.mayExpire() && !at.Before(p.ExpiresAt) && p.OpenIntent() == nil
	switch {
	case p.Closed():
		return taskNone
	case over:
		return taskRunOut
	case p.Reference == "":
		return taskCreate
	case p.OpenIntent() != nil:
		return taskIntent
	}
	if r := p.nextRefund(); r != nil && r.Status == RefundRequested {
		return taskRefund
	}
	return taskAsk
}

// perform makes the one call that p needs now and applies the answer. Nothing is
// locked while the provider thinks: p may have changed meanwhile, and the answer
// meets whatever is there then.
func (s *Service) perform(ctx context.Context, p Payment) (Payment, error) {
	prov, err := s.provider(p.Provider)
	if err != nil {
		return p, err
	}
	if p.task(s.now()) == taskRunOut {
		why := Why{At: s.now(), Cause: CauseTimer}
		if p, err = s.update(ctx, p.Merchant, p.OrderID, p.ID, why, RanOut{p.ID}); err != nil {
			return p, err
		}
	}
	if p.task(s.now()) == taskNone {
		return p, nil
	}
	// Whoever caused the call may be gone before the answer is here. It is
	// taken all the same.
	ctx = context.WithoutCancel(ctx)
	facts := s.call(ctx, prov, &p)
	s.heed(ctx, p.Provider, facts)
	why := Why{At: s.now(), Cause: CausePoll, Evidence: p.Reference}
	after, err := s.update(ctx, p.Merchant, p.OrderID, p.ID, why, facts...)
	if err != nil || p.Reference != "" || after.Reference == "" {
		return after, err
	}
	// Callbacks that name only the session were kept under its reference, which
	// nobody could look up before it was committed.
	return s.update(ctx, p.Merchant, p.OrderID, p.ID, why, Introduced{p.ID})
}

// call makes the call and turns the answer into facts.
func (s *Service) call(ctx context.Context, prov Provider, p *Payment) []Fact {
	ctx, cancel := context.WithTimeout(ctx, s.opt.CallTimeout)
	defer cancel()
	switch p.task(s.now()) {
	case taskCreate:
		return s.create(ctx, prov, p)
	case taskIntent:
		return s.execute(ctx, prov, p, p.OpenIntent())
	case taskRefund:
		return s.refund(ctx, prov, p, p.nextRefund())
	}
	return s.ask(ctx, prov, p)
}

func (s *Service) create(ctx context.Context, prov Provider, p *Payment) []Fact {
	session, err := prov.Create(ctx, NewSession{
		Key: p.ID + "/create", Payment: p.ID, Order: p.OrderID, Merchant: p.Merchant, Amount: p.Amount,
		Capture: p.Capture, ReturnURL: p.ReturnURL, Title: p.Title, ExpiresAt: p.ExpiresAt,
	})
	if code, final := rejection(err); final {
		return []Fact{Refused{Payment: p.ID, Code: code}}
	}
	if err != nil {
		return s.silence(p, err, false)
	}
	return []Fact{Opened{p.ID, session}}
}

func (s *Service) execute(ctx context.Context, prov Provider, p *Payment, in *Intent) []Fact {
	op := Operation{Key: p.ID + "/" + in.Key, Reference: p.Reference, Payment: p.ID, Amount: p.Amount}
	do := prov.Cancel
	switch in.Op {
	case OpVoid:
		do = prov.Void
	case OpCapture:
		op.Amount.Minor = in.Amount
		do = prov.Capture
	}
	r, err := do(ctx, op)
	code, final := rejection(err)
	if err == nil {
		return []Fact{Told{Payment: p.ID, Report: r, Answers: in.Key}}
	}
	if !final {
		return s.silence(p, err, false)
	}
	return s.refusal(ctx, prov, p, in, code)
}

// refusal asks what the session is after the provider refused an operation: the
// reason is often that something else happened first.
func (s *Service) refusal(ctx context.Context, prov Provider, p *Payment, in *Intent, code string) []Fact {
	refused := Refused{Payment: p.ID, Intent: in.Key, Code: code}
	r, err := prov.Status(ctx, p.Reference)
	if err == nil {
		return []Fact{Told{Payment: p.ID, Report: r}, refused}
	}
	if _, final := rejection(err); final {
		return []Fact{refused}
	}
	return s.silence(p, err, false)
}

func (s *Service) refund(ctx context.Context, prov Provider, p *Payment, r *Refund) []Fact {
	amount := p.Amount
	amount.Minor, amount.Currency = r.Amount, r.Currency
	t, err := prov.Refund(ctx, NewTransfer{
		Key: p.ID + "/" + r.ID, Refund: r.ID, Payment: p.ID, Reference: p.Reference, Amount: amount, Reason: r.Reason,
	})
	if code, final := rejection(err); final {
		t, err = Transfer{Status: RefundFailed, Code: code}, nil
	}
	if err != nil {
		return s.silence(p, err, false)
	}
	return []Fact{Sent{Payment: p.ID, Refund: r.ID, Transfer: t}}
}

// ask asks for the session's status, and after a refund that it says nothing of.
func (s *Service) ask(ctx context.Context, prov Provider, p *Payment) []Fact {
	r, err := prov.Status(ctx, p.Reference)
	if err != nil {
		return s.silence(p, err, true)
	}
	facts := []Fact{Told{Payment: p.ID, Report: r, Asked: true}}
	pending := p.nextRefund()
	if pending == nil || pending.Cause == CauseProvider {
		return facts // one that was made there is not ours to ask for
	}
	for _, t := range r.Transfers {
		if p.transfer(t) == pending {
			return facts
		}
	}
	return append(facts, s.refund(ctx, prov, p, pending)...)
}

func (s *Service) silence(p *Payment, err error, asked bool) []Fact {
	s.opt.Logger.Warn("the provider did not answer", "payment", p.ID, "provider", p.Provider, "error", err.Error())
	f := Silent{Payment: p.ID, Asked: asked, Busy: errors.Is(err, ErrUnavailable)}
	var later *UnavailableError
	if errors.As(err, &later) {
		f.RetryAfter = min(later.RetryAfter, maxRetryAfter)
	}
	return []Fact{f}
}

// maxRetryAfter bounds how long a provider's wish can put off everything.
const maxRetryAfter = time.Hour

// heed keeps the whole reconciler away from a provider that asked for it.
func (s *Service) heed(ctx context.Context, provider string, facts []Fact) {
	for _, f := range facts {
		quiet, ok := f.(Silent)
		if !ok || quiet.RetryAfter <= 0 {
			continue
		}
		now := s.now()
		until := now.Add(quiet.RetryAfter)
		s.pace[provider].pause(now, until)
		if err := s.store.Postpone(ctx, provider, until); err != nil {
			s.opt.Logger.Error("postpone checks", "provider", provider, "error", err.Error())
		}
	}
}

// rejection reports whether err is the provider's final no, and its reason.
func rejection(err error) (code string, final bool) {
	if !errors.Is(err, ErrRejected) {
		return "", false
	}
	var no *RejectedError
	if errors.As(err, &no) && no.Code != "" {
		return no.Code, true
	}
	return "rejected", true
}
