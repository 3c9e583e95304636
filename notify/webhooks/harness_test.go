package webhooks_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tracker/config/dbconn"
	"tracker/notify/eventwire"
	"tracker/notify/webhooks"
	"tracker/notify/webhooks/webhooksdb"
)

func sets(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{{Name: webhooksdb.Name, FS: webhooksdb.Migrations(dialect)}}
}

// clock is moved by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now().UTC().Truncate(time.Millisecond)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a service on a database, with a clock and a merchant.
type world struct {
	*webhooks.Service
	db       *dbconn.DB
	store    *webhooksdb.Store
	clock    *clock
	wake     chan struct{}
	merchant string
}

func newWorld(t *testing.T, db *dbconn.DB, options ...func(*webhooks.Options)) *world {
	t.Helper()
	w := &world{db: db, store: webhooksdb.New(db), clock: newClock(), wake: make(chan struct{}, 1)}
	w.merchant = eventwire.NewID(eventwire.PrefixMerchant, w.clock.Now())
	w.Service = w.process(options...)
	t.Cleanup(func() {
		if t.Failed() {
			w.show(t)
		}
	})
	return w
}

// show logs what is queued and what was tried.
func (w *world) show(t *testing.T) {
	for _, query := range []string{"SELECT * FROM webhook_lanes", "SELECT endpoint_id, subject, seq, try, at, status_code, error, state FROM webhook_attempts"} {
		var rows []map[string]any
		if err := w.db.Read(context.WithoutCancel(t.Context())).Raw(query).Scan(&rows).Error; err != nil {
			t.Log(err)
		}
		for _, row := range rows {
			t.Log(row)
		}
	}
}

// process is one more service on the same database.
func (w *world) process(options ...func(*webhooks.Options)) *webhooks.Service {
	o := webhooks.Options{
		Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler), AllowPrivate: true, Wake: w.wake,
		Grace: 2 * time.Second, Jitter: func() float64 { return 0.5 },
		// An attempt that a busy machine makes too late would be repeated by the
		// clock, and the clock stands still.
		Timeout: time.Minute,
	}
	for _, set := range options {
		set(&o)
	}
	return webhooks.NewService(w.store, o)
}

// run sends until the test ends, or until the func that it returns was called.
func run(t *testing.T, s *webhooks.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case <-done:
			case <-time.After(2 * time.Minute):
				t.Error("Run did not end")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// move lets time pass, and has the sender look, once nothing is left to do at
// the present time. A lease is longer than an attempt takes, but not longer than
// a test's clock may jump: in the middle of an attempt it would end the lease,
// and the event would be sent twice.
func (w *world) move(t *testing.T, d time.Duration) {
	t.Helper()
	await(t, "nothing left to do now", func() bool { return w.idle(t) })
	w.leap(d)
}

// idle reports that no attempt is under way and none is due.
func (w *world) idle(t *testing.T) bool {
	t.Helper()
	const query = `SELECT count(*) FROM webhook_lanes l JOIN webhook_endpoints e ON e.id = l.endpoint_id WHERE l.pending > 0
		AND (l.token <> '' OR (l.due_at <= ? AND e.status = 'enabled' AND e.removed_at = 0 AND e.paused_until <= ?))`
	now, n := w.clock.Now().UnixMilli(), int64(0)
	if err := w.db.Read(t.Context()).Raw(query, now, now).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n == 0
}

// leap lets time pass whatever is under way, and has the sender look.
func (w *world) leap(d time.Duration) {
	w.clock.Add(d)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *world) create(t *testing.T, url string, filters ...string) webhooks.Endpoint {
	t.Helper()
	e, err := w.Create(t.Context(), w.merchant, webhooks.NewEndpoint{URL: url, Events: filters})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// order returns the id of a new order.
func (w *world) order() string { return eventwire.NewID(eventwire.PrefixOrder, w.clock.Now()) }

// happen queues transition seq of an order.
func (w *world) happen(t *testing.T, order string, seq int64, eventType ...string) eventwire.Event {
	t.Helper()
	e := w.event(t, order, seq, eventType...)
	if err := w.OnEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (w *world) event(t *testing.T, order string, seq int64, eventType ...string) eventwire.Event {
	t.Helper()
	name := "order.payment_changed"
	if len(eventType) > 0 {
		name = eventType[0]
	}
	timeline := make([]eventwire.Transition, seq)
	for i := range timeline {
		timeline[i] = eventwire.Transition{Seq: int64(i + 1), Type: name, To: "confirmed", At: w.clock.Now(), Cause: "merchant"}
	}
	key := eventwire.Key{Merchant: w.merchant, Kind: eventwire.Orders, ID: order}
	e, err := eventwire.New(key, order, 1, false, timeline, map[string]any{"id": order, "status": "confirmed", "sequence": seq})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// got is one request that a receiver answered.
type got struct {
	ID, Subject, Previous string
	Seq                   int64
	Header                http.Header
	Body                  []byte
	Status                int
}

// receiver is an endpoint whose answers the test decides.
type receiver struct {
	URL    string
	ended  chan struct{} // closed with the test: what a handler that hangs waits for
	mu     sync.Mutex
	list   []got
	answer func(http.ResponseWriter, got) int
}

// newReceiver answers 204 unless answer says otherwise; answer returns the
// status, or 0 when it has answered by itself.
func newReceiver(t *testing.T, answer func(http.ResponseWriter, got) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer, ended: make(chan struct{})}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(r.ended) })
	r.URL = server.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	g := got{ID: req.Header.Get("webhook-id"), Previous: req.Header.Get("tracker-previous-seq"), Header: req.Header.Clone(), Status: 204}
	g.Body, _ = io.ReadAll(req.Body)
	var body struct {
		Subject string
		Seq     int64
	}
	if err := json.Unmarshal(g.Body, &body); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	g.Subject, g.Seq = body.Subject, body.Seq
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		g.Status = answer(w, g)
	}
	r.mu.Lock()
	r.list = append(r.list, g)
	r.mu.Unlock()
	if g.Status != 0 {
		w.WriteHeader(g.Status)
	}
}

func (r *receiver) become(answer func(http.ResponseWriter, got) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) all() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]got(nil), r.list...)
}

// accepted is what was answered with 2xx.
func (r *receiver) accepted() (list []got) {
	for _, g := range r.all() {
		if g.Status/100 == 2 {
			list = append(list, g)
		}
	}
	return list
}

// hang makes the receiver accept requests and never answer.
func (r *receiver) hang() {
	r.become(func(http.ResponseWriter, got) int { <-r.ended; return 204 })
}

func status(code int) func(http.ResponseWriter, got) int {
	return func(http.ResponseWriter, got) int { return code }
}

// await polls until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute) // a loaded machine is slow, not wrong
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			if !holds() { // a machine that was suspended finds both channels ready
				t.Fatalf("not in time: %s", what)
			}
			return
		}
	}
}

func (w *world) get(t *testing.T, id string) webhooks.Endpoint {
	t.Helper()
	e, err := w.Get(t.Context(), w.merchant, id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (w *world) attempts(t *testing.T, id string) []webhooks.Attempt {
	t.Helper()
	page, err := w.Attempts(t.Context(), w.merchant, webhooks.AttemptFilter{Endpoint: id, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return page.Data
}
