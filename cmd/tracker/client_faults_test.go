package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"time"
)

// fault is what is the matter with a way.
type fault struct {
	name  string
	serve http.HandlerFunc            // answers in the program's place
	write func(*faulty, []byte) error // stands before each write to the client
}

// answers is a fault that speaks for the program.
func answers(name string, status int, body string, header ...string) fault {
	return fault{name: name, serve: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}}
}

const portal = "<!doctype html><title>Welcome</title><p>Please accept our terms."

func faultPass() fault { return fault{name: "passes"} }
func faultHTML() fault { return answers("answers HTML 200", 200, portal) }
func faultGateway() fault {
	return answers("answers 502", 502, "<html><h1>502 Bad Gateway</h1></html>")
}
func faultNotFound() fault { return answers("answers its own 404", 404, portal) }
func faultLogin() fault    { return answers("answers its own 403", 403, portal) }

// faultStall accepts and never answers.
func faultStall() fault {
	return fault{name: "stalls", serve: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
}

// faultRefuse ends the connection without a word.
func faultRefuse() fault {
	return fault{name: "hangs up", serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}
}

// faultBuffer keeps the whole answer to itself, head and all.
func faultBuffer() fault {
	return fault{name: "buffers for ever", write: func(*faulty, []byte) error { return nil }}
}

// faultHold passes the head on and keeps the body.
func faultHold() fault {
	return fault{name: "passes the head only", write: func(f *faulty, p []byte) error {
		if !f.head {
			return nil
		}
		return f.pass(p)
	}}
}

// faultCut hangs up after so many bytes of the body.
func faultCut(after int) fault {
	return fault{name: "cuts in the middle", write: func(f *faulty, p []byte) error {
		if f.head {
			return f.pass(p)
		}
		if f.written+len(p) < after {
			return f.pass(p)
		}
		f.pass(p[:max(0, after-f.written)])
		f.hangUp()
		return io.ErrClosedPipe
	}}
}

// faultStick passes the beginning of a body and then nothing more.
func faultStick(after int) fault {
	return fault{name: "sticks", write: func(f *faulty, p []byte) error {
		if f.head || f.written < after {
			return f.pass(p)
		}
		return nil
	}}
}

// faultDelay holds each piece back for a while.
func faultDelay(d time.Duration) fault {
	return fault{name: "delays", write: func(f *faulty, p []byte) error {
		f.wait(d)
		return f.pass(p)
	}}
}

// faultThrottle lets through few bytes at a time.
func faultThrottle(bytes int, every time.Duration) fault {
	return fault{name: "throttles", write: func(f *faulty, p []byte) error {
		for len(p) > 0 {
			n := min(bytes, len(p))
			if err := f.pass(p[:n]); err != nil {
				return err
			}
			p = p[n:]
			f.wait(every)
		}
		return nil
	}}
}

// faultNoUpgrade takes the upgrade out of the request, as old proxies do.
func faultNoUpgrade() fault {
	return fault{name: "drops the upgrade", serve: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "what is an upgrade?", 400) }}
}

// faulty stands between an answer and its client.
type faulty struct {
	fault   fault
	gone    <-chan struct{}
	out     io.Writer
	hangUp  func()
	head    bool // it is the head that is written now
	written int  // bytes of the body
}

func (f *faulty) pass(p []byte) error {
	n, err := f.out.Write(p)
	if !f.head {
		f.written += n
	}
	return err
}

func (f *faulty) wait(d time.Duration) {
	select {
	case <-f.gone:
	case <-time.After(d):
	}
}

func (f *faulty) Write(p []byte) (int, error) {
	if f.fault.write == nil {
		return len(p), f.pass(p)
	}
	return len(p), f.fault.write(f, p)
}

// faultyAnswer is the ResponseWriter that the reverse proxy writes to.
type faultyAnswer struct {
	http.ResponseWriter
	f      *faulty
	status int
}

func (a *faultyAnswer) WriteHeader(status int) {
	a.status = status
	if a.f.fault.write == nil || status == http.StatusSwitchingProtocols || status == http.StatusNotModified {
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.Header().Del("Content-Length") // a cut must not look like a whole answer
	a.f.head = true
	var seen bytes.Buffer
	a.f.out = &seen // does the head pass?
	a.f.fault.write(a.f, []byte("head"))
	a.f.head, a.f.out = false, a.ResponseWriter
	if seen.Len() > 0 {
		a.ResponseWriter.WriteHeader(status)
		a.FlushError()
	}
}

func (a *faultyAnswer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.f.Write(p)
}

// FlushError flushes what has passed; a held head stays held.
func (a *faultyAnswer) FlushError() error {
	if a.f.fault.write == nil || a.f.written > 0 {
		return http.NewResponseController(a.ResponseWriter).Flush()
	}
	return nil
}

// Hijack gives the reverse proxy a connection with the fault in it.
func (a *faultyAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	a.f.out, a.f.hangUp, a.f.head = conn, func() { conn.Close() }, true
	through := &faultyConn{conn, a.f}
	return through, bufio.NewReadWriter(brw.Reader, bufio.NewWriter(through)), nil
}

// faultyConn is a WebSocket's connection; what is written first is the head.
type faultyConn struct {
	net.Conn
	f *faulty
}

func (c *faultyConn) Write(p []byte) (int, error) {
	n, err := c.f.Write(p)
	c.f.head = false
	return n, err
}
