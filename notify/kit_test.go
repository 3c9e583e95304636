package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tracker/notify"
	"tracker/notify/eventwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute // for anything that must happen

// merchant and other are two owners of feeds.
const (
	merchant = "mer_00000000000000000000000001"
	stranger = "mer_00000000000000000000000002"
)

func orderKey(n int) eventwire.Key {
	return eventwire.Key{Merchant: merchant, Kind: eventwire.Orders, ID: fmt.Sprintf("ord_%026d", n)}
}

func paymentKey(n int) eventwire.Key {
	return eventwire.Key{Merchant: merchant, Kind: eventwire.Payments, ID: fmt.Sprintf("pay_%026d", n)}
}

// feed makes the events of one resource, as its owner would.
type feed struct {
	key      eventwire.Key
	owner    string
	epoch    int64
	padding  int // bytes that make an event big
	timeline []eventwire.Transition
	seq      int64 // for at
}

// at is the event of a sequence with a timeline of this one entry only.
func (f *feed) at(seq int64) eventwire.Event {
	short := *f
	short.timeline = nil
	e := short.next(false)
	e.Seq, e.Transition.Seq, e.Timeline[0].Seq = seq, seq, seq
	return e
}

func newFeed(key eventwire.Key) *feed { return &feed{key: key, owner: key.ID, epoch: 1} }

// next is the event of the feed's next transition.
func (f *feed) next(closed bool) eventwire.Event {
	seq := int64(len(f.timeline)) + 1
	at := time.Date(2026, 11, 23, 9, 0, int(seq), 0, time.UTC)
	f.timeline = append(f.timeline, eventwire.Transition{Seq: seq, Type: fmt.Sprintf("%s.step_%d", f.key.Kind, seq), To: "s", At: at, Cause: "merchant"})
	resource := map[string]any{"id": f.key.ID, "status": "s" + strconv.FormatInt(seq, 10), "payment_status": "paid", "sequence": seq,
		"updated_at": at, "items": []string{"a"}, "note": "not part of a status" + strings.Repeat(".", f.padding)}
	e, err := eventwire.New(f.key, f.owner, f.epoch, closed, append([]eventwire.Transition(nil), f.timeline...), resource)
	if err != nil {
		panic(err)
	}
	return e
}

// book is a log in memory that behaves as the stream does.
type book struct {
	mu       sync.Mutex
	life     string
	messages []eventwire.Event
	first    uint64 // of what is still there
	scans    int
	lastFunc func(ctx context.Context, key eventwire.Key) // called before Last looks
	after    func()                                       // called when Last has looked
	err      error
}

// lose forgets a feed.
func (b *book) lose(key eventwire.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = slices.DeleteFunc(b.messages, func(e eventwire.Event) bool { return e.Key() == key })
}

func newBook() *book { return &book{life: "life1"} }

func (b *book) append(e eventwire.Event) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, e)
	return uint64(len(b.messages))
}

func (b *book) Last(ctx context.Context, key eventwire.Key) (eventwire.Event, bool, error) {
	if b.lastFunc != nil {
		b.lastFunc(ctx, key)
	}
	if b.after != nil {
		defer b.after()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.messages) - 1; i >= 0; i-- {
		if b.messages[i].Key() == key {
			return b.messages[i], true, b.err
		}
	}
	return eventwire.Event{}, false, b.err
}

func (b *book) Scan(ctx context.Context, _ []string, after, upTo uint64, fn func(uint64, eventwire.Event) error) error {
	b.mu.Lock()
	b.scans++
	list := b.messages[min(after, uint64(len(b.messages))):min(upTo, uint64(len(b.messages)))]
	b.mu.Unlock()
	for _, e := range list {
		if after++; e.Merchant != merchant {
			continue
		}
		if err := fn(after, e); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// scanned is how often the log was read.
func (b *book) scanned() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.scans
}

// purge forgets what is older than the message at first.
func (b *book) purge(first uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first = first
}

// reborn empties the log and begins another life.
func (b *book) reborn(life string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.life, b.messages = life, nil
}

func (b *book) Bounds(context.Context) (first, last uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.first, 1), uint64(len(b.messages)), nil
}

func (b *book) Incarnation() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.life
}

// rig is a notifier behind a real HTTP server on loopback.
type rig struct {
	*notify.Notifier
	book *book
	url  string
	http *http.Client
	stop func() // ends Run and waits for it
}

// emit commits an event and tells the notifier, as the stream's follower does.
// emit brings an event into the log and from there here, as the follower of the
// stream does: what nobody awaits is passed over.
func (r *rig) emit(e eventwire.Event) {
	at := r.book.append(e)
	if r.Awaits(e.Key()) {
		r.Publish(at, e)
	}
}

// emitted makes n events of f and emits them.
func (r *rig) emitted(f *feed, n int) {
	for range n {
		r.emit(f.next(false))
	}
}

func (r *rig) feedURL(key eventwire.Key, query string) string {
	return r.url + "/" + key.Kind.Plural() + "/" + key.ID + "/events" + query
}

// way is how a request reaches the notifier.
type way struct {
	name   string
	path   string // the path of its streams
	parked bool   // wait until connections can be parked
	serve  func(t testing.TB, h http.Handler) (url string, client *http.Client)
	noPark bool
}

func setup(t testing.TB, w way, change func(*notify.Options)) *rig {
	t.Helper()
	b := newBook()
	// A WebSocket answers a ping within a heartbeat, and tests do not always read.
	opt := notify.Options{Log: b, Heartbeat: patience, Lifetime: time.Hour, Retry: 20 * time.Millisecond, NoParking: w.noPark,
		DrainWindow: 50 * time.Millisecond, WriteTimeout: patience}
	if change != nil {
		change(&opt)
	}
	r := &rig{Notifier: notify.New(opt), book: b}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if w.parked {
		until(t, "parking is open", r.Parks)
	}
	r.url, r.http = w.start(t, handler(r.Notifier))
	t.Cleanup(r.stop) // before the server closes: it waits for its requests
	return r
}

func (w way) start(t testing.TB, h http.Handler) (string, *http.Client) {
	t.Helper()
	if w.serve == nil {
		w = plain
	}
	return w.serve(t, h)
}

// until waits for a condition that nothing announces.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// handler is the edge of these tests: access from headers, errors to statuses.
func handler(n *notify.Notifier) http.Handler {
	mux := http.NewServeMux()
	access := func(r *http.Request) notify.Access {
		kind := eventwire.Orders
		if r.PathValue("kind") == "payments" {
			kind = eventwire.Payments
		}
		a := notify.Access{Key: eventwire.Key{Merchant: merchant, Kind: kind, ID: r.PathValue("id")}, Principal: "key", Address: r.Header.Get("X-Address")}
		if m := r.Header.Get("X-Merchant"); m != "" {
			a.Key.Merchant = m
		}
		if owner := r.Header.Get("X-Owner"); owner != "" {
			a.Owner, a.Principal = owner, "token"
			a.Epoch, _ = strconv.ParseInt(r.Header.Get("X-Epoch"), 10, 64)
		}
		return a
	}
	mux.HandleFunc("GET /{kind}/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		answer(w, n.ServeFeed(w, r, access(r)))
	})
	mux.HandleFunc("GET /{kind}/{id}/status", func(w http.ResponseWriter, r *http.Request) {
		answer(w, n.ServeStatus(w, r, access(r)))
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		answer(w, n.ServeFirehose(w, r, merchant, "key", r.Header.Get("X-Address")))
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	var limit *notify.LimitError
	var bad *notify.BadRequestError
	switch {
	case err == nil:
	case errors.Is(err, notify.ErrNotFound):
		http.Error(w, "not_found", http.StatusNotFound)
	case errors.Is(err, notify.ErrRevoked):
		http.Error(w, "revoked", http.StatusUnauthorized)
	case errors.Is(err, notify.ErrOrigin):
		http.Error(w, "origin", http.StatusForbidden)
	case errors.Is(err, notify.ErrUnavailable):
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
	case errors.As(err, &bad):
		http.Error(w, bad.Code, http.StatusBadRequest)
	case errors.As(err, &limit) && limit.Total:
		http.Error(w, limit.Limit, http.StatusServiceUnavailable)
	case errors.As(err, &limit):
		http.Error(w, limit.Limit, http.StatusTooManyRequests)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// The ways that the suite runs over.
var (
	plain   = way{name: "parked", path: "parked", parked: true, serve: serveWith(func(*httptest.Server) {})}
	r3      = way{name: "r3labs", path: "r3labs", noPark: true, serve: serveWith(func(*httptest.Server) {})}
	h2c     = way{name: "h2c", path: "r3labs", serve: serveH2C}
	overTLS = way{name: "tls", path: "r3labs", serve: serveWith(func(s *httptest.Server) { s.StartTLS() })}
	h2      = way{name: "h2", path: "r3labs", serve: serveWith(func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() })}
	hidden  = way{name: "wrapped writer", path: "r3labs", serve: func(t testing.TB, h http.Handler) (string, *http.Client) {
		return plain.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(onlyFlush{w}, r) }))
	}}
	wrapped = way{name: "wrapped listener", path: "r3labs", parked: true, serve: serveWith(func(s *httptest.Server) { s.Listener = wrapListener{s.Listener} })}
)

func ways() []way { return []way{plain, r3, h2c, overTLS, h2, hidden, wrapped, behindNginx} }

func serveWith(prepare func(*httptest.Server)) func(testing.TB, http.Handler) (string, *http.Client) {
	return func(t testing.TB, h http.Handler) (string, *http.Client) {
		s := httptest.NewUnstartedServer(h)
		prepare(s)
		if s.URL == "" {
			s.Start()
		}
		t.Cleanup(s.Close)
		return s.URL, s.Client()
	}
}

func serveH2C(t testing.TB, h http.Handler) (string, *http.Client) {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = &p
	s.Start()
	transport := &http.Transport{Protocols: &p}
	t.Cleanup(func() { transport.CloseIdleConnections(); s.Close() })
	return s.URL, &http.Client{Transport: transport}
}

// onlyFlush hides everything of a response but flushing.
type onlyFlush struct{ w http.ResponseWriter }

func (o onlyFlush) Header() http.Header         { return o.w.Header() }
func (o onlyFlush) Write(b []byte) (int, error) { return o.w.Write(b) }
func (o onlyFlush) WriteHeader(code int)        { o.w.WriteHeader(code) }
func (o onlyFlush) Flush()                      { o.w.(http.Flusher).Flush() }

// wrapListener hands out connections that are not plain TCP any more.
type wrapListener struct{ net.Listener }

type wrapConn struct{ net.Conn }

func (l wrapListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrapConn{c}, nil
}
