package notify

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// errNotParkable is a connection that cannot be taken out of the runtime.
type errNotParkable struct{ why string }

func (e errNotParkable) Error() string { return "notify: cannot park: " + e.why }

// servePark takes the connection out of net/http and leaves it with no
// goroutine, no timer and no buffer until something is to be sent. It reports
// false, with nothing written, where the connection is not a plain one.
func (n *Notifier) servePark(w http.ResponseWriter, r *http.Request, watch *watcher, s *snapshot, preface []byte) bool {
	if !n.parkable(r) {
		return false
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	// What was missed may be more than the kernel's buffer takes: this write
	// may wait for the client. Only live frames must fit.
	_ = conn.SetWriteDeadline(time.Now().Add(n.opt.WriteTimeout)) // a failure shows in Write
	if _, err := conn.Write(append(rawHeader("200 OK", w.Header(), n.now()), preface...)); err != nil {
		_ = conn.Close()
		n.end(watch, gone)
		return true
	}
	p, err := n.park.take(conn, watch, n.opt.SendBuffer)
	if err != nil {
		n.opt.Logger.Debug("connection not parked", "error", err)
		n.serveHijacked(r, conn, watch, s)
		return true
	}
	watch.sink, watch.lane = p, SSEParked
	n.start(watch)
	n.join(watch, s)
	p.arm()
	return true
}

// parkable reports whether the request came over a connection that is likely to
// be a plain one.
func (n *Notifier) parkable(r *http.Request) bool {
	return r.TLS == nil && r.ProtoMajor == 1 && n.park.ready()
}

// rawHeader is the response's head as net/http would have written it. The body
// ends with the connection, which needs no framing around shared bytes.
func rawHeader(status string, h http.Header, now time.Time) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + status + "\r\nConnection: close\r\nDate: " + now.UTC().Format(http.TimeFormat) + "\r\n")
	_ = h.WriteSubset(&b, map[string]bool{"Connection": true, "Date": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true}) // a Buffer does not fail
	b.WriteString("\r\n")
	return b.Bytes()
}

// serveHijacked goes on through r3labs on a connection that net/http has given
// up, but that could not be parked: a listener wrapped it, or descriptors ran out.
func (n *Notifier) serveHijacked(r *http.Request, conn net.Conn, watch *watcher, s *snapshot) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // net/http watches its own connections like this; ended by Close above
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	}()
	n.serveR3(hijacked{conn, http.Header{}}, r.WithContext(ctx), watch, r3Stream{nil, watch.cursor(), false, func(*r3Conn) { n.join(watch, s) }})
}

// hijacked is a response whose head is already out.
type hijacked struct {
	net.Conn
	header http.Header
}

// Header is not sent any more.
func (h hijacked) Header() http.Header { return h.header }

// WriteHeader does nothing.
func (h hijacked) WriteHeader(int) {}

// Flush does nothing: there is no buffer.
func (h hijacked) Flush() {}
