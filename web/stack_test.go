package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
	"tracker/notify/webhooks/webhooksdb"
	"tracker/orders"
	"tracker/orders/ordersdb"
	"tracker/web"
	"tracker/web/apikeys"
	"tracker/web/apikeys/apikeysdb"
	"tracker/web/idempotency"
	"tracker/web/idempotency/idempotencydb"
	"tracker/web/tracktoken"
)

const secret = "0123456789abcdef0123456789abcdef"

func schema(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{
		{Name: txoutbox.Name, FS: txoutbox.Migrations(dialect)},
		{Name: ordersdb.Name, FS: ordersdb.Migrations(dialect)},
		{Name: apikeysdb.Name, FS: apikeysdb.Migrations(dialect)},
		{Name: idempotencydb.Name, FS: idempotencydb.Migrations(dialect)},
		{Name: webhooksdb.Name, FS: webhooksdb.Migrations(dialect)},
	}
}

// stack is the edge over real orders, keys and idempotency; payments and
// webhooks are fakes that a test fills in.
type stack struct {
	t        *testing.T
	db       *dbconn.DB
	url      string
	keys     *apikeys.Service
	orders   *orders.Service
	payments *fakePayments
	webhooks *fakeWebhooks
	tokens   *tracktoken.Signer
	feeds    *notify.Notifier
	log      *syncBuffer
	events   sync.Map // of payments, by id
	merchant apikeys.Merchant
	key      string // of merchant, all scopes
	other    string // of another merchant
}

type option func(*web.Deps)

func eachStack(t *testing.T, fn func(t *testing.T, s *stack), options ...option) {
	t.Helper()
	dbtest.Each(t, schema, func(t *testing.T, db *dbconn.DB) { fn(t, newStack(t, db, options...)) })
}

// sqliteStack is for what does not depend on the database.
func sqliteStack(t *testing.T, options ...option) *stack {
	t.Helper()
	db := dbtest.Open(t, dbtest.SQLite(t))
	if err := db.Migrate(t.Context(), schema(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	return newStack(t, db, options...)
}

func newStack(t *testing.T, db *dbconn.DB, options ...option) *stack {
	t.Helper()
	s := &stack{t: t, db: db, payments: &fakePayments{}, webhooks: &fakeWebhooks{}, log: &syncBuffer{}}
	s.keys = must(apikeys.NewService(apikeysdb.New(db), apikeys.Options{Secrets: []string{secret}, Fresh: time.Millisecond}))
	s.tokens = must(tracktoken.New([]string{secret}, tracktoken.Options{}))
	s.orders = orders.NewService(ordersdb.New(db), orders.Options{})
	s.feeds = notify.New(notify.Options{Log: stackLog{s.orders, &s.events}, NoParking: true})
	s.merchant = must(s.keys.CreateMerchant(t.Context(), "Kiln & Clay", apikeys.Test))
	s.key = s.newKey(s.merchant.ID)
	s.other = s.newKey(must(s.keys.CreateMerchant(t.Context(), "Other", apikeys.Test)).ID)
	s.url = s.serve(options...)
	return s
}

// serve starts one more process over the same database.
func (s *stack) serve(options ...option) string {
	s.t.Helper()
	deps := s.deps()
	for _, o := range options {
		o(&deps)
	}
	server := must(web.New(deps))
	listener := httptest.NewUnstartedServer(nil)
	listener.Config = server.HTTPServer(context.WithoutCancel(s.t.Context()), "")
	listener.Start()
	s.t.Cleanup(listener.Close)
	return listener.URL
}

func (s *stack) deps() web.Deps {
	return web.Deps{
		PublicURL: "http://shop.test", Secrets: []string{secret}, Keys: s.keys, Profiles: s.keys, Merchants: s.keys, Tokens: s.tokens,
		Once: idempotency.NewService(idempotencydb.New(s.db), idempotency.Options{}), Orders: s.orders, Payments: s.payments,
		Feeds: s.feeds, Webhooks: s.webhooks, Logger: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (s *stack) newKey(merchant string, scopes ...apikeys.Scope) string {
	s.t.Helper()
	raw, _, err := s.keys.Create(s.t.Context(), apikeys.NewKey{Merchant: merchant, Name: "test", Scopes: scopes})
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// response is an answer with its body read.
type response struct {
	*http.Response
	body []byte
}

func (r response) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
	return v
}

type header map[string]string

// do sends a request with the merchant's key unless h says otherwise, and holds
// the answer against the OpenAPI document.
func (s *stack) do(method, path, body string, h header) response {
	s.t.Helper()
	return s.send(s.request(method, path, strings.NewReader(body), h))
}

func (s *stack) request(method, path string, body io.Reader, h header) *http.Request {
	s.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = s.url + path
	}
	r := must(http.NewRequestWithContext(s.t.Context(), method, path, body))
	if method == http.MethodPost || method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	for name, value := range h {
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	return r
}

func (s *stack) send(r *http.Request) response {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body := must(io.ReadAll(res.Body))
	checkContract(s.t, r, res, body)
	return response{res, body}
}

const mugs = `{"reference":"1042","currency":"EUR","items":[{"sku":"mug","name":"Mug","quantity":2,"unit_amount":2099}],"metadata":{"cart":"77"}}`

func (s *stack) createOrder() map[string]any {
	s.t.Helper()
	res := s.do(http.MethodPost, "/v1/orders", mugs, nil)
	if res.StatusCode != http.StatusCreated {
		s.t.Fatalf("create: %d %s", res.StatusCode, res.body)
	}
	return res.json(s.t)
}

// producedCodes are the codes that a test has seen; TestMain compares them with
// the list that /docs shows.
var producedCodes sync.Map

// wantProblem checks status, code and the form that every problem has.
func wantProblem(t *testing.T, r response, status int, code string, pointers ...string) map[string]any {
	t.Helper()
	p := r.json(t)
	if r.StatusCode != status || p["code"] != code {
		t.Fatalf("got %d %s, want %d %s", r.StatusCode, r.body, status, code)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	if p["request_id"] == "" || p["request_id"] != r.Header.Get("X-Request-Id") || p["title"] == "" || p["status"] != float64(status) {
		t.Errorf("problem lacks its form: %s", r.body)
	}
	producedCodes.Store(code, true)
	named := map[string]bool{}
	fields, _ := p["errors"].([]any)
	for _, f := range fields {
		for _, by := range []string{"pointer", "parameter", "header"} {
			if name, ok := f.(map[string]any)[by].(string); ok {
				named[name] = true
			}
		}
	}
	for _, want := range pointers {
		if !named[want] {
			t.Errorf("errors name %v, not %q: %s", named, want, r.body)
		}
	}
	return p
}

// stackLog is the stream as the notifier sees it: orders straight from the
// database, payments as the test announced them.
type stackLog struct {
	orders   *orders.Service
	payments *sync.Map
}

func (l stackLog) Last(ctx context.Context, key eventwire.Key) (eventwire.Event, bool, error) {
	if key.Kind == eventwire.Payments {
		e, ok := l.payments.Load(key)
		event, _ := e.(eventwire.Event)
		return event, ok, nil
	}
	e, err := l.orders.Newest(ctx, key.Merchant, key.ID)
	if errors.Is(err, orders.ErrNotFound) {
		return eventwire.Event{}, false, nil
	}
	return e, err == nil, err
}

func (stackLog) Scan(ctx context.Context, _ []string, _, _ uint64, _ func(uint64, eventwire.Event) error) error {
	return ctx.Err()
}

func (stackLog) Bounds(context.Context) (first, last uint64, err error) { return 1, 0, nil }

func (stackLog) Incarnation() string { return "test" }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
