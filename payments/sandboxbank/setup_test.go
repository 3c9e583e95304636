package sandboxbank_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/sandboxbank"
)

var (
	secretA = secret("first secret, long enough")
	secretB = secret("second secret, long enough")
)

func secret(text string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(text)) }

// clock is a clock that only tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// received is one callback as it came over the wire.
type received struct {
	header http.Header
	body   []byte
	wire   struct {
		Type string `json:"type"`
		Data struct {
			Payment    string    `json:"payment"`
			Reference  string    `json:"reference"`
			Amount     int64     `json:"amount"`
			Currency   string    `json:"currency"`
			OccurredAt time.Time `json:"occurred_at"`
		} `json:"data"`
	}
}

func (r received) id() string { return r.header.Get("webhook-id") }

// shop is the other side: it records callbacks and answers as it is told.
type shop struct {
	*httptest.Server
	got chan received

	mu       sync.Mutex
	statuses []int // of the next answers; 204 when empty
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{got: make(chan received, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var one received
		one.header = r.Header.Clone()
		one.body, _ = io.ReadAll(r.Body)
		_ = json.Unmarshal(one.body, &one.wire)
		w.WriteHeader(s.status())
		s.got <- one
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) status() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.statuses) == 0 {
		return http.StatusNoContent
	}
	status := s.statuses[0]
	s.statuses = s.statuses[1:]
	return status
}

func (s *shop) answer(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses = statuses
}

func (s *shop) next(t *testing.T) received {
	t.Helper()
	select {
	case one := <-s.got:
		return one
	case <-time.After(2 * time.Minute):
		t.Fatal("no callback came")
		return received{}
	}
}

// house is a bank, a shop, and the provider between them.
type house struct {
	t        *testing.T
	clock    *clock
	shop     *shop
	options  sandboxbank.Options
	bank     *sandboxbank.Bank
	server   *httptest.Server
	client   *sandboxbank.Client
	provider *sandboxbank.Provider
	halt     func()
	refused  chan struct{} // one for each callback that the shop refused, once the bank has noted it
}

// listener is a log that tells of refused callbacks.
type listener struct {
	slog.Handler
	refused chan struct{}
}

func (l listener) Enabled(context.Context, slog.Level) bool { return true }

func (l listener) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "callback refused" {
		l.refused <- struct{}{}
	}
	return nil
}

func setup(t *testing.T, change ...func(*sandboxbank.Options)) *house {
	t.Helper()
	h := &house{t: t, clock: newClock(), shop: newShop(t), refused: make(chan struct{}, 100)}
	h.options = sandboxbank.Options{
		Secrets: []string{secretA}, Now: h.clock.Now, Path: filepath.Join(t.TempDir(), "bank", "journal"),
		Logger: slog.New(listener{slog.DiscardHandler, h.refused}),
	}
	for _, fn := range change {
		fn(&h.options)
	}
	h.start()
	t.Cleanup(func() { h.halt() })
	return h
}

// start opens the bank, serves it and makes new clients of it.
func (h *house) start() {
	h.t.Helper()
	var err error
	if h.bank, err = sandboxbank.New(h.options); err != nil {
		h.t.Fatal(err)
	}
	h.server = httptest.NewServer(h.bank)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.bank.Run(ctx) }()
	h.halt = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run: %v", err)
		}
		h.server.CloseClientConnections()
		h.server.Close()
		if err := h.bank.Close(); err != nil {
			h.t.Errorf("Close: %v", err)
		}
	})
	h.client = h.newClient(secretA)
	h.provider, err = sandboxbank.NewProvider(sandboxbank.ProviderOptions{
		BaseURL: h.server.URL, Secrets: []string{secretA}, CallbackURL: h.shop.URL + "/v1/callbacks/sandbox",
		Shop: "Kiln & Clay", Timeout: time.Minute,
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// restart is a new process on the same journal.
func (h *house) restart() {
	h.t.Helper()
	h.halt()
	h.start()
}

func (h *house) newClient(secret string) *sandboxbank.Client {
	h.t.Helper()
	c, err := sandboxbank.NewClient(h.server.URL, secret, time.Minute, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) advance(d time.Duration) {
	h.clock.Advance(d)
	h.bank.Wake()
}

// open makes a session through the provider and returns its reference.
func (h *house) open(payment string, mode payments.CaptureMode) string {
	h.t.Helper()
	s, err := h.provider.Create(h.t.Context(), payments.NewSession{
		Key: "create-" + payment, Payment: payment, Title: "1042", Capture: mode,
		Amount:    money.Amount{Minor: 4198, Currency: money.EUR},
		ReturnURL: "http://shop.example/checkout/ord_1?lang=de", ExpiresAt: h.clock.Now().Add(30 * time.Minute),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Reference
}

func (h *house) decide(id string, d sandboxbank.Decision) {
	h.t.Helper()
	if _, err := h.client.Decide(h.t.Context(), id, sandboxbank.DecideRequest{Decision: d}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) status(id string) payments.Report {
	h.t.Helper()
	r, err := h.provider.Status(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// quiet proves that nothing is left to be delivered, by the arrival of a
// callback that was caused later. Callbacks due earlier are taken first.
func (h *house) quiet() {
	h.t.Helper()
	payment := "pay_sentinel" + strings.ToLower(h.t.Name()[len(h.t.Name())-1:])
	id := h.open(payment, payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	if got := h.shop.next(h.t); got.wire.Data.Reference != id {
		h.t.Errorf("an unexpected callback: %s", got.body)
	}
}

func (h *house) post(path, secret, body string) (int, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.server.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	r.Header.Set("Idempotency-Key", "k")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

// answering is the address of a server that says the same to everybody.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
