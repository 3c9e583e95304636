package apikeys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	loadTimeout = 5 * time.Second
	// shortWait is what a request grants a store that takes its time, where it is
	// believed without it.
	shortWait = 250 * time.Millisecond
)

// entry is what is known of an id, and since when.
type entry struct {
	record Record
	found  bool
	at     time.Time // the store was asked then: what was revoked later is not in it
}

// record is what is known of an id: from memory while that is fresh, then from the
// store, and again from memory where the store is slow or does not answer.
func (s *Service) record(ctx context.Context, id string) (Record, error) {
	known, have := s.cache.GetIfPresent(id)
	switch age := s.now().Sub(known.at); {
	case !have || age >= s.fresh:
		var err error
		if known, err = s.recheck(ctx, id, known, age); err != nil {
			return Record{}, fmt.Errorf("apikeys: look up: %w", err)
		}
	case known.found && age >= s.fresh/2:
		s.refresh(ctx, id) // so that the answer is there before it is needed
	}
	if !known.found {
		return Record{}, ErrUnknownKey
	}
	return known.record, nil
}

// recheck asks the store about an id of which known, of that age, is what we have.
func (s *Service) recheck(ctx context.Context, id string, known entry, age time.Duration) (entry, error) {
	result := s.refresh(ctx, id)
	believed := known.found && age < s.stale
	if believed && s.silent() {
		return known, nil
	}
	var enough <-chan time.Time // nil: as long as it takes
	if known.found && age < s.slow {
		t := time.NewTimer(min(shortWait, s.slow-age))
		defer t.Stop()
		enough = t.C
	}
	select {
	case r := <-result:
		if r.Err == nil {
			return r.Val.(entry), nil
		}
		if !believed {
			return entry{}, r.Err
		}
		s.log.WarnContext(ctx, "key not checked: the store does not answer", "key", id, "error", r.Err)
		return known, nil
	case <-enough:
		return known, nil
	case <-ctx.Done():
		return entry{}, ctx.Err()
	}
}

// silent reports whether the store has failed lately, and not answered since: so
// lately that the question after that one may still be open.
func (s *Service) silent() bool {
	failed := s.failed.Load()
	return failed != 0 && s.now().Sub(time.Unix(0, failed)) < s.fresh+loadTimeout
}

// refresh loads an id, once for all requests that need it at the time.
func (s *Service) refresh(ctx context.Context, id string) <-chan singleflight.Result {
	// The load serves others too: one caller's end must not be theirs.
	shared := context.WithoutCancel(ctx)
	return s.load.DoChan(id, func() (any, error) {
		limited, cancel := context.WithTimeout(shared, loadTimeout)
		defer cancel()
		at, revocations := s.now(), s.revoked()
		record, err := s.store.Key(limited, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			s.failed.Store(s.now().UnixNano())
			return entry{}, err
		}
		s.failed.Store(0)
		e := entry{record: record, found: err == nil, at: at}
		s.remember(id, e, revocations)
		return e, nil
	})
}

// revoked is how many revocations are known here.
func (s *Service) revoked() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revocations
}

// remember keeps what the store said, unless something was revoked meanwhile: it
// may have said so before.
func (s *Service) remember(id string, e entry, revocations int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revocations == revocations {
		s.cache.Set(id, e)
	}
}

// forget makes a revocation known here at once.
func (s *Service) forget(id string) {
	s.mu.Lock()
	s.revocations++
	s.cache.Invalidate(id)
	s.mu.Unlock()
	s.tell(id)
}
