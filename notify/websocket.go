package notify

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Subprotocol is the WebSocket subprotocol of a feed.
const Subprotocol = "tracker.v1"

// Close codes besides those of RFC 6455.
const (
	closeFinished   = 4000 // the feed is closed: do not come back
	closeSlow       = 4001 // resume with the last seq
	closeNotAllowed = 4003 // the token or key was revoked
)

const (
	socketVersion = "13"

	socketQueue     = 32  // events that may wait for a client
	socketReadLimit = 512 // bytes of a message from the client, which has nothing to say
)

// socket is the sink of one WebSocket. Its handler's goroutine writes.
type socket struct {
	queue chan *frame // nil: a ping
	over  chan reason
}

func (s *socket) send(f *frame) reason {
	if f.isEnd {
		return goesOn // the close code says it
	}
	select {
	case s.queue <- f:
		return goesOn
	default:
		return slow
	}
}

func (s *socket) beat() reason {
	select {
	case s.queue <- nil:
	default: // it is being written to
	}
	return goesOn
}

func (s *socket) end(why reason) { s.over <- why } // has room: end comes once

// serveWebSocket streams a feed over a WebSocket.
func (n *Notifier) serveWebSocket(w http.ResponseWriter, r *http.Request, a Access, q asked) error {
	if err := n.checkUpgrade(r); err != nil {
		w.Header().Set("Sec-WebSocket-Version", socketVersion) // which RFC 6455 asks for where another one came
		return err
	}
	watch, s, err := n.open(r.Context(), a, WebSocket, q.after)
	if err != nil {
		return err
	}
	defer n.gate.hold()()
	defer n.end(watch, gone)
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true}) // origin: checkUpgrade
	if err != nil {
		return nil // Accept has answered
	}
	conn.SetReadLimit(socketReadLimit)
	sock := &socket{queue: make(chan *frame, socketQueue), over: make(chan reason, 1)}
	watch.sink, watch.ends = sock, n.lifetime()
	watch.beat.Store(n.millis())
	c := &socketConn{n: n, conn: conn, watch: watch, sock: sock, heard: make(chan websocket.StatusCode, 1)}
	c.run(s, q.after)
	return nil
}

// socketConn is a running WebSocket: the handler's goroutine writes, one more
// reads, and a ping that waits for its answer is a third for a moment.
type socketConn struct {
	n     *Notifier
	conn  *websocket.Conn
	watch *watcher
	sock  *socket
	heard chan websocket.StatusCode // the reader ended: with what to close
	tasks sync.WaitGroup
	ping  sync.Mutex // one ping at a time
}

func (c *socketConn) run(s *snapshot, after int64) {
	defer c.tasks.Wait()
	defer c.conn.CloseNow() // after a close handshake it does nothing
	c.tasks.Go(c.read)
	if !c.history(s, after) {
		return
	}
	c.n.start(c.watch)
	c.n.join(c.watch, s)
	for {
		select {
		case f := <-c.sock.queue:
			if !c.write(f) {
				return
			}
		case code := <-c.heard:
			c.n.end(c.watch, gone)
			_ = c.conn.Close(code, "") // the client may be gone
			return
		case why := <-c.sock.over:
			c.finish(why)
			return
		}
	}
}

// history writes what the client missed. It may wait for the client, so that
// only live events must fit the queue.
func (c *socketConn) history(s *snapshot, after int64) bool {
	if after > s.seq() {
		if !c.write(newReset("0")) {
			return false
		}
		after = 0
	}
	for seq := after + 1; seq <= s.seq(); seq++ {
		if f := s.frame(seq); f != nil {
			if !c.write(f) {
				return false
			}
			c.n.count.delivered.Add(1)
		}
	}
	c.watch.sent = s.seq()
	return true
}

// write sends one event or a ping. It reports false when the client is lost.
func (c *socketConn) write(f *frame) bool {
	if f == nil {
		c.tasks.Go(c.pong)
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.n.opt.WriteTimeout)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, f.json); err != nil {
		why := gone
		if ctx.Err() != nil {
			why = slow
		}
		c.n.end(c.watch, why)
		return false
	}
	return true
}

// pong pings and waits for the answer.
func (c *socketConn) pong() {
	if !c.ping.TryLock() {
		return
	}
	defer c.ping.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), max(time.Second, c.n.opt.Heartbeat))
	defer cancel()
	if err := c.conn.Ping(ctx); err != nil {
		c.n.end(c.watch, gone)
	}
}

// read answers the client's control frames. Anything else is not allowed.
func (c *socketConn) read() {
	code := websocket.StatusNormalClosure
	if _, _, err := c.conn.Reader(context.Background()); err == nil {
		code = websocket.StatusPolicyViolation
	}
	c.heard <- code
}

// finish writes what is still queued and closes with the code for why.
func (c *socketConn) finish(why reason) {
	for why != slow && why != gone && why != stopped {
		select {
		case f := <-c.sock.queue:
			if f == nil || c.write(f) {
				continue
			}
			return
		default:
		}
		break
	}
	switch why {
	case gone:
	case finished:
		_ = c.conn.Close(closeFinished, "finished") // a client that is gone needs no code
	case slow:
		_ = c.conn.Close(closeSlow, "too slow, resume")
	case revoked, keyClosed:
		_ = c.conn.Close(closeNotAllowed, "not allowed")
	default:
		_ = c.conn.Close(websocket.StatusGoingAway, "going away, resume")
	}
}

// checkUpgrade refuses before anything is written what Accept would refuse.
func (n *Notifier) checkUpgrade(r *http.Request) error {
	if r.Header.Get("Sec-WebSocket-Version") != socketVersion || r.Header.Get("Sec-WebSocket-Key") == "" {
		return &BadRequestError{"invalid_upgrade", "Sec-WebSocket-Version", "only WebSocket version 13 with a key is spoken here"}
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil // no browser, hence no page that could abuse a cookie
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	for _, allowed := range n.opt.Origins {
		if allowed == "*" || strings.EqualFold(allowed, origin) {
			return nil
		}
	}
	return ErrOrigin
}
