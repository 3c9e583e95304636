package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
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
	came   []time.Time // when each of the feed requests came
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

// arrivals is when the feed requests so far came.
func (p *faultProxy) arrivals() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.came)
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
	if way != laneOther {
		p.came = append(p.came, time.Now())
	}
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
