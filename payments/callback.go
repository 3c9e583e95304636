package payments

import (
	"context"
	"errors"
	"fmt"

	"tracker/notify/eventwire"
)

// Callback takes one message of a provider. nil means that it is stored with its
// effect, once, whatever the effect was: the provider need not send it again.
// ErrForged: it is not the provider's, and nothing changed. ErrMalformed: it is,
// and cannot be read. ErrNotFound: no such provider. Any other error is ours, and
// the provider should send again.
func (s *Service) Callback(ctx context.Context, provider string, header map[string][]string, body []byte) error {
	prov, err := s.provider(provider)
	if err != nil {
		return err
	}
	cb, err := prov.ParseCallback(header, body, s.now())
	if err != nil {
		return s.refused(provider, err)
	}
	if completer, ok := prov.(Completer); ok && cb.About != "" {
		if cb, err = s.complete(ctx, completer, cb); err != nil {
			return fmt.Errorf("payments: callback %s of %s: %w", cut(cb.EventID), provider, err)
		}
	}
	if cb.EventID == "" || len(cb.EventID) > maxEventID {
		return fmt.Errorf("%w: no event id, or one that is too long", ErrMalformed)
	}
	in := Inbound{
		Provider: provider, EventID: cb.EventID, Type: cut(cb.Type), Payment: cut(cb.Payment),
		Reference: cut(cb.Reference), Report: cb.Report, State: InboxUnknownType, ReceivedAt: s.now(),
	}
	in.tidy()
	fresh, err := s.store.Receive(ctx, in, func(l *Ledger, in *Inbound) error { return s.receive(l, in) })
	if err != nil {
		return fmt.Errorf("payments: callback %s of %s: %w", in.EventID, provider, err)
	}
	if fresh {
		s.Wake()
	}
	return nil
}

func (s *Service) complete(ctx context.Context, prov Completer, cb Callback) (Callback, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.CallTimeout)
	defer cancel()
	whole, err := prov.Complete(ctx, cb)
	if err != nil {
		return cb, err
	}
	return whole, nil
}

// tidy leaves one way to read what a callback is about.
func (in *Inbound) tidy() {
	if in.Report != nil && in.Report.Reference == "" {
		in.Report.Reference = in.Reference
	}
	if !eventwire.Payments.ValidID(in.Payment) {
		in.Payment = "" // not one of our ids: only the reference can name it
	}
}

const (
	maxEventID = 255
	maxWord    = 255
)

func cut(text string) string { return text[:min(len(text), maxWord)] }

func (s *Service) refused(provider string, err error) error {
	if errors.Is(err, ErrForged) {
		s.forged.Add(1)
	}
	s.opt.Logger.Warn("callback refused", "provider", provider, "error", err.Error())
	return err
}

// receive decides what becomes of a verified callback. l is nil when its payment
// is not there, which is early and not wrong: our own row may be on its way.
func (s *Service) receive(l *Ledger, in *Inbound) error {
	in.State = InboxUnknownType
	if in.Report == nil {
		return nil
	}
	in.State = InboxParked
	if l == nil {
		return nil
	}
	p := l.addressee(in)
	if p == nil {
		return nil
	}
	why := Why{At: in.ReceivedAt, Cause: CauseCallback, Evidence: in.EventID}
	verdict, err := s.apply(l, Told{Payment: p.ID, Report: *in.Report}, why)
	if err == nil && verdict != Early {
		in.State, in.AppliedAt = InboxApplied, in.ReceivedAt
	}
	return err
}
