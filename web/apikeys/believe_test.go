package apikeys_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tracker/web/apikeys"
)

// slowStore holds one merchant and its keys, and answers after a while; what it
// answers is what it had when it was asked.
type slowStore struct {
	apikeys.Store
	mu      sync.Mutex
	records map[string]apikeys.Record
	takes   time.Duration
	down    error
	asked   int
}

func (s *slowStore) Merchant(context.Context, string) (apikeys.Merchant, error) {
	return apikeys.Merchant{ID: "mer_1", Mode: apikeys.Test}, nil
}

func (s *slowStore) AddKey(_ context.Context, r apikeys.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[r.ID] = r
	return nil
}

func (s *slowStore) Key(ctx context.Context, id string) (apikeys.Record, error) {
	s.mu.Lock()
	s.asked++
	r, takes, err := s.records[id], s.takes, s.down
	s.mu.Unlock()
	select {
	case <-time.After(takes):
		return r, err
	case <-ctx.Done():
		return apikeys.Record{}, ctx.Err()
	}
}

func (s *slowStore) ChangeKey(_ context.Context, _, id string, fn func(*apikeys.Key) error) (apikeys.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[id]
	err := fn(&r.Key)
	s.records[id] = r
	return r.Key, err
}

func (s *slowStore) set(takes time.Duration, down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes, s.down = takes, down
}

// questions is how often the store was asked since the last call.
func (s *slowStore) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.asked
	s.asked = 0
	return n
}

// bubble runs fn with a service on a slow store and a key of it, on the clock of
// a bubble, which stands still while anybody computes.
func bubble(t *testing.T, fn func(t *testing.T, s *apikeys.Service, store *slowStore, raw string, k apikeys.Key)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{records: map[string]apikeys.Record{}}
		s := service(t, store, apikeys.Options{})
		raw, k, err := s.Create(t.Context(), apikeys.NewKey{Merchant: "mer_1"})
		if err != nil {
			t.Fatal(err)
		}
		fn(t, s, store, raw, k)
		synctest.Wait()
		time.Sleep(time.Minute) // on the bubble's clock: whatever is still asked has ended
	})
}

// verify reports how long a request waited for its key.
func verify(t *testing.T, s *apikeys.Service, raw string) (took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	_, err = s.Verify(t.Context(), raw)
	return time.Since(began), err
}

func TestService_many_requests_ask_the_store_once(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *apikeys.Service, store *slowStore, raw string, _ apikeys.Key) {
		store.set(time.Second, nil)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if _, err := s.Verify(t.Context(), raw); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := store.questions(); n != 1 {
			t.Errorf("1,000 requests at once asked %d times", n)
		}
	})
}

// A key in use is asked about before it is needed, so nobody waits.
func TestService_a_key_in_use_never_waits(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *apikeys.Service, store *slowStore, raw string, _ apikeys.Key) {
		if _, err := verify(t, s, raw); err != nil {
			t.Fatal(err)
		}
		store.set(900*time.Millisecond, nil)
		store.questions()
		for range 600 { // a minute
			time.Sleep(100 * time.Millisecond)
			if took, err := verify(t, s, raw); took > 0 || err != nil {
				t.Fatalf("waited %v: %v", took, err)
			}
		}
		if n := store.questions(); n < 30 || n > 60 {
			t.Errorf("600 requests in a minute asked %d times", n)
		}
	})
}

func TestService_a_key_revoked_elsewhere_is_refused_in_time(t *testing.T) {
	t.Parallel()
	for takes, bound := range map[time.Duration]time.Duration{
		0: 2 * time.Second, 900 * time.Millisecond: 2 * time.Second, 3 * time.Second: 5 * time.Second, 4900 * time.Millisecond: 5 * time.Second,
	} {
		bubble(t, func(t *testing.T, s *apikeys.Service, store *slowStore, raw string, k apikeys.Key) {
			if _, err := verify(t, s, raw); err != nil {
				t.Fatal(err)
			}
			store.set(takes, nil)
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				if _, err := verify(t, s, raw); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := store.ChangeKey(t.Context(), "mer_1", k.ID, func(k *apikeys.Key) error { k.RevokedAt = time.Now(); return nil }); err != nil {
				t.Fatal(err)
			}
			revoked, last := time.Now(), time.Duration(0)
			for range 200 {
				if _, err := verify(t, s, raw); err == nil {
					last = time.Since(revoked)
				} else if !errors.Is(err, apikeys.ErrUnknownKey) {
					t.Error(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			if last > bound {
				t.Errorf("with a store that takes %v it was let in for %v", takes, last)
			}
		})
	}
}

// What was asked before a revocation and answered after it does not bring the key
// back in the process that revoked it.
func TestService_a_key_revoked_here_is_refused_at_once(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *apikeys.Service, store *slowStore, raw string, k apikeys.Key) {
		if _, err := verify(t, s, raw); err != nil {
			t.Fatal(err)
		}
		store.set(500*time.Millisecond, nil)
		time.Sleep(1100 * time.Millisecond)
		if _, err := verify(t, s, raw); err != nil { // begins to ask ahead
			t.Fatal(err)
		}
		if _, err := s.Revoke(t.Context(), "mer_1", k.ID, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(600 * time.Millisecond) // the answer is there
		if _, err := verify(t, s, raw); !errors.Is(err, apikeys.ErrUnknownKey) {
			t.Errorf("after it was revoked: %v", err)
		}
	})
}

// A store that hangs is waited for once, and not by each who comes.
func TestService_a_store_that_hangs_is_waited_for_once(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *apikeys.Service, store *slowStore, raw string, _ apikeys.Key) {
		if _, err := verify(t, s, raw); err != nil {
			t.Fatal(err)
		}
		store.set(time.Hour, nil)
		time.Sleep(10 * time.Second)
		if took, err := verify(t, s, raw); err != nil || took > 5*time.Second {
			t.Errorf("the first waited %v: %v", took, err)
		}
		for range 600 { // a minute
			time.Sleep(100 * time.Millisecond)
			if took, err := verify(t, s, raw); err != nil || took > 0 {
				t.Fatalf("another waited %v: %v", took, err)
			}
		}
		store.set(0, nil)
		time.Sleep(10 * time.Second)
		if took, err := verify(t, s, raw); err != nil || took > 0 {
			t.Errorf("when it answers again: %v, %v", took, err)
		}
	})
}
