package natsbus

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

const (
	maxUnacked = 512
	retryMin   = 100 * time.Millisecond
	retryMax   = 30 * time.Second
)

// React calls fn for every event of a kind until ctx ends, which is no error:
// for those in the stream first, and again for each until fn returns nil. The
// processes that give the same durable name share the events. Those of one feed
// are handled one after the other here; a failed one holds up its feed, and
// nothing else, with a growing pause.
func (b *Bus) React(ctx context.Context, durable string, kind eventwire.Kind, fn func(context.Context, eventwire.Event) error) error {
	pause := rereadMin
	for ctx.Err() == nil {
		begun := time.Now()
		err := b.react(ctx, durable, kind, fn)
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
func (b *Bus) react(ctx context.Context, durable string, kind eventwire.Kind, fn func(context.Context, eventwire.Event) error) error {
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
	l := newLanes(ctx, b, fn)
	defer l.end()
	defer messages.Stop() // first, or what the lanes give back would come here again
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		l.add(m)
	}
}

// lanes handle messages side by side, those of one subject one after the other.
type lanes struct {
	bus  *Bus
	fn   func(context.Context, eventwire.Event) error
	seed maphash.Seed
	lane []chan jetstream.Msg
	quit chan struct{}
	work sync.WaitGroup

	mu   sync.Mutex
	held map[jetstream.Msg]struct{} // not yet answered
}

func newLanes(ctx context.Context, b *Bus, fn func(context.Context, eventwire.Event) error) *lanes {
	l := &lanes{bus: b, fn: fn, seed: maphash.MakeSeed(), quit: make(chan struct{}), held: map[jetstream.Msg]struct{}{}}
	for range b.o.ReactorWorkers {
		lane := make(chan jetstream.Msg, maxUnacked)
		l.lane = append(l.lane, lane)
		l.work.Go(func() { l.run(ctx, lane) })
	}
	l.work.Go(l.keepAlive)
	return l
}

func (l *lanes) add(m jetstream.Msg) {
	l.mu.Lock()
	l.held[m] = struct{}{}
	l.mu.Unlock()
	l.lane[maphash.String(l.seed, m.Subject())%uint64(len(l.lane))] <- m
}

// end lets each lane finish the message it is at. The others are given back.
func (l *lanes) end() {
	close(l.quit)
	for _, lane := range l.lane {
		close(lane)
	}
	l.work.Wait()
}

func (l *lanes) ending() bool {
	select {
	case <-l.quit:
		return true
	default:
		return false
	}
}

// keepAlive tells the server that the messages held here are not lost.
func (l *lanes) keepAlive() {
	tick := time.NewTicker(l.bus.o.AckWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-tick.C:
		}
		l.mu.Lock()
		for m := range l.held {
			_ = m.InProgress() // lost with the connection, and then the message comes again
		}
		l.mu.Unlock()
	}
}

// blocked is a subject whose message failed: what comes after it has to wait.
type blocked struct {
	seq   uint64 // the stream sequence of the failed message
	until time.Time
}

func (l *lanes) run(ctx context.Context, lane <-chan jetstream.Msg) {
	waiting := map[string]blocked{}
	for m := range lane {
		if l.ending() || ctx.Err() != nil {
			l.giveBack(m, 0)
			continue
		}
		l.handle(ctx, m, waiting)
	}
}

func (l *lanes) handle(ctx context.Context, m jetstream.Msg, waiting map[string]blocked) {
	meta, err := m.Metadata()
	if err != nil {
		l.giveBack(m, retryMax)
		return
	}
	seq, subject := meta.Sequence.Stream, m.Subject()
	if w, ok := waiting[subject]; ok && w.seq < seq {
		if rest := time.Until(w.until) + retryMin/2; rest > -retryMax {
			l.giveBack(m, max(rest, retryMin/2))
			return
		}
		delete(waiting, subject) // the failed one went to another process
	}
	if err := l.call(ctx, m); err != nil {
		pause := backoff(meta.NumDelivered)
		l.bus.log.WarnContext(ctx, "an event was not handled; trying again", "subject", subject, "tries", meta.NumDelivered, "in", pause, "error", err)
		waiting[subject] = blocked{seq, time.Now().Add(pause)}
		l.giveBack(m, pause)
		return
	}
	delete(waiting, subject)
	l.let(m)
	_ = m.Ack() // lost with the connection, and then the message comes again
}

func (l *lanes) call(ctx context.Context, m jetstream.Msg) error {
	e, err := eventwire.Decode(m.Data())
	if err != nil {
		l.bus.log.ErrorContext(ctx, "a message in the stream is not an event; passed over", "subject", m.Subject(), "error", err)
		return nil
	}
	_, err = guarded(func() (struct{}, error) { return struct{}{}, l.fn(ctx, e) })
	return err
}

// giveBack returns a message to the server, to come again after a while.
func (l *lanes) giveBack(m jetstream.Msg, after time.Duration) {
	l.let(m)
	_ = m.NakWithDelay(after) // lost with the connection, and then the message comes again
}

func (l *lanes) let(m jetstream.Msg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, m)
}

// backoff grows with the deliveries and is jittered by a quarter.
func backoff(delivered uint64) time.Duration {
	d := retryMax
	if delivered < 10 {
		d = min(retryMin<<(max(delivered, 1)-1), retryMax)
	}
	return d - d/8 + rand.N(d/4)
}
