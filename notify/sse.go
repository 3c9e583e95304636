package notify

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"
)

// heartbeat is the comment that keeps proxies from closing a quiet stream.
const heartbeat = "hb"

// serveSSE streams a feed: everything after the cursor at once, then live. The
// path is chosen here and the client cannot tell which one it is on.
func (n *Notifier) serveSSE(w http.ResponseWriter, r *http.Request, a Access, q asked) error {
	watch, s, err := n.open(r.Context(), a, SSEHandler, q.after)
	if err != nil {
		return err
	}
	if q.cursor && s.event.Closed && q.after == s.seq() {
		n.end(watch, finished)
		w.WriteHeader(http.StatusNoContent) // stops an EventSource for good
		return nil
	}
	watch.ends = n.lifetime()
	watch.beat.Store(n.millis())
	streamHeaders(w.Header())
	preface := n.preface(watch, s, q.after)
	switch {
	case s.event.Closed:
		n.serveFinished(w, watch, preface)
	case n.servePark(w, r, watch, s, preface):
	default:
		n.serveR3(w, r, watch, r3Stream{preface, watch.cursor(), false, func(*r3Conn) { n.join(watch, s) }})
	}
	return nil
}

func streamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
}

// preface is what a stream starts with: the reconnection time, so that the first
// byte goes out at once, then what the client missed. It moves the cursor.
func (n *Notifier) preface(watch *watcher, s *snapshot, after int64) []byte {
	var b bytes.Buffer
	b.Write(retryText(n.retry()))
	if after > s.seq() {
		b.Write(newReset("0").text)
		after = 0
	}
	for seq := after + 1; seq <= s.seq(); seq++ {
		if f := s.frame(seq); f != nil {
			b.Write(f.text)
			n.count.delivered.Add(1)
		}
	}
	if s.event.Closed {
		b.Write(s.end().text)
	}
	watch.sent = s.seq()
	return b.Bytes()
}

// retryText sets a client's reconnection time. It carries no data, so that no
// event is dispatched, and no id, so that the cursor stays.
func retryText(d time.Duration) []byte {
	return []byte("retry: " + strconv.FormatInt(d.Milliseconds(), 10) + "\n\n")
}

// serveFinished answers for a feed that nothing will follow on: an ordinary
// response that ends.
func (n *Notifier) serveFinished(w http.ResponseWriter, watch *watcher, body []byte) {
	watch.sink = nowhere{}
	n.start(watch)
	defer n.end(watch, finished)
	w.WriteHeader(http.StatusOK)
	out := newStreamWriter(w, n.opt.WriteTimeout, func() {})
	_, _ = out.Write(body)
	out.Flush()
}

// nowhere is the sink of a client that gets nothing more.
type nowhere struct{}

func (nowhere) send(*frame) reason { return goesOn }
func (nowhere) beat() reason       { return goesOn }
func (nowhere) end(reason)         {}

// streamWriter gives every write a deadline, which an http.Server cannot do for
// a stream. After the first error it cancels the connection and swallows the
// rest: r3labs ignores errors and must not see a panic. The status and the
// headers are ours and already written.
type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	cancel  context.CancelFunc
	header  http.Header
	flushed func() // may be nil
	armed   bool
	err     error
}

func newStreamWriter(w http.ResponseWriter, timeout time.Duration, cancel context.CancelFunc) *streamWriter {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the server's own was for the request, and would end a stream
	return &streamWriter{w: w, control: control, timeout: timeout, cancel: cancel, header: http.Header{}}
}

// Header is not the response's: that has been sent.
func (s *streamWriter) Header() http.Header { return s.header }

// WriteHeader does nothing, for the same reason.
func (s *streamWriter) WriteHeader(int) {}

// Write never fails; the connection's context ends instead.
func (s *streamWriter) Write(p []byte) (int, error) {
	if s.err == nil {
		s.arm()
		if _, err := s.w.Write(p); err != nil {
			s.fail(err)
		}
	}
	return len(p), nil
}

// Flush sends what was written and takes the deadline off again.
func (s *streamWriter) Flush() {
	if s.err != nil {
		return
	}
	s.arm()
	if err := s.control.Flush(); err != nil {
		s.fail(err)
		return
	}
	_ = s.control.SetWriteDeadline(time.Time{}) // unsupported here means it was never set
	s.armed = false
	if s.flushed != nil {
		s.flushed()
	}
}

func (s *streamWriter) arm() {
	if !s.armed {
		_ = s.control.SetWriteDeadline(time.Now().Add(s.timeout)) // a writer without deadlines relies on its server's
		s.armed = true
	}
}

func (s *streamWriter) fail(err error) {
	s.err = err
	s.cancel()
}

// why is the reason for the end as the writer saw it.
func (s *streamWriter) why() reason {
	if errors.Is(s.err, os.ErrDeadlineExceeded) {
		return slow
	}
	return gone
}
