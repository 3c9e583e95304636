package notify

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
)

// reason says why a watcher ended.
type reason uint8

const (
	goesOn      reason = iota // it did not end
	gone                      // the client went away
	slow                      // the client did not keep up; it resumes by its cursor
	finished                  // the feed is closed
	aged                      // its lifetime is over; it resumes by its cursor
	revoked                   // its tracking token was revoked
	keyClosed                 // its key was revoked
	drained                   // this process is going away; it resumes by its cursor
	answered                  // a long poll has its answer
	expired                   // a long poll waited as long as it wished
	unavailable               // the log did not answer
	stopped                   // Run ended
	reasons
)

// String is the reason as it stands in metrics.
func (r reason) String() string {
	return [...]string{"goes_on", "gone", "slow", "closed", "lifetime", "revoked", "key_closed", "drain",
		"answered", "expired", "unavailable", "stopped"}[r]
}

// Lane is a transport and the path its bytes take.
type Lane uint8

// The lanes. The same suite runs over all of them.
const (
	SSEParked      Lane = iota // plain HTTP/1.1, taken out of net/http
	SSEHandler                 // r3labs: HTTP/2, TLS, wrapped writers
	LongPoll                   // in its handler: HTTP/2, TLS, wrapped writers
	LongPollParked             // plain HTTP/1.1, taken out of net/http
	WebSocket                  //
	Firehose                   // a merchant's SSE over all feeds
	laneCount
)

// Transport is the lane's transport, and Path what distinguishes it.
func (l Lane) Transport() string {
	return [...]string{"sse", "sse", "longpoll", "longpoll", "websocket", "firehose"}[l]
}

// Path says how the lane's bytes travel.
func (l Lane) Path() string {
	return [...]string{"parked", "r3labs", "handler", "parked", "handler", "r3labs"}[l]
}

// sink is the way to one client. No method blocks.
type sink interface {
	// send passes one frame on. Another answer than goesOn means that the
	// client did not get it and must be ended. Calls for one watcher never
	// overlap each other, but may overlap beat and end.
	send(f *frame) reason
	// beat shows the client that the line is alive.
	beat() reason
	// end closes the way to the client and says why where the transport can.
	// It is called once; send and beat may still be called after it.
	end(why reason)
}

// watcher is one client on one feed.
type watcher struct {
	sink  sink
	topic *topic
	guard *topic // the owner's feed, where that decides about the token

	at, guardAt  int32 // places in topic.watchers and guard.guards; -1: none
	slot, slotAt int32 // place in wheel; -1: none
	wheel        *wheel

	sent  int64 // the cursor: guarded by topic.mu once joined
	epoch int64
	ends  int64        // when the lifetime is over, as millis tells the time
	beat  atomic.Int64 // when something was written last, likewise

	principal string
	address   string

	over    atomic.Bool
	token   bool // epoch counts, on topic itself unless guard is set
	counted bool // it is in the lane's gauge
	lane    Lane
}

// catchUp sends everything after w.sent that s knows of, and the end of the
// feed where it is closed.
func (w *watcher) catchUp(s *snapshot, now int64) reason {
	if w.token && w.guard == nil && w.epoch != s.event.Epoch {
		return revoked
	}
	if w.sent > s.seq() {
		if why := w.sink.send(newReset("0")); why != goesOn {
			return why
		}
		w.sent = 0
	}
	for seq := w.sent + 1; seq <= s.seq(); seq++ {
		if f := s.frame(seq); f != nil {
			if why := w.sink.send(f); why != goesOn {
				return why
			}
		}
		w.sent = seq
	}
	w.beat.Store(now)
	if s.event.Closed {
		if why := w.sink.send(s.end()); why != goesOn {
			return why
		}
		return finished
	}
	return goesOn
}

// open takes a place for a watcher: limits, then the hub, then the newest
// message, then access, in this order, and last a message that is not behind
// the cursor after. A nil error obliges the caller to end it.
func (n *Notifier) open(ctx context.Context, a Access, lane Lane, after int64) (*watcher, *snapshot, error) {
	w, err := n.enter(a, lane)
	if err != nil {
		return nil, nil, err
	}
	s, err := n.admit(ctx, w, a)
	if err == nil {
		s, err = n.meet(ctx, a, s, after)
	}
	if err != nil {
		n.end(w, gone)
		return nil, nil, err
	}
	return w, s, nil
}

// enter makes a watcher of whoever the limits let in.
func (n *Notifier) enter(a Access, lane Lane) (*watcher, error) {
	w := &watcher{at: -1, guardAt: -1, slot: -1, lane: lane, epoch: a.Epoch, token: a.Owner != "", principal: strings.Clone(a.Principal)}
	if n.gate.maxAddress > 0 {
		w.address = strings.Clone(a.Address)
	}
	w.topic = n.hub.acquire(a.Key)
	if err := n.gate.enter(w); err != nil {
		n.hub.release(w.topic)
		return nil, err
	}
	return w, nil
}

func (n *Notifier) admit(ctx context.Context, w *watcher, a Access) (*snapshot, error) {
	s, err := n.load(ctx, w.topic)
	if err != nil {
		return nil, err
	}
	if err := a.checkFeed(s); err != nil {
		return nil, err
	}
	if a.ownFeed() {
		return s, nil
	}
	owner, ok := a.ownerKey()
	if !ok {
		return nil, ErrNotFound
	}
	w.guard = n.hub.acquire(owner)
	o, err := n.load(ctx, w.guard)
	if err != nil {
		return nil, err
	}
	if o.event.Epoch != a.Epoch {
		return nil, ErrRevoked
	}
	return s, nil
}

// start counts w as being on its lane and puts it on the wheel. The sink is set.
func (n *Notifier) start(w *watcher) {
	w.counted = true
	n.count.lane[w.lane].Add(1)
	// A random slot, so that a herd that came at once is not visited at once.
	if !n.wheel.add(w, 1+rand.IntN(slots)) {
		n.end(w, stopped)
	}
}

// end ends w, once. It must not be called with a lock of this package held.
func (n *Notifier) end(w *watcher, why reason) {
	if !w.over.CompareAndSwap(false, true) {
		return
	}
	if w.sink != nil {
		w.sink.end(why)
	}
	w.leave()
	w.leaveWheel()
	n.gate.leave(w)
	n.hub.release(w.topic)
	if w.guard != nil {
		n.hub.release(w.guard)
	}
	if w.counted {
		n.count.lane[w.lane].Add(-1)
		n.count.ended[why].Add(1)
	}
}

// cursor is the id that the client holds before anything is sent live.
func (w *watcher) cursor() string { return strconv.FormatInt(w.sent, 10) }

// leave takes w out of its topics. It does nothing where w never joined.
func (w *watcher) leave() {
	if t := w.topic; t != nil {
		t.mu.Lock()
		if w.at >= 0 {
			last := len(t.watchers) - 1
			t.watchers[w.at] = t.watchers[last]
			t.watchers[w.at].at = w.at
			t.watchers[last] = nil
			t.watchers, w.at = t.watchers[:last], -1
		}
		t.mu.Unlock()
	}
	if g := w.guard; g != nil {
		g.mu.Lock()
		if w.guardAt >= 0 {
			last := len(g.guards) - 1
			g.guards[w.guardAt] = g.guards[last]
			g.guards[w.guardAt].guardAt = w.guardAt
			g.guards[last] = nil
			g.guards, w.guardAt = g.guards[:last], -1
		}
		g.mu.Unlock()
	}
}
