package notify

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/r3labs/sse/v2"
)

const (
	r3Shards = 16 // each has one lock for its map of streams
	r3Buffer = 16 // events that wait in a stream, besides 64 of its subscriber
)

// r3Event is an event in r3labs's form, made once per frame and shared: with
// neither AutoReplay nor EncodeBase64 the library never writes to it.
type r3Event sse.Event

// r3Servers carries one r3labs stream per connection, so that none of them can
// hold up, hang or leak another. The streams' names are ours and never a client's.
type r3Servers struct {
	server [r3Shards]*sse.Server
	last   atomic.Uint64
	conns  sync.Map // stream id → *r3Conn
}

func newR3Servers() *r3Servers {
	r := &r3Servers{}
	for i := range r.server {
		s := sse.New()
		s.AutoReplay, s.AutoStream, s.BufferSize = false, true, r3Buffer
		s.OnSubscribe = r.subscribed
		r.server[i] = s
	}
	return r
}

// subscribed is called when a stream has its subscriber: from now on nothing
// that is published to it is lost.
func (r *r3Servers) subscribed(id string, _ *sse.Subscriber) {
	if c, ok := r.conns.Load(id); ok {
		c.(*r3Conn).open()
	}
}

// r3Conn is the sink of one connection.
type r3Conn struct {
	server *sse.Server
	id     string
	ctx    context.Context
	cancel context.CancelFunc
	retry  func() []byte // the jittered reconnection time in milliseconds
	ready  func(*r3Conn)
	room   chan struct{} // for a patient one: something was written since
	joined chan struct{} // closed when ready has returned

	mu     sync.Mutex
	live   bool   // it has its subscriber
	late   reason // it ended before that
	done   bool   // nothing may be published any more
	cursor string // the id sent last: a browser forgets it when a later event has none
}

// r3Stream is what makes one stream different from another.
type r3Stream struct {
	preface []byte        // written before anything else
	cursor  string        // the id that the client holds after the preface
	patient bool          // push waits for a client that is behind, where others are cut
	ready   func(*r3Conn) // called when frames may be sent
}

// serveR3 streams through r3labs until the connection ends.
func (n *Notifier) serveR3(w http.ResponseWriter, r *http.Request, watch *watcher, stream r3Stream) {
	defer n.gate.hold()()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	number := n.r3.last.Add(1)
	c := &r3Conn{server: n.r3.server[number%r3Shards], id: strconv.FormatUint(number, 36), ctx: ctx, cancel: cancel,
		retry: func() []byte { return strconv.AppendInt(nil, n.retry().Milliseconds(), 10) },
		ready: stream.ready, joined: make(chan struct{}), cursor: stream.cursor}
	n.r3.conns.Store(c.id, c)
	defer n.r3.conns.Delete(c.id)
	watch.sink = c
	n.start(watch)
	w.WriteHeader(http.StatusOK)
	out := newStreamWriter(w, n.opt.WriteTimeout, cancel)
	if stream.patient {
		c.room = make(chan struct{}, 1)
		out.flushed = c.wake
	}
	_, _ = out.Write(stream.preface)
	out.Flush()
	request := &http.Request{Method: http.MethodGet, Header: http.Header{}, URL: &url.URL{RawQuery: "stream=" + c.id}}
	c.server.ServeHTTP(out, request.WithContext(ctx))
	cancel()
	<-c.joined
	n.end(watch, out.why())
}

func (c *r3Conn) open() {
	defer close(c.joined)
	c.mu.Lock()
	c.live = true
	late := c.late
	c.mu.Unlock()
	if late != goesOn {
		c.end(late)
		return
	}
	c.ready(c)
}

// wake lets push try again.
func (c *r3Conn) wake() {
	select {
	case c.room <- struct{}{}:
	default:
	}
}

// push sends f as soon as there is room. The write deadline bounds the wait.
func (c *r3Conn) push(f *frame) error {
	for {
		switch c.send(f) {
		case goesOn:
			return c.ctx.Err()
		case gone:
			return context.Canceled
		}
		select {
		case <-c.room:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

func (c *r3Conn) send(f *frame) reason {
	e := f.r3.Load()
	if e == nil {
		e = &r3Event{ID: []byte(f.id), Event: []byte(f.name), Data: f.json}
		f.r3.Store(e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	why := c.publish((*sse.Event)(e))
	if why == goesOn {
		c.cursor = f.id
	}
	return why
}

func (c *r3Conn) beat() reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.live {
		return goesOn
	}
	why := c.publish(&sse.Event{Comment: []byte(heartbeat)})
	if why == slow && c.room != nil {
		return goesOn // it is being written to: sign of life enough
	}
	return why
}

// publish reports slow when the stream's queue is full. The caller holds c.mu.
func (c *r3Conn) publish(e *sse.Event) reason {
	switch {
	case c.done:
		return gone
	case c.ctx.Err() != nil:
		return goesOn // the handler is about to say why it ended
	case c.server.TryPublish(c.id, e):
		return goesOn
	}
	return slow
}

// end lets what is queued go out first, unless the client is what ended.
func (c *r3Conn) end(why reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	if why == slow || why == gone || why == stopped {
		c.done = true
		c.cancel()
		return
	}
	if !c.live {
		c.late = why
		return
	}
	if why == drained {
		// Data that starts with a colon is written as a comment: the browser
		// takes the reconnection time and dispatches nothing.
		c.publish(&sse.Event{ID: []byte(c.cursor), Data: []byte(":bye"), Retry: c.retry()})
	}
	if c.publish(&sse.Event{}) != goesOn { // an empty event ends the handler, in its turn
		c.cancel()
	}
	c.done = true
}
