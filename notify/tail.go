package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"

	"tracker/notify/eventwire"
)

// What a tail holds at most: enough for a client to finish reading the log
// meanwhile, and little for one merchant.
const (
	tailEvents = 512
	tailBytes  = 1 << 20 // estimated
)

// tails are the newest events of the merchants whose firehose somebody follows.
type tails struct {
	mu   sync.Mutex
	list map[string]*tail
}

// tail is what came lately for one merchant. All its firehoses read from it, each at
// its own pace, so that none of them needs a reader of the log once it has caught up.
type tail struct {
	merchant string
	refs     int // guarded by tails.mu

	mu     sync.Mutex
	open   bool   // from means something
	round  int    // how often it was emptied
	from   uint64 // it holds everything of the merchant behind this position
	events []*tailed
	bytes  int
	grown  chan struct{} // closed when that changes
}

// tailed is one event, encoded when the first client needs it.
type tailed struct {
	at    uint64
	event eventwire.Event

	once  sync.Once
	frame *frame
	err   error
}

func newTailed(at uint64, e eventwire.Event) *tailed { return &tailed{at: at, event: e} }

// encoded is the event as a frame. All who share it are in the same life.
func (e *tailed) encoded(life string) (*frame, error) {
	e.once.Do(func() {
		data, err := json.Marshal(e.event.Public())
		e.frame, e.err = newFrame(firehoseID(life, e.at), e.event.Type, data), err
	})
	return e.frame, e.err
}

func (e *tailed) size() int { return 1024 + 3*len(e.event.Resource) }

// acquire returns the merchant's tail and keeps it until release.
func (s *tails) acquire(merchant string) *tail {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		s.list = make(map[string]*tail)
	}
	t := s.list[merchant]
	if t == nil {
		t = &tail{merchant: merchant, grown: make(chan struct{})}
		s.list[merchant] = t
	}
	t.refs++
	return t
}

func (s *tails) release(t *tail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.refs--; t.refs == 0 {
		delete(s.list, t.merchant)
	}
}

// lookup returns the tail of a merchant whose firehose somebody follows, or nil.
func (s *tails) lookup(merchant string) *tail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[merchant]
}

// add is told of every event of the stream that is awaited, in its order.
func (s *tails) add(at uint64, e eventwire.Event) {
	if t := s.lookup(e.Merchant); t != nil {
		e.Timeline = nil // people do not receive it
		t.add(newTailed(at, e))
	}
}

// forget empties all tails: something may be missing in them.
func (s *tails) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		t.mu.Lock()
		t.open, t.from, t.events, t.bytes = false, 0, nil, 0
		t.round++
		t.tell()
		t.mu.Unlock()
	}
}

func (t *tail) add(e *tailed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open && e.at <= t.from {
		return // it was in the log before the tail began
	}
	t.events = append(t.events, e)
	t.bytes += e.size()
	for len(t.events) > 1 && (len(t.events) > tailEvents || t.bytes > tailBytes) {
		t.drop(1)
	}
	t.tell()
}

// drop forgets the oldest n events. The caller holds the lock.
func (t *tail) drop(n int) {
	for _, e := range t.events[:n] {
		t.from = max(t.from, e.at)
		t.bytes -= e.size()
	}
	t.events = slices.Delete(t.events, 0, n)
}

// tell wakes everybody who waits. The caller holds the lock.
func (t *tail) tell() {
	close(t.grown)
	t.grown = make(chan struct{})
}

// begin returns the position behind which the tail holds everything. A new one
// begins where the log ends: what came through Publish before that was known is
// kept, and what is in the log is dropped from it.
func (n *Notifier) begin(ctx context.Context, t *tail) (uint64, error) {
	for {
		t.mu.Lock()
		open, from, round := t.open, t.from, t.round
		t.mu.Unlock()
		if open {
			return from, nil
		}
		_, last, err := n.log.Bounds(ctx)
		if err != nil {
			return 0, err
		}
		t.start(round, last)
	}
}

// start opens the tail behind a position, unless it was emptied since that was asked.
func (t *tail) start(round int, last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open || t.round != round {
		return
	}
	behind := slices.IndexFunc(t.events, func(e *tailed) bool { return e.at > last })
	if behind < 0 {
		behind = len(t.events)
	}
	t.drop(behind)
	t.open, t.from = true, max(t.from, last)
}

// after returns the events behind a position, and what is closed when there are
// more. It reports false where the tail does not reach back so far.
func (t *tail) after(at uint64) (news []*tailed, grown <-chan struct{}, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open || at < t.from {
		return nil, nil, false
	}
	first, _ := slices.BinarySearchFunc(t.events, at+1, func(e *tailed, at uint64) int { return cmp.Compare(e.at, at) })
	return slices.Clone(t.events[first:]), t.grown, true
}
