package natsbus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

// maxUnacked bounds what all processes of a durable name hold, together.
const maxUnacked = 512

// React calls fn for every event of a kind until ctx ends, which is no error:
// for those in the stream first, and again for each until fn returns nil. The
// processes that give the same durable name share the events. Those of one feed
// that come to this process are handled one after the other, in order; a failed one
// holds up its feed, with a growing pause, and others only where [maxUnacked] events
// wait so: then none of the durable name gets a new one.
//
// With only, fn need care about nothing but events of these types; others are
// passed over undecoded, as far as they can be told.
func (b *Bus) React(ctx context.Context, durable string, kind eventwire.Kind, fn func(context.Context, eventwire.Event) error, only ...string) error {
	pause := rereadMin
	for ctx.Err() == nil {
		begun := time.Now()
		err := b.react(ctx, durable, kind, fn, only)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(begun) > time.Minute {
			pause = rereadMin
		}
		b.log.WarnContext(ctx, "reacting to events anew", "durable", durable, "error", err)
		sleep(ctx, pause)
		pause = min(2*pause, rereadMax)
	}
	return nil
}

// react is one session on the durable consumer.
func (b *Bus) react(ctx context.Context, durable string, kind eventwire.Kind, fn func(context.Context, eventwire.Event) error, only []string) error {
	if _, err := b.look(ctx); err != nil {
		return err
	}
	consumer, err := b.js.CreateOrUpdateConsumer(ctx, eventwire.Stream, jetstream.ConsumerConfig{
		Durable:       durable,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       b.o.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: maxUnacked,
		FilterSubject: eventwire.KindWildcard(kind),
	})
	if err != nil {
		return fmt.Errorf("natsbus: consumer %s: %w", durable, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(maxUnacked/2), jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullHeartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return fmt.Errorf("natsbus: consume %s: %w", durable, err)
	}
	l := newLanes(ctx, b, fn, only)
	defer l.end()
	defer messages.Stop() // first, or what the lanes give back would come here again
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		l.add(ctx, m)
	}
}
