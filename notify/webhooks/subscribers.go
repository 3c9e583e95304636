package webhooks

import (
	"context"
	"slices"
	"sync"
)

// subscribers finds the endpoints of merchants, for many callers with one query.
// Nothing is kept: a caller gets what a query found that began after it asked, so
// that no endpoint, made in whatever process, misses an event that came later.
// Callers that ask while a query runs share the next one. Safe for concurrent use.
type subscribers struct {
	read func(ctx context.Context, merchants []string) (map[string][]Endpoint, error)

	mu   sync.Mutex
	busy bool    // a query runs, or somebody was chosen to run the next one
	next *lookup // what those who ask now wait for
}

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
	s.mu.Lock()
	s.next = nil
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
