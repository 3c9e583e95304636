package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lane is the way by which a request asks for a feed.
type lane string

const (
	laneSSE    lane = "sse"
	laneSocket lane = "websocket"
	laneLong   lane = "long-poll"
	laneShort  lane = "short-poll"
	laneOther  lane = "other"
)

// lanes is the client's ladder.
func lanes() []lane { return []lane{laneSSE, laneSocket, laneLong, laneShort} }

func laneOf(r *http.Request) lane {
	switch {
	case !strings.HasSuffix(r.URL.Path, "/events"):
		return laneOther
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return laneSocket
	case strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
		return laneSSE
	case r.URL.Query().Has("wait"):
		return laneLong
	}
	return laneShort
}

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

// faultProxy stands between browsers and the program, and counts. Each has an
// origin of its own, and so what browsers keep per origin.
type faultProxy struct {
	*httptest.Server
	target  atomic.Pointer[url.URL]
	page    atomic.Pointer[string] // what /case shows
	forward http.Handler

	mu     sync.Mutex
	faults map[lane]fault
	asked  map[lane]int
	open   map[lane]int
	most   map[lane]int // open at once
	ends   map[*http.Request]context.CancelFunc
}

// newFaultProxy starts a proxy that passes everything. It may be aimed later.
func newFaultProxy(t *testing.T, target string) *faultProxy {
	t.Helper()
	p := &faultProxy{faults: map[lane]fault{}, asked: map[lane]int{}, open: map[lane]int{}, most: map[lane]int{}, ends: map[*http.Request]context.CancelFunc{}}
	p.forward = p.reverse()
	p.aim(t, target)
	p.Server = httptest.NewServer(p)
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() {
		p.cut()
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func (p *faultProxy) reverse() http.Handler {
	return &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport:     &http.Transport{},
		ErrorLog:      log.New(io.Discard, "", 0),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(p.target.Load())
			pr.Out.Host = pr.In.Host
		},
		ModifyResponse: func(answer *http.Response) error {
			if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
				answer.Body = newBeating(answer.Body)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) { faultGateway().serve(w, r) },
	}
}

func (p *faultProxy) aim(t *testing.T, target string) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p.target.Store(to)
}

// set changes what happens from now on.
func (p *faultProxy) set(f fault, ways ...lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, way := range ways {
		p.faults[way] = f
	}
}

// cut ends every connection that is open, and has no effect on later ones.
func (p *faultProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range p.ends {
		end()
	}
}

// total is the number of feed requests so far.
func (p *faultProxy) total(ways ...lane) (sum int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(ways) == 0 {
		ways = lanes()
	}
	for _, way := range ways {
		sum += p.asked[way]
	}
	return sum
}

// held is how many requests of a way are open, and were open at most.
func (p *faultProxy) held(way lane) (open, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[way], p.most[way]
}

// enter counts a request, which leave ends.
func (p *faultProxy) enter(r *http.Request) (way lane, f fault, counted *http.Request, leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithCancel(r.Context())
	way, counted = laneOf(r), r.WithContext(ctx)
	p.asked[way]++
	p.open[way]++
	p.most[way] = max(p.most[way], p.open[way])
	p.ends[counted] = cancel
	return way, p.faults[way], counted, func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open[way]--
		delete(p.ends, counted)
	}
}

func (p *faultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if text := p.own(r.URL.Path); text != "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, text)
		return
	}
	way, f, r, leave := p.enter(r)
	defer leave()
	if f.serve != nil {
		f.serve(w, r)
		return
	}
	answer := &faultyAnswer{ResponseWriter: w, f: &faulty{fault: f, gone: r.Context().Done(), out: w, hangUp: func() { panic(http.ErrAbortHandler) }}}
	p.forward.ServeHTTP(answer, r)
	if f.write != nil && answer.f.written == 0 && answer.status == http.StatusOK && way != laneSocket {
		<-r.Context().Done() // what is held back does not end either
		panic(http.ErrAbortHandler)
	}
}

// own is the text of the proxy's own pages.
func (p *faultProxy) own(path string) string {
	page := p.page.Load()
	switch {
	case path == "/case" && page != nil:
		return *page
	case path == "/away", path == "/favicon.ico":
		return "<!doctype html><title>away</title>"
	}
	return ""
}

// beatEvery is how often a stream beats on its way through the proxy: much more
// often than the program does, so that a test's client can notice silence soon.
const beatEvery = 300 * time.Millisecond

// beating is a stream with more heartbeats in it: comments between lines.
type beating struct {
	body   io.ReadCloser
	pieces chan []byte
	done   chan struct{}
	close  sync.Once
	err    error // why pieces was closed
	rest   []byte
	inLine bool
}

func newBeating(body io.ReadCloser) *beating {
	b := &beating{body: body, pieces: make(chan []byte), done: make(chan struct{})}
	go func() {
		defer close(b.pieces)
		for {
			piece := make([]byte, 4096)
			n, err := body.Read(piece)
			if n > 0 {
				select {
				case b.pieces <- piece[:n]:
				case <-b.done:
					return
				}
			}
			if err != nil {
				b.err = err
				return
			}
		}
	}()
	return b
}

func (b *beating) Close() error {
	b.close.Do(func() { close(b.done) })
	return b.body.Close()
}

func (b *beating) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		select {
		case piece, more := <-b.pieces:
			if !more {
				return 0, b.err
			}
			b.rest, b.inLine = piece, piece[len(piece)-1] != '\n'
		case <-time.After(beatEvery):
			if !b.inLine {
				b.rest = []byte(":\n")
			}
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
