package idempotency

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// keeping is a store that counts what it is given and keeps the last key alone, as
// if it were far away.
type keeping struct {
	Store
	mu   sync.Mutex
	last Entry
	puts int
}

func (k *keeping) Transact(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (k *keeping) Find(_ context.Context, id string, _ time.Time) (Entry, bool, error) {
	last, _ := k.state()
	return last, last.ID == id, nil
}

func (k *keeping) Put(_ context.Context, e Entry, _ time.Time) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last, k.puts = e, k.puts+1
	return true, nil
}

func (k *keeping) Answer(_ context.Context, e Entry) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = e
	return nil
}

func (k *keeping) state() (last Entry, puts int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, k.puts
}

// Keys are rows: the service remembers only what runs at the moment, however many
// there have been.
func TestService_remembers_no_key(t *testing.T) {
	t.Parallel()
	store := &keeping{}
	s := NewService(store, Options{})
	const keys = 50_000
	for i := range keys {
		run := s.InOne
		if i%2 == 0 {
			run = s.Leased
		}
		r := Request{Owner: "mer_1", Key: strconv.Itoa(i), Content: []byte("{}")}
		_, replayed, err := run(t.Context(), r, func(context.Context) ([]byte, error) {
			if n := len(s.running); n != 1 {
				t.Fatalf("key %d: %d are remembered while it runs", i, n)
			}
			return []byte("done"), nil
		})
		if err != nil || replayed {
			t.Fatalf("key %d: replayed %v, %v", i, replayed, err)
		}
	}
	if len(s.running) != 0 || store.puts != keys {
		t.Errorf("%d remembered, %d stored of %d", len(s.running), store.puts, keys)
	}
}

// A request that takes longer than a claim lasts keeps its claim, and leaves it
// alone once it has its answer.
func TestLeased_keeps_the_claim_of_a_slow_request(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &keeping{}
		s := NewService(store, Options{})
		_, _, err := s.Leased(t.Context(), Request{Owner: "mer_1", Key: "k"}, func(context.Context) ([]byte, error) {
			for second := range 29 {
				time.Sleep(time.Second)
				synctest.Wait()
				last, _ := store.state()
				if left := time.Until(last.LeaseUntil); left < leaseTime/2 || left > leaseTime {
					t.Errorf("after %d s the claim lasts %v", second+1, left)
				}
			}
			return []byte("done"), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, before := store.state()
		time.Sleep(time.Minute)
		if last, puts := store.state(); puts != before || string(last.Answer) != "done" {
			t.Errorf("afterwards it was claimed %d times, and the answer is %q", puts-before, last.Answer)
		}
	})
}
