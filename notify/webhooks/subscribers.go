package webhooks

import (
	"context"
	"slices"
	"sync"
	"time"
)

// subscribers finds the endpoints of merchants, for many callers with one query.
// Nothing is kept: a caller gets what a query found that began after it asked, so
// that no endpoint, made in whatever process, misses an event that came later.
// Callers that ask while a query runs share the next one, which begins no sooner
// than queryPause after the one before: it is most of what an event without any
// endpoint costs, and under load many events can share it. Safe for concurrent use.
type subscribers struct {
	read func(ctx context.Context, merchants []string) (map[string][]Endpoint, error)

	mu   sync.Mutex
	busy bool      // a query runs, or somebody was chosen to run the next one
	next *lookup   // what those who ask now wait for
	last time.Time // when a query began last
}

// queryPause is what an event waits at most for others to share its query, and
// only behind another one.
const queryPause = 5 * time.Millisecond

// lookup is one query and those who wait for it.
type lookup struct {
	merchants []string
	lead      chan struct{} // received by the one who runs it
	done      chan struct{} // closed when found and err are there
	found     map[string][]Endpoint
	err       error
}

// of lists the merchant's endpoints as they are now or later.
func (s *subscribers) of(ctx context.Context, merchant string) ([]Endpoint, error) {
	l := s.join(merchant)
	select {
	case <-l.lead:
		s.run(ctx, l)
	case <-l.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return l.found[merchant], l.err
}

func (s *subscribers) join(merchant string) *lookup {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &lookup{lead: make(chan struct{}, 1), done: make(chan struct{})}
	}
	s.next.merchants = append(s.next.merchants, merchant)
	if !s.busy {
		s.busy = true
		s.next.lead <- struct{}{}
	}
	return s.next
}

// run makes the query. Who asks from here on waits for the next one.
func (s *subscribers) run(ctx context.Context, l *lookup) {
	s.pause(ctx)
	s.mu.Lock()
	s.next, s.last = nil, time.Now()
	s.mu.Unlock()
	slices.Sort(l.merchants)
	l.found, l.err = s.read(ctx, slices.Compact(l.merchants))
	close(l.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy = s.next != nil; s.busy {
		s.next.lead <- struct{}{}
	}
}

// pause waits until the next query may begin, or ctx ends.
func (s *subscribers) pause(ctx context.Context) {
	s.mu.Lock()
	rest := queryPause - time.Since(s.last)
	s.mu.Unlock()
	if rest <= 0 {
		return
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
