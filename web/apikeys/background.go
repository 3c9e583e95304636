package apikeys

import (
	"context"
	"time"
)

const (
	useGranularity = time.Minute     // a last use is noted this often
	useInterval    = 5 * time.Second // and written this often
	revokeOverlap  = 10 * time.Second
)

// noteUse remembers that the key is in use, for RunUse to write: with its hash under
// the first secret where another one proved it, so that the other can be retired.
func (s *Service) noteUse(r Record, raw string, secret int) {
	use := Use{At: s.time()}
	if secret > 0 {
		use.Hash, use.Seen = s.pepper.hash(raw), r.Hash
	} else if use.At.Sub(r.LastUsedAt) < useGranularity {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[r.ID] = use
}

// RunUse writes the last uses until ctx ends, and once more then. A write that
// fails is tried again with the next; a crash loses seconds of it.
func (s *Service) RunUse(ctx context.Context) error {
	ticker := time.NewTicker(useInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.writeUse(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			s.writeUse(last)
			return nil
		}
	}
}

func (s *Service) writeUse(ctx context.Context) {
	s.mu.Lock()
	batch := s.used
	s.used = map[string]Use{}
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	err := s.store.NoteUse(ctx, batch)
	if err == nil {
		return
	}
	s.log.WarnContext(ctx, "last use of keys not written", "keys", len(batch), "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, use := range batch {
		if s.used[id].At.Before(use.At) {
			s.used[id] = use
		}
	}
}

// RunRevocations makes keys that other processes revoked end here, asking the
// store every interval until ctx ends.
func (s *Service) RunRevocations(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	since, told := s.time(), map[string]time.Time{}
	for {
		select {
		case <-ticker.C:
			// Clocks of processes differ a little and a commit takes a moment, so
			// each look goes back further than the last one and repeats are dropped.
			next := s.time()
			ids, err := s.store.RevokedSince(ctx, since.Add(-revokeOverlap))
			if err != nil {
				s.log.WarnContext(ctx, "revoked keys not looked up", "error", err)
				continue
			}
			s.tellNew(ids, told, next)
			since = next
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Service) tellNew(ids []string, told map[string]time.Time, now time.Time) {
	for _, id := range ids {
		if _, done := told[id]; !done {
			s.forget(id)
		}
		told[id] = now
	}
	for id, at := range told {
		if now.Sub(at) > 2*revokeOverlap {
			delete(told, id)
		}
	}
}
