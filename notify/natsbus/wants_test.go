package natsbus_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

// What is not wanted is passed over, and counted; what cannot be told apart
// undecoded is handed on.
func TestFollow_tells_only_what_is_wanted(t *testing.T) {
	t.Parallel()
	b := embedded(t, t.TempDir())
	watched, unwatched := newOrder(), newOrder()
	s, ready, passed := newSeen(), make(chan struct{}), make(chan natsbus.Passage, 10)
	run(t, func(ctx context.Context) error {
		return b.Follow(ctx, natsbus.Follower{
			Wants:  func(key eventwire.Key) bool { return key == orderKey(watched) },
			Event:  func(_ uint64, e eventwire.Event) { s.add(e) },
			Passed: func(p natsbus.Passage) { passed <- p },
			Ready:  func() { close(ready) },
		})
	})
	<-ready
	publish(t, b, unwatched, 1, 2)
	publish(t, b, watched, 1)
	strange := message(t, event(t, unwatched, 3))
	strange.Body = bytes.Replace(strange.Body, []byte(`{"specversion"`), []byte(`{ "specversion"`), 1) // not as we write it
	if err := b.Publish(t.Context(), []natsbus.Message{strange}); err != nil {
		t.Fatal(err)
	}
	publish(t, b, watched, 2)
	s.await(t, 3)
	if got := s.of(watched); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("of the wanted feed: %v", got)
	}
	if got := s.of(unwatched); !slices.Equal(got, []int64{3}) {
		t.Errorf("of the other feed: %v, want the message that had to be decoded", got)
	}
	for _, seq := range []int64{1, 2, 1, 3, 2} {
		if p := <-passed; !p.Changed.Equal(event(t, watched, seq).Time) {
			t.Errorf("sequence %d changed at %v", seq, p.Changed)
		}
	}
}
