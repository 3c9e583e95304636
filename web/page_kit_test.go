package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/payments"
	"tracker/web/apikeys"
	"tracker/web/tracktoken"
)

const kitSecret = "0123456789abcdef0123456789abcdef"

var errNone = errors.New("not in this test")

// kit is a server whose orders are states that a test puts there: pages need
// nothing else.
type kit struct {
	*Server
	t        *testing.T
	feeds    *stillFeeds
	payments *kitPayments
	api      *kitAPI
	tokens   *tracktoken.Signer
	merchant string
	now      time.Time
}

func newKit(t *testing.T, change ...func(*Deps)) *kit {
	t.Helper()
	k := &kit{t: t, merchant: eventwire.NewID(eventwire.PrefixMerchant, goldenNow), now: goldenNow}
	k.feeds = &stillFeeds{states: map[string]pageState{}, merchant: k.merchant}
	k.payments, k.api = &kitPayments{}, &kitAPI{answers: map[string]kitAnswer{}}
	now := func() time.Time { return k.now }
	var err error
	if k.tokens, err = tracktoken.New([]string{kitSecret}, tracktoken.Options{Now: now}); err != nil {
		t.Fatal(err)
	}
	d := Deps{PublicURL: "http://tracker.test", Roles: []string{RoleWeb, RoleNotify}, Secrets: []string{kitSecret}, Sandbox: true,
		Keys: kitKeys{k.merchant}, Tokens: k.tokens, Feeds: k.feeds, Payments: k.payments, Now: now, Logger: slog.New(slog.DiscardHandler),
		Pages: Pages{FormOrigins: []string{"http://bank.test"}, DemoKey: "sk_test_demo", API: k.api}}
	for _, c := range change {
		c(&d)
	}
	if k.Server, err = New(d); err != nil {
		t.Fatal(err)
	}
	return k
}

// put makes a state readable and returns the order's id and a token for it.
func (k *kit) put(st pageState) (id, token string) {
	k.t.Helper()
	id = eventwire.NewID(eventwire.PrefixOrder, goldenNow)
	st.Order.ID = id
	ids := map[string]string{}
	for i, p := range st.Order.Payments {
		ids[p.ID] = eventwire.NewID(eventwire.PrefixPayment, goldenNow)
		st.Order.Payments[i].ID = ids[p.ID]
	}
	known := map[string]paymentState{}
	for old, p := range st.Payments {
		p.Payment.ID, p.Payment.OrderID = ids[old], id
		known[ids[old]] = p
	}
	st.Payments = known
	for i, t := range st.Timeline {
		if to, ok := ids[t.Subject]; ok {
			st.Timeline[i].Subject = to
		}
	}
	k.feeds.mu.Lock()
	k.feeds.states[id] = st
	k.feeds.mu.Unlock()
	token, err := k.tokens.Sign(tracktoken.Claims{Merchant: k.merchant, Order: id})
	if err != nil {
		k.t.Fatal(err)
	}
	return id, token
}

// get asks as a browser does.
func (k *kit) get(path string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	return k.do(r, cookies...)
}

// post sends a form as a browser does.
func (k *kit) post(path, form string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return k.do(r, cookies...)
}

func (k *kit) do(r *http.Request, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r)
	return w
}

func (k *kit) cookie(id, token string) *http.Cookie {
	return &http.Cookie{Name: trackCookie + id, Value: token}
}

// stillFeeds answers with the states of the test; streams show them and stay.
type stillFeeds struct {
	mu       sync.Mutex
	states   map[string]pageState
	merchant string
	down     bool
}

func (f *stillFeeds) Newest(_ context.Context, a notify.Access) (eventwire.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return eventwire.Event{}, notify.ErrUnavailable
	}
	for id, st := range f.states {
		if a.Key.Kind == eventwire.Orders && a.Key.ID == id {
			if a.Epoch != 0 {
				return eventwire.Event{}, notify.ErrRevoked
			}
			return eventwire.New(a.Key, id, 0, st.Closed, st.Timeline, st.Order)
		}
		if p, ok := st.Payments[a.Key.ID]; ok && a.Owner == id {
			timeline := p.Timeline
			if len(timeline) == 0 {
				timeline = []eventwire.Transition{{Seq: 1, Type: "payment." + string(p.Payment.Status), To: string(p.Payment.Status), At: p.Payment.UpdatedAt}}
			}
			return eventwire.New(a.Key, id, 0, false, timeline, p.Payment)
		}
	}
	return eventwire.Event{}, notify.ErrNotFound
}

func (f *stillFeeds) ServeFeed(w http.ResponseWriter, r *http.Request, a notify.Access) error {
	e, err := f.Newest(r.Context(), a)
	if err != nil {
		return err
	}
	if !strings.Contains(r.Header.Get("Accept"), "event-stream") {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("wait") != "" {
			<-r.Context().Done()
		}
		return json.NewEncoder(w).Encode(map[string]any{"events": []any{}, "cursor": e.Seq, "closed": false})
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, "retry: 1000\n\n: here\n\n")
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // empty is 0
	for seq := after + 1; seq <= e.Seq; seq++ {
		if one, ok := e.At(seq); ok {
			raw, err := one.Encode()
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", seq, one.Type, raw)
		}
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
	return nil
}

func (f *stillFeeds) ServeStatus(http.ResponseWriter, *http.Request, notify.Access) error {
	return errNone
}

func (f *stillFeeds) ServeFirehose(w http.ResponseWriter, r *http.Request, _, _, _ string) error {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, ": here\n\n")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
	return nil
}

type kitKeys struct{ merchant string }

func (k kitKeys) Verify(_ context.Context, raw string) (apikeys.Key, error) {
	if raw != "sk_test_demo" {
		return apikeys.Key{}, apikeys.ErrUnknownKey
	}
	return k.Find(context.Background(), "key_1")
}

func (k kitKeys) Find(_ context.Context, id string) (apikeys.Key, error) {
	if id != "key_1" {
		return apikeys.Key{}, apikeys.ErrUnknownKey
	}
	return apikeys.Key{ID: "key_1", Merchant: k.merchant, Scopes: []apikeys.Scope{apikeys.Read, apikeys.Write, apikeys.Refunds, apikeys.Webhooks}}, nil
}

// kitPayments records what pages do beside the API. Everything else is not
// theirs to call.
type kitPayments struct {
	Payments
	mu        sync.Mutex
	cancelled []payments.Command
	nudged    []string
}

func (p *kitPayments) Cancel(_ context.Context, in payments.Command) (payments.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancelled = append(p.cancelled, in)
	return payments.Payment{}, nil
}

func (p *kitPayments) Nudge(_ context.Context, _, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudged = append(p.nudged, id)
	return nil
}

// kitAPI answers the pages' calls of the public API as the test says.
type kitAPI struct {
	mu      sync.Mutex
	answers map[string]kitAnswer // by "METHOD /path"
	calls   []*http.Request
	bodies  []string
}

type kitAnswer struct {
	status int
	body   string
}

func (a *kitAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var body strings.Builder
	if r.Body != nil {
		buf := make([]byte, 1<<16)
		n, _ := r.Body.Read(buf)
		body.Write(buf[:n])
	}
	a.calls, a.bodies = append(a.calls, r), append(a.bodies, body.String())
	answer, ok := a.answers[r.Method+" "+r.URL.Path]
	if !ok {
		answer = kitAnswer{http.StatusNotFound, `{"code":"not_found"}`}
	}
	kind := "application/json"
	if answer.status >= 400 {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(answer.status)
	_, _ = w.Write([]byte(answer.body))
}
