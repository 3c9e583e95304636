package natsbus_test

import (
	"context"
	"testing"
	"time"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

// Within one machine the moments of a message follow each other; one that was
// restored was sent by no relay.
func TestFollow_tells_how_a_message_came(t *testing.T) {
	t.Parallel()
	b := embedded(t, t.TempDir())
	came, ready := make(chan natsbus.Passage, 2), make(chan struct{})
	run(t, func(ctx context.Context) error {
		return b.Follow(ctx, natsbus.Follower{
			Event:  func(uint64, eventwire.Event) {},
			Passed: func(p natsbus.Passage) { came <- p },
			Ready:  func() { close(ready) },
		})
	})
	<-ready
	before := time.Now().Add(-time.Millisecond) // what is sent is told in microseconds
	publish(t, b, newOrder(), 1)
	if p := <-came; p.Sent.Before(before) || p.Stored.Before(p.Sent) || p.Received.Before(p.Stored) {
		t.Errorf("sent %v, stored %v, received %v", p.Sent, p.Stored, p.Received)
	}
	e := event(t, newOrder(), 1)
	if ok, err := b.Restore(t.Context(), e); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if p := <-came; !p.Sent.IsZero() || p.Stored.IsZero() {
		t.Errorf("a restored message was sent %v, stored %v", p.Sent, p.Stored)
	}
}
