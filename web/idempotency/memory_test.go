package idempotency

import (
	"context"
	"strconv"
	"testing"
	"time"
)

// keeping is a store that counts what it is given and keeps the last key alone, as
// if it were far away.
type keeping struct {
	Store
	last Entry
	puts int
}

func (k *keeping) Transact(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (k *keeping) Find(_ context.Context, id string, _ time.Time) (Entry, bool, error) {
	return k.last, k.last.ID == id, nil
}

func (k *keeping) Put(_ context.Context, e Entry, _ time.Time) (bool, error) {
	k.last, k.puts = e, k.puts+1
	return true, nil
}

func (k *keeping) Answer(_ context.Context, e Entry) error {
	k.last = e
	return nil
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
