package natsbus_test

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

var merchant = eventwire.NewID(eventwire.PrefixMerchant, time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))

func newOrder() string { return eventwire.NewID(eventwire.PrefixOrder, time.Now()) }

func orderKey(id string) eventwire.Key {
	return eventwire.Key{Merchant: merchant, Kind: eventwire.Orders, ID: id}
}

// event is the event of sequence seq of the order id.
func event(t *testing.T, id string, seq int64) eventwire.Event {
	t.Helper()
	var timeline []eventwire.Transition
	for i := range seq {
		timeline = append(timeline, eventwire.Transition{
			Seq: i + 1, Type: "order.created", To: "pending_payment", Cause: "merchant",
			At: time.Date(2026, 11, 23, 9, 0, int(i), 0, time.UTC),
		})
	}
	e, err := eventwire.New(orderKey(id), id, 0, false, timeline, map[string]any{"id": id, "sequence": seq})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func message(t *testing.T, e eventwire.Event) natsbus.Message {
	t.Helper()
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return natsbus.Message{Subject: e.Key().Subject(), ID: e.ID, Body: body}
}

// publish publishes the events of an order with the sequences given.
func publish(t *testing.T, b *natsbus.Bus, id string, seqs ...int64) {
	t.Helper()
	var list []natsbus.Message
	for _, seq := range seqs {
		list = append(list, message(t, event(t, id, seq)))
	}
	untilNil(t, func() error { return b.Publish(t.Context(), list) }) // the stream drops what came twice
}

// quiet are options that say nothing and are patient, where none are given.
func quiet(o natsbus.Options) natsbus.Options {
	o.Logger = slog.New(slog.DiscardHandler)
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	o.AckWait = cmp.Or(o.AckWait, time.Minute)
	return o
}

// embedded opens a bus with its own server on dir. It is closed with the test,
// unless it is closed before.
func embedded(t *testing.T, dir string) *natsbus.Bus {
	t.Helper()
	return open(t, quiet(natsbus.Options{StoreDir: dir}))
}

func open(t *testing.T, o natsbus.Options) *natsbus.Bus {
	t.Helper()
	var b *natsbus.Bus
	untilNil(t, func() (err error) {
		b, err = natsbus.Open(t.Context(), o)
		return err
	})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// outside is a server of its own on a port of the loopback.
type outside struct {
	t    *testing.T
	dir  string
	port int
	s    *server.Server
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	port, err := portOf("nats://" + freeAddress(t)) // it must come back where its clients look for it
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{t: t, dir: t.TempDir(), port: port}
	o.start()
	t.Cleanup(func() { o.stop() })
	return o
}

func (o *outside) start() {
	o.t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: o.port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: o.dir,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30,
	})
	if err != nil {
		o.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(2 * time.Minute) {
		o.t.Fatal("the outside server does not start")
	}
	o.s = s
}

func (o *outside) stop() {
	o.s.Shutdown()
	o.s.WaitForShutdown()
}

// options are those of a bus that outlives the server: what the old one took with
// it is asked for again, and comes again, within the patience of a test.
func (o *outside) options() natsbus.Options {
	return quiet(natsbus.Options{URL: o.s.ClientURL(), Timeout: 10 * time.Second, AckWait: 10 * time.Second})
}

// seen collects sequences of events by order, safe for concurrent use.
type seen struct {
	mu    sync.Mutex
	byID  map[string][]int64
	total int
	gaps  []string
	grown chan struct{}
}

func newSeen() *seen { return &seen{byID: map[string][]int64{}, grown: make(chan struct{}, 1)} }

func (s *seen) add(e eventwire.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[e.Subject] = append(s.byID[e.Subject], e.Seq)
	s.total++
	s.signal()
}

func (s *seen) gap(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gaps = append(s.gaps, reason)
	s.signal()
}

func (s *seen) signal() {
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

func (s *seen) of(id string) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int64(nil), s.byID[id]...)
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

func (s *seen) reasons() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.gaps, "; ")
}

// await returns when n events have come.
func (s *seen) await(t *testing.T, n int) {
	t.Helper()
	s.until(t, "events", func() bool { return s.count() >= n })
}

func (s *seen) awaitGap(t *testing.T) {
	t.Helper()
	s.until(t, "a gap", func() bool { return s.reasons() != "" })
}

func (s *seen) until(t *testing.T, what string, true func() bool) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for !true() {
		select {
		case <-s.grown:
		case <-late:
			t.Fatalf("waited in vain for %s; %d events so far", what, s.count())
		}
	}
}

// follow follows the bus until the test ends, and returns when it stands.
func follow(t *testing.T, b *natsbus.Bus) *seen {
	t.Helper()
	s, ready := newSeen(), make(chan struct{})
	run(t, func(ctx context.Context) error {
		return b.Follow(ctx, natsbus.Follower{
			Event: func(_ uint64, e eventwire.Event) { s.add(e) },
			Ready: func() { close(ready) },
			Gap:   s.gap,
		})
	})
	select {
	case <-ready:
	case <-time.After(2 * time.Minute):
		t.Fatal("Follow does not stand")
	}
	return s
}

// run runs fn until the test ends or stop is called. It must not fail.
func run(t *testing.T, fn func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}
