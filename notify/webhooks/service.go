package webhooks

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"tracker/notify/eventwire"
)

// Options configure a Service. The zero value works.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
	// AllowPrivate permits http and addresses that are not public: for the sandbox.
	AllowPrivate bool
	// Wake, when given, makes the sender look for work: commits of other processes.
	Wake <-chan struct{}
	// Announce is told of every endpoint that was disabled, beside the log.
	Announce func(Endpoint)
	// Sending, when given, is told of each attempt that belongs to a trace, and by
	// the function that it returns what came of it: a status, or a stable word.
	Sending  func(d Delivery, url string) (done func(status int, problem string))
	Resolver Resolver

	Schedule        []time.Duration // default DefaultSchedule
	DisableAfter    time.Duration   // default 5 days of nothing but failures
	Timeout         time.Duration   // of one attempt; default 15 s
	Grace           time.Duration   // for attempts under way at the end of Run; default 5 s
	RotationOverlap time.Duration   // default 24 h
	Retention       time.Duration   // of finished deliveries and of the log; default 30 days
	PerEndpoint     int             // attempts at once per endpoint; default 8
	Concurrency     int             // attempts at once in all; default 1024
	MaxEndpoints    int             // per merchant; default 1000
	Jitter          func() float64  // default random
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Announce == nil {
		o.Announce = func(Endpoint) {}
	}
	setDefault(&o.DisableAfter, 5*24*time.Hour)
	setDefault(&o.Timeout, 15*time.Second)
	setDefault(&o.Grace, 5*time.Second)
	setDefault(&o.RotationOverlap, 24*time.Hour)
	setDefault(&o.Retention, 30*24*time.Hour)
	setDefault(&o.PerEndpoint, 8)
	setDefault(&o.Concurrency, 1024)
	setDefault(&o.MaxEndpoints, 1000)
	return o
}

func setDefault[T time.Duration | int](p *T, v T) {
	if *p == 0 {
		*p = v
	}
}

// Service manages endpoints and sends to them. Safe for concurrent use.
type Service struct {
	store  Store
	o      Options
	guard  guard
	plan   plan
	sender *sender
	heard  heard

	subscribers subscribers
}

// NewService builds the service. Nothing is sent before Run.
func NewService(store Store, o Options) *Service {
	o = o.withDefaults()
	s := &Service{store: store, o: o, guard: newGuard(o.AllowPrivate), plan: newPlan(o.Schedule, o.Jitter)}
	s.subscribers.read = store.Subscribers
	s.sender = newSender(s)
	return s
}

func (s *Service) now() time.Time { return s.o.Now().UTC().Truncate(time.Millisecond) }

// Create adds an endpoint. The answer carries the secret, once.
func (s *Service) Create(ctx context.Context, merchant string, in NewEndpoint) (Endpoint, error) {
	r, err := s.Prepare(ctx, merchant, in)
	if err != nil {
		return Endpoint{}, err
	}
	return s.Add(ctx, r)
}

// Prepare is the part of Create that asks a name server, for whoever adds within
// a transaction: that must not wait for one. Nothing is stored.
func (s *Service) Prepare(ctx context.Context, merchant string, in NewEndpoint) (Record, error) {
	if len(in.Events) == 0 {
		in.Events = []string{"*"}
	}
	if err := s.check(ctx, &in.URL, in.Events); err != nil {
		return Record{}, err
	}
	now := s.now()
	return Record{
		Endpoint: Endpoint{
			ID: eventwire.NewID(eventwire.PrefixEndpoint, now), Merchant: merchant, URL: in.URL,
			Events: unique(in.Events), Status: Enabled, CreatedAt: now, UpdatedAt: now, Version: 1,
		},
		Keys: Keys{Current: NewSecret()},
	}, nil
}

// Add stores a prepared endpoint, in the transaction that ctx carries. The
// answer carries the secret, once.
func (s *Service) Add(ctx context.Context, r Record) (Endpoint, error) {
	if err := s.store.Add(ctx, r, s.o.MaxEndpoints); err != nil {
		return Endpoint{}, err
	}
	return reveal(r), nil
}

// Get returns one endpoint, without its secret.
func (s *Service) Get(ctx context.Context, merchant, id string) (Endpoint, error) {
	r, err := s.store.Get(ctx, merchant, id)
	return r.Endpoint, err
}

// List returns the merchant's endpoints, oldest first, without their secrets.
func (s *Service) List(ctx context.Context, merchant string) ([]Endpoint, error) {
	records, err := s.store.List(ctx, merchant)
	list := make([]Endpoint, len(records))
	for i, r := range records {
		list[i] = r.Endpoint
	}
	return list, err
}

// Update changes where and what is sent, or switches the endpoint off and on. A
// switched-off endpoint keeps what is pending and goes on there.
func (s *Service) Update(ctx context.Context, merchant, id string, c Change) (Endpoint, error) {
	if err := s.check(ctx, c.URL, c.Events); err != nil {
		return Endpoint{}, err
	}
	r, err := s.store.Change(ctx, merchant, id, func(r *Record) error { return s.apply(r, c) })
	if err != nil {
		return Endpoint{}, err
	}
	if r.Status == Enabled {
		err = s.store.Hasten(ctx, id, s.now())
		s.sender.poke()
	}
	return r.Endpoint, err
}

func (s *Service) apply(r *Record, c Change) error {
	if err := r.insist(c.IfVersion); err != nil {
		return err
	}
	now, before := s.now(), r.Endpoint
	if c.URL != nil {
		r.URL = *c.URL
	}
	if c.Events != nil {
		r.Events = unique(c.Events)
	}
	switch {
	case c.Enabled == nil:
	case *c.Enabled && r.Status == Disabled:
		r.enable()
	case !*c.Enabled && r.Status == Enabled:
		r.disable(now, "merchant")
	}
	if r.URL != before.URL || r.Status != before.Status || !slices.Equal(r.Events, before.Events) {
		r.decided(now)
	}
	return nil
}

// Delete removes an endpoint; what was pending for it is not sent. With a version
// other than 0 it insists on that one, as [Service.RotateSecret] does.
func (s *Service) Delete(ctx context.Context, merchant, id string, ifVersion int64) error {
	return s.store.Remove(ctx, merchant, id, s.now(), func(r Record) error { return r.insist(ifVersion) })
}

// RotateSecret gives the endpoint a new secret and returns it, once. The one
// before it keeps signing beside the new one for the overlap.
func (s *Service) RotateSecret(ctx context.Context, merchant, id string, ifVersion int64) (Endpoint, error) {
	secret := NewSecret()
	r, err := s.store.Change(ctx, merchant, id, func(r *Record) error {
		if err := r.insist(ifVersion); err != nil {
			return err
		}
		r.rotate(s.now(), secret, s.o.RotationOverlap)
		return nil
	})
	if err != nil {
		return Endpoint{}, err
	}
	return reveal(r), nil
}

// Attempts lists what was tried, newest first.
func (s *Service) Attempts(ctx context.Context, merchant string, f AttemptFilter) (AttemptPage, error) {
	if f.Limit == 0 {
		f.Limit = 20
	}
	if err := f.check(); err != nil {
		return AttemptPage{}, err
	}
	if f.Endpoint != "" {
		if _, err := s.store.Get(ctx, merchant, f.Endpoint); err != nil {
			return AttemptPage{}, err
		}
	}
	return s.store.Attempts(ctx, merchant, f)
}

// Counts tells how much is waiting and how the endpoints are.
func (s *Service) Counts(ctx context.Context) (Counts, error) { return s.store.Counts(ctx) }

func reveal(r Record) Endpoint {
	e := r.Endpoint
	e.Secret = r.Keys.Current
	return e
}

// check looks at the parts that are given; a nil part is not.
func (s *Service) check(ctx context.Context, url *string, filters []string) error {
	var fields []FieldError
	if url != nil {
		if err := s.guard.checkURL(ctx, *url, s.o.Resolver); err != nil {
			fields = append(fields, err.Fields...)
		}
	}
	if filters != nil && len(filters) == 0 || len(filters) > maxFilters {
		fields = append(fields, FieldError{"/events", "out_of_range", fmt.Sprintf("must name 1 to %d types", maxFilters)})
		filters = nil
	}
	for i, f := range filters {
		if !known(f) {
			fields = append(fields, FieldError{fmt.Sprintf("/events/%d", i), "unknown_event_type", `must be an event type, "order.*" or "*"`})
		}
	}
	if fields != nil {
		return &InvalidError{Fields: fields}
	}
	return nil
}

const maxFilters = 50

func known(filter string) bool {
	if kind, all := strings.CutSuffix(filter, ".*"); all {
		return eventwire.Kind(kind).Plural() != ""
	}
	return filter == "*" || slices.Contains(eventwire.Types(), filter)
}

func unique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
