package notify

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"tracker/notify/eventwire"
)

// Log is what the notifier needs of the stream of events.
type Log interface {
	// Last returns the newest message of a feed, or false where there is no
	// such feed. It must never return one older than a message that was
	// published through this process before the call. Safe for concurrent use.
	Last(ctx context.Context, key eventwire.Key) (eventwire.Event, bool, error)
	// Scan calls fn for every message on subjects behind the stream sequence after
	// and up to upTo, in stream order, and returns when there are no more of them,
	// when ctx ends, or with fn's error.
	Scan(ctx context.Context, subjects []string, after, upTo uint64, fn func(streamSeq uint64, e eventwire.Event) error) error
	// Bounds are the stream sequences of the oldest and the newest message.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Incarnation identifies this life of the stream. It changes when the
	// stream was deleted and built again.
	Incarnation() string
}

// Options set up a Notifier. Everything but Log has a working default, and a
// limit of 0 is none.
type Options struct {
	Log    Log
	Now    func() time.Time // for what is shown; silences and lifetimes have a clock of their own
	Logger *slog.Logger

	Heartbeat    time.Duration // between signs of life on a quiet stream (15 s)
	Lifetime     time.Duration // least lifetime of a connection, at most a quarter more (8 min)
	Retry        time.Duration // what clients are told to wait before they reconnect, jittered by half (2 s)
	WriteTimeout time.Duration // for one write of a transport that may block (10 s)
	PollHint     time.Duration // Retry-After on a short poll (5 s)
	DrainWindow  time.Duration // over which Drain spreads its goodbyes (5 s)

	MaxWatchers   int      // in total
	MaxPerFeed    int      //
	MaxPerAddress int      //
	Origins       []string // further origins that may open a WebSocket: scheme://host[:port], or "*"

	CacheBytes int  // newest messages kept in memory, estimated (4 MiB)
	SendBuffer int  // SO_SNDBUF of a parked connection (32 KiB); the kernel doubles it
	NoParking  bool // every SSE connection through r3labs

	// FannedOut is told of every event that live watchers were sent: when it
	// came, when the first was written to and when the last had been. It is called
	// on the way and must not block. Nil measures nothing.
	FannedOut func(came, first, last time.Time)

	// Delivered is told of every traced event that live watchers were sent: since
	// when, and how many times. It is called on the way and must not block. Nil
	// traces nothing.
	Delivered func(e eventwire.Event, begun time.Time, clients int64)
}

func (o Options) withDefaults() Options {
	set(&o.Now, time.Now, o.Now == nil)
	set(&o.Logger, slog.New(slog.DiscardHandler), o.Logger == nil)
	set(&o.Heartbeat, 15*time.Second, o.Heartbeat <= 0)
	set(&o.Lifetime, 8*time.Minute, o.Lifetime <= 0)
	set(&o.Retry, 2*time.Second, o.Retry <= 0)
	set(&o.WriteTimeout, 10*time.Second, o.WriteTimeout <= 0)
	set(&o.PollHint, 5*time.Second, o.PollHint <= 0)
	set(&o.DrainWindow, 5*time.Second, o.DrainWindow <= 0)
	set(&o.CacheBytes, 4<<20, o.CacheBytes <= 0)
	set(&o.SendBuffer, 32<<10, o.SendBuffer <= 0)
	return o
}

func set[T any](field *T, value T, missing bool) {
	if missing {
		*field = value
	}
}

// Notifier brings events to whoever watches. Safe for concurrent use.
type Notifier struct {
	opt   Options
	log   Log
	now   func() time.Time
	began time.Time // with a monotonic reading
	hub   *hub
	gate  *gate
	wheel *wheel // heartbeats and lifetimes
	waits *wheel // parked polls, by the end of their wait
	park  parking
	r3    *r3Servers
	count counters
	fixed fixedHeaders
	tails tails
	meets singleflight.Group // reads of the log for cursors that are ahead of us

	running atomic.Bool
}

// New returns a Notifier that answers requests at once. Heartbeats, lifetimes
// and parked connections need Run.
func New(o Options) *Notifier {
	o = o.withDefaults()
	n := &Notifier{opt: o, log: o.Log, now: o.Now, began: time.Now(), hub: newHub(o.CacheBytes), gate: newGate(o),
		wheel: newWheel(slots), waits: newWheel(waitSlots), r3: newR3Servers(), fixed: newFixedHeaders(o.PollHint)}
	n.park.retry = n.retry
	return n
}

// millis is the clock of silences and lifetimes: the time since New. A wall clock
// that is set back makes no connection older or younger.
func (n *Notifier) millis() int64 { return time.Since(n.began).Milliseconds() }

// Run keeps connections alive and ends them in time. When ctx ends, it lets
// nobody in any more, cuts every connection that is left and returns nil. Call
// Drain first to be kind. A Notifier runs once.
func (n *Notifier) Run(ctx context.Context) error {
	if !n.running.CompareAndSwap(false, true) {
		return errors.New("notify: Run was called twice")
	}
	var others sync.WaitGroup
	if !n.opt.NoParking {
		if err := n.park.open(); err != nil {
			n.opt.Logger.Warn("connections cannot be parked", "error", err)
		}
		others.Go(func() { n.park.watch(ctx, func(w *watcher) { n.end(w, gone) }) })
	}
	others.Go(func() { n.expire(ctx) })
	n.turn(ctx)
	n.gate.close()
	for _, w := range append(n.wheel.close(), n.waits.close()...) {
		n.end(w, stopped)
	}
	others.Wait()
	return nil
}

// Awaits reports whether Publish would do anything with the next event of a feed.
// One that is not awaited need not be published, nor even decoded: who comes for it
// later finds it in the log. Safe for concurrent use.
func (n *Notifier) Awaits(key eventwire.Key) bool {
	return n.hub.lookup(key) != nil || n.tails.lookup(key.Merchant) != nil
}

// Publish tells the notifier of the next event of the stream. It returns when
// every watcher of that feed was served, blocking on none of them. What it costs
// does not depend on how many other feeds are watched.
func (n *Notifier) Publish(at uint64, e eventwire.Event) {
	n.tails.add(at, e)
	if t := n.hub.lookup(e.Key()); t != nil {
		n.publish(t, e, false)
	}
}

// ServeFeed answers a request for a feed over the transport that it asks for. A
// returned error means that nothing was written: [ErrNotFound], [ErrRevoked],
// [ErrUnavailable], [ErrOrigin], [*LimitError], [*BadRequestError], or that of
// the request's context.
func (n *Notifier) ServeFeed(w http.ResponseWriter, r *http.Request, a Access) error {
	q, err := parse(r)
	if err != nil {
		return err
	}
	switch q.transport {
	case webSocket:
		err = n.serveWebSocket(w, r, a, q)
	case eventStream:
		err = n.serveSSE(w, r, a, q)
	case longPoll:
		err = n.serveLongPoll(w, r, a, q)
	default:
		err = n.serveShortPoll(w, r, a, q)
	}
	return n.refused(err)
}

// CloseKey ends every connection of a principal, whose key was revoked.
func (n *Notifier) CloseKey(principal string) {
	for _, w := range n.everyone() {
		if w.principal == principal {
			n.end(w, keyClosed)
		}
	}
}

// retry is a jittered reconnection time: half to one and a half of what is configured.
func (n *Notifier) retry() time.Duration {
	return n.opt.Retry/2 + rand.N(max(1, n.opt.Retry))
}

// Parks reports whether plain HTTP/1.1 streams are parked: Run has begun, and
// the system can do it.
func (n *Notifier) Parks() bool { return n.park.ready() }
