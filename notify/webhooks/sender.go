package webhooks

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Times of the sender's own rounds.
const (
	sweepMin      = 100 * time.Millisecond // however often it is woken
	sweepMax      = 5 * time.Second        // whether or not it is woken
	purgeInterval = time.Hour
	recordTimeout = 10 * time.Second // of writing down what became of an attempt
	leaseMargin   = 30 * time.Second // beyond the time-out and the grace of an attempt
	troubledAfter = 3                // failures in a row
)

// sender runs one goroutine for each endpoint that has something to send now,
// and none for the others.
type sender struct {
	s      *Service
	client *http.Client
	kick   chan struct{}
	// healthy and troubled hold the slots of endpoints that answer and of those that
	// fail: however many hang, they only wait for each other.
	healthy, troubled chan struct{}

	mu      sync.Mutex
	claims  context.Context // ends with Run; nil before it
	sends   context.Context // ends a grace later
	workers map[string]*worker
	group   sync.WaitGroup
}

func newSender(s *Service) *sender {
	return &sender{
		s: s, client: newClient(s.guard, s.o.PerEndpoint, s.o.Timeout), kick: make(chan struct{}, 1),
		healthy: make(chan struct{}, s.o.Concurrency), troubled: make(chan struct{}, max(s.o.Concurrency/4, 1)),
		workers: map[string]*worker{},
	}
}

// Run sends until ctx ends, then gives attempts under way a moment to finish and
// hands back the rest. Several processes may run at once. It returns only the
// error of ctx; a database that is away is logged and asked again.
func (s *Service) Run(ctx context.Context) error {
	sends, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.sender.open(ctx, sends)
	s.rounds(ctx)
	grace := time.AfterFunc(s.o.Grace, cancel)
	defer grace.Stop()
	s.sender.close()
	s.sender.client.CloseIdleConnections()
	return ctx.Err()
}

func (s *Service) rounds(ctx context.Context) {
	purge := time.NewTicker(purgeInterval)
	defer purge.Stop()
	s.purge(ctx)
	for ctx.Err() == nil {
		wait := s.sweep(ctx)
		least := time.NewTimer(sweepMin)
		most := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-purge.C:
			s.purge(ctx)
		case <-s.o.Wake:
		case <-s.sender.kick:
		case <-most.C:
		}
		select {
		case <-ctx.Done():
		case <-least.C:
		}
		least.Stop()
		most.Stop()
	}
}

// sweep starts a worker for each endpoint with something due and returns how
// long nothing else will be.
func (s *Service) sweep(ctx context.Context) time.Duration {
	now := s.now()
	ids, next, err := s.store.Due(ctx, now)
	if err != nil {
		if ctx.Err() == nil {
			s.o.Logger.Error("webhooks: cannot look for work", "error", err)
		}
		return sweepMax
	}
	for _, id := range ids {
		s.sender.start(id)
	}
	if next.IsZero() {
		return sweepMax
	}
	return min(max(next.Sub(now), 0), sweepMax)
}

func (s *Service) purge(ctx context.Context) {
	const batch = 1000
	for ctx.Err() == nil {
		n, err := s.store.Purge(ctx, s.now().Add(-s.o.Retention), batch)
		if err != nil {
			s.o.Logger.Error("webhooks: cannot clean up", "error", err)
			return
		}
		if n < batch {
			return
		}
	}
}

// poke makes the next rounds come soon: one now, and one a little later for a
// caller whose transaction has yet to commit.
func (x *sender) poke() {
	x.signal()
	time.AfterFunc(3*sweepMin, x.signal)
}

func (x *sender) signal() {
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

func (x *sender) open(claims, sends context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.claims, x.sends = claims, sends
}

// close waits for the workers, which claim nothing more.
func (x *sender) close() {
	x.mu.Lock()
	x.claims = nil
	x.mu.Unlock()
	x.group.Wait()
}

// start makes sure that somebody looks for work of the endpoint after now.
func (x *sender) start(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.claims == nil || x.claims.Err() != nil {
		return // what is queued stays in the store for the next Run
	}
	if w := x.workers[id]; w != nil {
		select {
		case w.again <- struct{}{}:
		default:
		}
		return
	}
	w := &worker{x: x, id: id, again: make(chan struct{}, 1), done: make(chan struct{})}
	x.workers[id] = w
	x.group.Add(1)
	go w.run(x.claims, x.sends)
}

// retire takes a worker off the list. It reports false when the worker has been
// asked to look again, unless forced.
func (x *sender) retire(w *worker, force bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(w.again) > 0 && !force {
		return false
	}
	if x.workers[w.id] == w {
		delete(x.workers, w.id)
	}
	return true
}
