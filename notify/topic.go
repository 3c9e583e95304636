package notify

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tracker/notify/eventwire"
)

const readTimeout = 5 * time.Second // for one cold read; shared by all who wait for it

// topic is one feed in the hub: who watches it, and what is known of it.
type topic struct {
	key  eventwire.Key
	snap atomic.Pointer[snapshot] // the newest message, nil when evicted; written under the shard's lock
	used atomic.Bool              // read since the evicting hand came by

	// Guarded by the shard's lock.
	refs       int
	size       int
	next, prev *topic

	admitted int // guarded by the gate's lock: places taken under the limit per feed

	mu       sync.Mutex
	seq      int64      // of the newest message known, in memory or not; 0: none
	epoch    int64      // of that message
	watchers []*watcher // get every event
	guards   []*watcher // watch another feed, but this one decides about their token
	loading  *loading
}

// loading is one cold read that any number of readers wait for.
type loading struct {
	done chan struct{}
	snap *snapshot
	err  error
}

// load returns the topic's newest message, reading it from the log where it is
// not in memory. The caller holds the topic, so that whatever is published
// during the read is not missed.
func (n *Notifier) load(ctx context.Context, t *topic) (*snapshot, error) {
	if s := t.snap.Load(); s != nil {
		t.used.Store(true)
		return s, nil
	}
	t.mu.Lock()
	l := t.loading
	if l == nil {
		l = &loading{done: make(chan struct{})}
		t.loading = l
		go n.coldRead(t, l)
	}
	t.mu.Unlock()
	select {
	case <-l.done:
		return l.snap, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// coldRead asks the log, on nobody's context: who came first may leave first.
func (n *Notifier) coldRead(t *topic, l *loading) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	for {
		t.mu.Lock()
		known := t.seq
		t.mu.Unlock()
		n.count.coldReads.Add(1)
		e, found, err := n.log.Last(ctx, t.key)
		t.mu.Lock()
		newer := t.seq != known && t.snap.Load() == nil && found && err == nil && e.Seq < t.seq
		if !newer {
			gone := n.loaded(t, l, e, found, err)
			t.mu.Unlock()
			for _, d := range gone {
				n.end(d.w, d.why)
			}
			return
		}
		t.mu.Unlock() // a newer one was published meanwhile, and evicted again
	}
}

// loaded makes what the log said the answer for all who wait. The log may be
// ahead of the stream's reader: who watches already gets the news here, since
// Publish will take them for a repetition. The caller holds the topic's lock.
func (n *Notifier) loaded(t *topic, l *loading, e eventwire.Event, found bool, err error) (gone []departure) {
	defer close(l.done)
	t.loading = nil
	switch newest := t.snap.Load(); {
	case newest != nil && (err != nil || !found || newest.seq() >= e.Seq):
		l.snap = newest // published meanwhile
	case err != nil:
		l.err = fmt.Errorf("%w: read %s: %w", ErrUnavailable, t.key.ID, err)
	case !found:
		l.err = ErrNotFound
	default:
		// Also where the log is behind what was known: then the feed went back.
		l.snap = newSnapshot(e)
		news := e.Seq > t.seq
		t.seq, t.epoch = e.Seq, e.Epoch
		n.hub.keep(t, l.snap)
		if news {
			return n.fanOut(t, l.snap)
		}
	}
	return nil
}

// publish delivers e to everybody who watches the topic. An event that is not
// newer than what is known is a repetition, unless force says that the feed
// itself was replaced.
func (n *Notifier) publish(t *topic, e eventwire.Event, force bool) {
	came := n.clock()
	t.mu.Lock()
	if e.Seq <= t.seq && !force {
		t.mu.Unlock()
		return
	}
	s := newSnapshot(e)
	t.seq, t.epoch = e.Seq, e.Epoch
	n.hub.keep(t, s)
	watched := len(t.watchers) > 0
	if watched {
		s.frame(s.seq()) // encoded here, so that what is left to measure is the writing
	}
	first := n.clock()
	gone := n.fanOut(t, s)
	t.mu.Unlock()
	for _, d := range gone {
		n.end(d.w, d.why) // a waiting poll is answered by its end
	}
	if watched && n.opt.FannedOut != nil {
		n.opt.FannedOut(came, first, n.clock())
	}
}

// clock is the time where somebody measures. It is not the clock that events and
// lifetimes go by, which may stand still in a test.
func (n *Notifier) clock() (now time.Time) {
	if n.opt.FannedOut != nil {
		now = time.Now()
	}
	return now
}

// departure is a watcher to be ended once the topic's lock is free.
type departure struct {
	w   *watcher
	why reason
}

func (n *Notifier) fanOut(t *topic, s *snapshot) (gone []departure) {
	now, begun := n.millis(), n.traceBegins()
	delivered := int64(0)
	for _, w := range t.watchers {
		before := w.sent
		if why := w.catchUp(s, now); why != goesOn {
			gone = append(gone, departure{w, why})
		}
		delivered += max(0, w.sent-before)
	}
	for _, w := range t.guards {
		if w.epoch != s.event.Epoch {
			gone = append(gone, departure{w, revoked})
		}
	}
	n.count.delivered.Add(delivered)
	n.traced(s.event, begun, delivered)
	return gone
}

// join makes w a member of its topic: what s holds after w.sent is sent at
// once, and everything after that comes live. Both happen under one lock, so
// that nothing falls between. The caller has loaded s while holding the topic.
func (n *Notifier) join(w *watcher, s *snapshot) {
	why := n.joinGuard(w)
	for why == goesOn {
		var current bool
		if why, current = n.joinTopic(w, s); current {
			break
		}
		// Published and evicted again since s was read: read once more.
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		next, err := n.load(ctx, w.topic)
		cancel()
		if err != nil {
			why = unavailable
			break
		}
		s = next
	}
	if why != goesOn {
		n.end(w, why)
	}
}

func (n *Notifier) joinTopic(w *watcher, s *snapshot) (why reason, current bool) {
	t := w.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if newest := t.snap.Load(); newest != nil {
		s = newest
	}
	if s.seq() < t.seq {
		return goesOn, false
	}
	if w.over.Load() {
		return goesOn, true // ended while it was being set up
	}
	before := w.sent
	if why := w.catchUp(s, n.millis()); why != goesOn {
		return why, true
	}
	n.count.delivered.Add(max(0, w.sent-before))
	w.at = int32(len(t.watchers))
	t.watchers = append(t.watchers, w)
	return goesOn, true
}

// joinGuard has the owner's feed watch over w's token.
func (n *Notifier) joinGuard(w *watcher) reason {
	g := w.guard
	if g == nil {
		return goesOn
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.epoch != w.epoch { // admit has read it, so it is known
		return revoked
	}
	if w.over.Load() {
		return goesOn
	}
	w.guardAt = int32(len(g.guards))
	g.guards = append(g.guards, w)
	return goesOn
}
