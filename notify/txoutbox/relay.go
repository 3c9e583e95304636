package txoutbox

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// RelayOptions tune a relay. The zero value is what production wants.
type RelayOptions struct {
	Logger *slog.Logger     // default slog.Default
	Now    func() time.Time // default time.Now

	Batch     int           // most rows published at once, default 256
	Poll      time.Duration // how often to look although nobody woke us, default 1 s
	MarkEvery time.Duration // how long a published row may stay unmarked, default 100 ms
	Retention time.Duration // how long published rows are kept for Repair, default 24 h
	Lease     time.Duration // how long a dead relay keeps others waiting, default 2 s
	Patience  time.Duration // how long the database may take over one statement, default 5 s

	// Observe is told, for each message, how long it took from its transaction to
	// its acknowledgement.
	Observe func(lag time.Duration)
}

func (o RelayOptions) withDefaults() RelayOptions {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(time.Duration) {}
	}
	setDefault(&o.Batch, 256)
	setDefault(&o.Poll, time.Second)
	setDefault(&o.MarkEvery, 100*time.Millisecond)
	setDefault(&o.Retention, 24*time.Hour)
	setDefault(&o.Lease, 2*time.Second)
	setDefault(&o.Patience, 5*time.Second)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
)

// Relay brings the rows of the outbox to the stream. Any number of processes may
// run one on the same database: one of them relays, the others stand by.
type Relay struct {
	db        Database
	publisher Publisher
	wake      <-chan struct{}
	o         RelayOptions
	rows      store
	published atomic.Int64
	leading   atomic.Bool
}

// NewRelay makes a relay. wake is received from when there may be something new
// (dbconn's Commits); it may be nil, which leaves the polling.
func NewRelay(db Database, publisher Publisher, wake <-chan struct{}, options RelayOptions) *Relay {
	return &Relay{db: db, publisher: publisher, wake: wake, o: options.withDefaults(), rows: store{db}}
}

// Run relays until ctx ends, which is no error. Whatever fails is tried again.
func (r *Relay) Run(ctx context.Context) error {
	if r.rows.shared(ctx) {
		r.stand(ctx)
		return nil
	}
	r.lead(ctx)
	return nil
}

// lead relays for as long as ctx lasts: nobody else does.
func (r *Relay) lead(ctx context.Context) {
	r.leading.Store(true)
	defer r.leading.Store(false)
	m := newMarker(r)
	end := m.start(ctx)
	defer end()
	var pruning sync.WaitGroup
	defer pruning.Wait()
	pruning.Go(func() { r.prune(ctx) })
	pause := firstBackoff
	for ctx.Err() == nil {
		m.await(ctx)
		n, err := r.window(ctx, m)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.o.Logger.WarnContext(ctx, "the outbox was not relayed; trying again", "error", err, "in", pause)
			sleep(ctx, pause/2+rand.N(pause))
			pause = min(2*pause, maxBackoff)
		case n < r.o.Batch:
			pause = firstBackoff
			r.rest(ctx)
		default:
			pause = firstBackoff
		}
	}
}

// window publishes one batch and reports how many rows that were.
func (r *Relay) window(ctx context.Context, m *marker) (int, error) {
	batch, err := r.waiting(ctx, m.pending())
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	inOrder(batch)
	messages := make([]Message, len(batch))
	for i, row := range batch {
		messages[i] = Message{Subject: row.Subject, ID: row.EventID, Body: row.Body}
	}
	if err := r.publisher.Publish(ctx, messages); err != nil {
		return 0, err
	}
	now := r.o.Now()
	for _, row := range batch {
		r.o.Observe(now.Sub(time.UnixMilli(row.CreatedAt)))
	}
	r.published.Add(int64(len(batch)))
	m.published(batch)
	return len(batch), nil
}

// waiting reads the next batch. A connection that died without a word is given up
// in time: the lease is renewed over others meanwhile, so that nobody would take
// over.
func (r *Relay) waiting(ctx context.Context, except []int64) ([]row, error) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Patience)
	defer cancel()
	return r.rows.unpublished(ctx, except, r.o.Batch)
}

// rest waits for the next commit, or for the slow poll.
func (r *Relay) rest(ctx context.Context) {
	poll := time.NewTimer(r.o.Poll)
	defer poll.Stop()
	select {
	case <-ctx.Done():
	case <-r.wake:
	case <-poll.C:
	}
}

// prune deletes what is past its retention, a few times per retention, until ctx
// ends. It does so beside the relaying: what a busy day leaves takes a while to
// delete.
func (r *Relay) prune(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.rows.prune(ctx, r.o.Now().Add(-r.o.Retention)); err != nil && ctx.Err() == nil {
			r.o.Logger.WarnContext(ctx, "the outbox was not pruned", "error", err)
		}
		sleep(ctx, min(r.o.Retention/4, 10*time.Minute))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Stats is what a relay and its outbox are doing.
type Stats struct {
	Depth     int64         // rows waiting to be published (or published and about to be marked)
	Oldest    time.Duration // age of the oldest of them
	Published int64         // messages this process has published
	Leading   bool          // whether this process is the one that relays
}

// Stats reads the state of the outbox.
func (r *Relay) Stats(ctx context.Context) (Stats, error) {
	depth, oldest, err := r.rows.backlog(ctx)
	if err != nil {
		return Stats{}, err
	}
	s := Stats{Depth: depth, Published: r.published.Load(), Leading: r.leading.Load()}
	if depth > 0 {
		s.Oldest = max(0, r.o.Now().Sub(time.UnixMilli(oldest)))
	}
	return s, nil
}
