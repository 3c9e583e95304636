package natsbus_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

// react reacts on the bus until the test ends or stop is called.
func react(t *testing.T, b *natsbus.Bus, fn func(eventwire.Event) error) (stop func()) {
	t.Helper()
	return run(t, func(ctx context.Context) error {
		return b.React(ctx, "test", eventwire.Orders, func(_ context.Context, e eventwire.Event) error { return fn(e) })
	})
}

func TestBus_React(t *testing.T) {
	t.Parallel()
	b, s := embedded(t, t.TempDir()), newSeen()
	orders := []string{newOrder(), newOrder(), newOrder()}
	for _, id := range orders {
		publish(t, b, id, 1, 2)
	}
	stop := react(t, b, func(e eventwire.Event) error { s.add(e); return nil })
	s.await(t, 6)
	for _, id := range orders {
		publish(t, b, id, 3)
	}
	s.await(t, 9)
	stop()
	publish(t, b, orders[0], 4) // while nobody reacts
	react(t, b, func(e eventwire.Event) error { s.add(e); return nil })
	s.await(t, 10)
	if got := s.of(orders[0]); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("got %v", got)
	}
	for _, id := range orders[1:] {
		if got := s.of(id); !slices.Equal(got, []int64{1, 2, 3}) {
			t.Errorf("got %v", got)
		}
	}
}

func TestBus_React_again_and_in_order_after_errors(t *testing.T) {
	t.Parallel()
	b, s := embedded(t, t.TempDir()), newSeen()
	poor, rich := newOrder(), newOrder()
	var mu sync.Mutex
	failures := map[int64]int{1: 3, 2: 1}
	react(t, b, func(e eventwire.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if e.Subject == poor && failures[e.Seq] > 0 {
			failures[e.Seq]--
			if e.Seq == 2 {
				panic("not now")
			}
			return errors.New("not now")
		}
		s.add(e)
		return nil
	})
	publish(t, b, poor, 1, 2, 3)
	publish(t, b, rich, 1, 2, 3)
	s.await(t, 6)
	if got := s.of(poor); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("the failing feed came as %v", got)
	}
	if got := s.of(rich); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("the other feed came as %v", got)
	}
}

func TestBus_React_survives_the_server_and_the_stream(t *testing.T) {
	t.Parallel()
	out := newOutside(t)
	b, s, id := open(t, out.options()), newSeen(), newOrder()
	react(t, b, func(e eventwire.Event) error { s.add(e); return nil })
	publish(t, b, id, 1)
	s.await(t, 1)
	out.stop()
	out.start()
	untilNil(t, func() error { return b.Publish(t.Context(), []natsbus.Message{message(t, event(t, id, 2))}) })
	s.until(t, "the event after the restart", func() bool { return slices.Contains(s.of(id), 2) })
	untilNil(t, func() error { return b.Reset(t.Context()) })
	publish(t, b, id, 3)
	s.until(t, "the event in the new stream", func() bool { return slices.Contains(s.of(id), 3) })
}

// A slow function keeps its message: nobody else gets it meanwhile. The server is
// told so every two seconds, and may be told four seconds late.
func TestBus_React_holds_on_to_a_slow_message(t *testing.T) {
	t.Parallel()
	o := quiet(natsbus.Options{StoreDir: t.TempDir(), AckWait: 6 * time.Second})
	b, s, id := open(t, o), newSeen(), newOrder()
	react(t, b, func(e eventwire.Event) error {
		s.add(e)
		if e.Seq == 1 {
			<-time.After(8 * time.Second)
		}
		return nil
	})
	publish(t, b, id, 1, 2)
	s.until(t, "the second", func() bool { return slices.Contains(s.of(id), 2) })
	publish(t, b, id, 3) // after it, all that came again has been seen
	s.until(t, "the third", func() bool { return slices.Contains(s.of(id), 3) })
	if got := s.of(id); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
}

func TestBus_React_is_shared(t *testing.T) {
	t.Parallel()
	out := newOutside(t)
	o := quiet(natsbus.Options{URL: out.s.ClientURL()})
	first, second := open(t, o), open(t, o)
	s := newSeen()
	react(t, first, func(e eventwire.Event) error { s.add(e); return nil })
	react(t, second, func(e eventwire.Event) error { s.add(e); return nil })
	for range 50 {
		publish(t, first, newOrder(), 1)
	}
	s.await(t, 50)
	if n := s.count(); n != 50 {
		t.Errorf("%d calls for 50 events", n)
	}
}

func TestBus_React_passes_over_what_nobody_asked_for(t *testing.T) {
	t.Parallel()
	b, s := embedded(t, t.TempDir()), newSeen()
	run(t, func(ctx context.Context) error {
		return b.React(ctx, "test", eventwire.Orders, func(_ context.Context, e eventwire.Event) error { s.add(e); return nil }, "order.cancelled")
	})
	id, other := newOrder(), newOrder()
	publish(t, b, id, 1, 2)
	wanted := event(t, other, 1)
	wanted.Type = "order.cancelled"
	if err := b.Publish(t.Context(), []natsbus.Message{message(t, wanted)}); err != nil {
		t.Fatal(err)
	}
	s.await(t, 1)
	if len(s.of(id)) != 0 || len(s.of(other)) != 1 {
		t.Errorf("got %v and %v", s.of(id), s.of(other))
	}
}
