package natsbus

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

const (
	retryMin = 100 * time.Millisecond
	retryMax = 30 * time.Second
)

// lanes handle messages side by side, those of one subject one after the other. A
// message that failed is kept here and tried again, because the server would send
// it after its successors. The server is told meanwhile that it is not lost.
type lanes struct {
	bus   *Bus
	fn    func(context.Context, eventwire.Event) error
	only  []string      // the types that fn cares about; none: all
	slots chan struct{} // held by whoever calls fn
	quit  chan struct{}
	work  sync.WaitGroup

	mu   sync.Mutex
	held map[string][]jetstream.Msg // by subject, each list with a goroutine
}

func newLanes(ctx context.Context, b *Bus, fn func(context.Context, eventwire.Event) error, only []string) *lanes {
	l := &lanes{
		bus: b, fn: fn, only: only, slots: make(chan struct{}, b.o.ReactorWorkers), quit: make(chan struct{}),
		held: map[string][]jetstream.Msg{},
	}
	l.work.Go(func() { l.keep(ctx) })
	return l
}

// add takes a message over. It does not wait: how many there are is the server's
// to limit.
func (l *lanes) add(ctx context.Context, m jetstream.Msg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list, running := l.held[m.Subject()]
	l.held[m.Subject()] = append(list, m)
	if !running {
		l.work.Go(func() { l.run(ctx, m.Subject()) })
	}
}

// end lets the calls that have begun finish and gives everything else back.
func (l *lanes) end() {
	close(l.quit)
	l.work.Wait()
	for _, list := range l.held {
		for _, m := range list {
			_ = m.Nak() // lost with the connection, and then it comes again in time
		}
	}
}

// run handles the messages of a subject until there are none.
func (l *lanes) run(ctx context.Context, subject string) {
	for {
		l.mu.Lock()
		list := l.held[subject]
		if len(list) == 0 {
			delete(l.held, subject)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		if !l.handle(ctx, list[0]) {
			return
		}
		_ = list[0].Ack() // lost with the connection, and then it comes again
		l.mu.Lock()
		l.held[subject] = l.held[subject][1:]
		l.mu.Unlock()
	}
}

// handle calls fn until it returns nil. It reports false when it is time to end.
func (l *lanes) handle(ctx context.Context, m jetstream.Msg) bool {
	for try := 0; ; try++ {
		select {
		case <-l.quit:
			return false
		case l.slots <- struct{}{}:
		}
		err := l.call(ctx, m)
		<-l.slots
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		pause := backoff(try)
		l.bus.log.WarnContext(ctx, "an event was not handled; trying again", "subject", m.Subject(), "try", try+1, "in", pause, "error", err)
		if !l.rest(pause) {
			return false
		}
	}
}

func (l *lanes) call(ctx context.Context, m jetstream.Msg) error {
	if l.passes(m) {
		return nil
	}
	e, err := eventwire.Decode(m.Data())
	if err != nil {
		l.bus.log.ErrorContext(ctx, "a message in the stream is not an event; passed over", "subject", m.Subject(), "error", err)
		return nil
	}
	_, err = guarded(func() (struct{}, error) { return struct{}{}, l.fn(ctx, e) })
	return err
}

// passes reports that fn does not care about the message, without decoding it.
func (l *lanes) passes(m jetstream.Msg) bool {
	if len(l.only) == 0 {
		return false
	}
	head, ok := eventwire.Peek(m.Data())
	return ok && !slices.Contains(l.only, head.Type)
}

// rest waits and reports false when it is time to end.
func (l *lanes) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.quit:
		return false
	case <-t.C:
		return true
	}
}

// keep tells the server again and again that what is held here is not lost.
func (l *lanes) keep(ctx context.Context) {
	for l.rest(l.bus.o.AckWait/3) && ctx.Err() == nil {
		l.mu.Lock()
		for _, list := range l.held {
			for _, m := range list {
				_ = m.InProgress() // lost with the connection, and then it comes again
			}
		}
		l.mu.Unlock()
	}
}

// backoff grows with the tries and is jittered by a quarter.
func backoff(try int) time.Duration {
	d := retryMax
	if try < 9 {
		d = min(retryMin<<try, retryMax)
	}
	return d - d/8 + rand.N(d/4)
}
