package payments

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"tracker/notify/eventwire"
)

// Options tune a service. The zero value works.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
	Policy Policy
	// Provider is the name of the default provider; needed only where there are several.
	Provider string
	// CallTimeout bounds each call to a provider; 10s.
	CallTimeout time.Duration
	// Rate is how many calls per second the reconcilers of all processes together
	// make to one provider; 50, and the same in every process. Negative: no limit.
	Rate float64
	// Workers is how many calls the reconciler has in flight; 16.
	Workers int
	// Lease is how long a claimed payment is out of other processes' reach; 1m,
	// and always longer than the calls that it may take.
	Lease time.Duration
	// Overdue is how late a check may be before it is counted as overdue; 1m.
	Overdue time.Duration
	// Idle is the longest sleep of the reconciler, for payments that became due
	// in a process that died; 30s.
	Idle time.Duration
	// NewID makes ids; eventwire.NewID.
	NewID func(prefix string, now time.Time) string
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.NewID == nil {
		o.NewID = eventwire.NewID
	}
	if o.Rate == 0 {
		o.Rate = 50
	}
	if o.Workers <= 0 {
		o.Workers = 16
	}
	o.CallTimeout = orElse(o.CallTimeout, 10*time.Second)
	o.Lease = max(orElse(o.Lease, time.Minute), 3*o.CallTimeout)
	o.Overdue = orElse(o.Overdue, time.Minute)
	o.Idle = orElse(o.Idle, 30*time.Second)
	o.Policy = o.Policy.withDefaults()
	return o
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Service is the payment domain at work. Safe for concurrent use, by any number
// of goroutines and processes over one store.
type Service struct {
	store     Store
	providers map[string]Provider
	book      OrderBook
	opt       Options
	wake      chan struct{}
	pace      map[string]*pacer
	forged    atomic.Int64
}

// NewService puts the parts together. It starts nothing: see [Service.RunReconciler].
func NewService(store Store, providers map[string]Provider, book OrderBook, opt Options) *Service {
	s := &Service{
		store: store, providers: providers, book: book, opt: opt.withDefaults(),
		wake: make(chan struct{}, 1), pace: map[string]*pacer{},
	}
	for name := range providers {
		s.pace[name] = &pacer{}
		if s.opt.Provider == "" || len(providers) == 1 {
			s.opt.Provider = name
		}
	}
	return s
}

func (s *Service) now() time.Time { return s.opt.Now().UTC().Truncate(time.Millisecond) }

// Wake makes the reconciler look again now, as after a clock was moved.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Get returns a payment with its timeline. ErrNotFound for a foreign one.
func (s *Service) Get(ctx context.Context, merchant, id string) (Payment, error) {
	if !eventwire.Payments.ValidID(id) {
		return Payment{}, ErrNotFound
	}
	return s.store.Payment(ctx, merchant, id)
}

// List returns a page of the merchant's payments, newest first.
func (s *Service) List(ctx context.Context, merchant string, f Filter) (Page, error) {
	if f.Limit == 0 {
		f.Limit = 20
	}
	if err := checkFilter(f); err != nil {
		return Page{}, err
	}
	return s.store.List(ctx, merchant, f)
}

// checkFilter refuses what no payment can have: a filter that is misspelt, or the
// cursor of another list, must not look like the end of this one.
func checkFilter(f Filter) error {
	var bad []FieldError
	if f.Limit < 0 || f.Limit > 100 {
		bad = append(bad, FieldError{"/limit", "out_of_range", "must be 1 to 100"})
	}
	if f.OrderID != "" && !eventwire.ValidID(eventwire.PrefixOrder, f.OrderID) {
		bad = append(bad, FieldError{"/order_id", "invalid", "must be the id of an order"})
	}
	if f.StartingAfter != "" && !eventwire.ValidID(eventwire.PrefixPayment, f.StartingAfter) {
		bad = append(bad, FieldError{"/starting_after", "invalid", "must be the id of a payment"})
	}
	if f.Status != "" && !slices.Contains(Statuses(), f.Status) {
		bad = append(bad, FieldError{"/status", "unknown", fmt.Sprintf("%q is none of %s", string(f.Status), strings.Trim(fmt.Sprint(Statuses()), "[]"))})
	}
	if !utf8.ValidString(f.Reference) || strings.ContainsFunc(f.Reference, unicode.IsControl) {
		bad = append(bad, FieldError{"/reference", "invalid", "must be text without control characters"})
	}
	if len(bad) > 0 {
		return &InvalidError{bad}
	}
	return nil
}

// GetRefund returns a refund. ErrNotFound for a foreign one.
func (s *Service) GetRefund(ctx context.Context, merchant, id string) (Refund, error) {
	if !eventwire.ValidID(eventwire.PrefixRefund, id) {
		return Refund{}, ErrNotFound
	}
	return s.store.Refund(ctx, merchant, id)
}

// Newest is the event that the stream should hold for a payment.
func (s *Service) Newest(ctx context.Context, merchant, id string) (eventwire.Event, error) {
	p, err := s.Get(ctx, merchant, id)
	if err != nil {
		return eventwire.Event{}, err
	}
	return p.Newest()
}

// EachNewest calls fn with the newest event of every payment, to rebuild the
// stream. It stops at the first error of fn and returns it.
func (s *Service) EachNewest(ctx context.Context, fn func(eventwire.Event) error) error {
	for after := ""; ; {
		list, err := s.store.After(ctx, after, 200)
		if err != nil || len(list) == 0 {
			return err
		}
		for i := range list {
			e, err := list[i].Newest()
			if err == nil {
				err = fn(e)
			}
			if err != nil {
				return err
			}
			after = list[i].ID
		}
	}
}

// Counts are the public counters.
func (s *Service) Counts(ctx context.Context) (Counts, error) {
	counts, err := s.store.Counts(ctx, s.now().Add(-s.opt.Overdue), s.opt.Policy.Budget)
	counts.Forged = s.forged.Load()
	return counts, err
}

// Origins lists where a payment form may lead, for form-action.
func (s *Service) Origins() []string {
	var list []string
	for _, p := range s.providers {
		list = append(list, p.Origins()...)
	}
	return list
}

// update applies facts to a payment in one transaction and returns what became of it.
func (s *Service) update(ctx context.Context, merchant, order, id string, why Why, facts ...Fact) (Payment, error) {
	var after Payment
	err := s.store.Update(ctx, merchant, order, func(l *Ledger) error {
		for _, f := range facts {
			if _, err := s.apply(l, f, why); err != nil {
				return err
			}
		}
		if p := l.Payment(id); p != nil {
			after = p.clone()
		}
		return nil
	})
	if err != nil {
		return after, err
	}
	s.Wake()
	return after, nil
}

// apply is l.Apply as things stand in this process: it is called in the
// transaction, so that a provider's wish for silence that comes at the same time
// is either seen here or finds the result.
func (s *Service) apply(l *Ledger, f Fact, why Why) (Verdict, error) {
	now := s.now()
	for name, pace := range s.pace {
		if until := pace.until(now); until.After(now) {
			if why.Quiet == nil {
				why.Quiet = map[string]time.Time{}
			}
			why.Quiet[name] = until
		}
	}
	return l.Apply(f, why, s.opt.Policy)
}

// command loads the payment that a command names and applies the fact to it.
func (s *Service) command(ctx context.Context, cmd Command, f Fact) (Payment, error) {
	p, err := s.Get(ctx, cmd.Merchant, cmd.ID)
	if err != nil {
		return p, err
	}
	return s.update(ctx, p.Merchant, p.OrderID, p.ID, s.why(cmd.By, cmd.Evidence), f)
}

// why is the record of a command, which calls the provider itself.
func (s *Service) why(by Cause, evidence string) Why {
	if by == "" {
		by = CauseMerchant
	}
	return Why{At: s.now(), Cause: by, Evidence: cut(evidence), Calls: true}
}

func (s *Service) provider(name string) (Provider, error) {
	p, ok := s.providers[name]
	if !ok {
		return nil, fmt.Errorf("payments: provider %q: %w", name, ErrNotFound)
	}
	return p, nil
}
