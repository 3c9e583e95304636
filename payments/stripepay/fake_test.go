package stripepay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"
)

const (
	apiKey  = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
	secretA = "whsec_aaaaaaaaaaaaaaaaaaaaaaaa"
	secretB = "whsec_bbbbbbbbbbbbbbbbbbbbbbbb"
)

// object is a Stripe object as it goes over the wire.
type object map[string]any

// MarshalJSON leaves out what the fake remembers for itself.
func (o object) MarshalJSON() ([]byte, error) {
	seen := map[string]any{}
	for name, value := range o {
		if !strings.HasPrefix(name, "_") {
			seen[name] = value
		}
	}
	return json.Marshal(seen)
}

func (o object) str(name string) string { s, _ := o[name].(string); return s }
func (o object) num(name string) int64  { n, _ := o[name].(int64); return n }

// signedEvent is a webhook as Stripe would send it.
type signedEvent struct {
	header http.Header
	body   []byte
}

// fakeStripe plays the part of Stripe's API that Checkout payments use, after
// the shapes and rules that docs.stripe.com describes: forms in, objects out,
// idempotency keys that replay and refuse other parameters, intents that exist
// only once the shopper has paid.
type fakeStripe struct {
	*httptest.Server
	now    func() time.Time
	events chan signedEvent

	mu       sync.Mutex
	n        int
	sessions map[string]object
	intents  map[string]object
	charges  map[string]object
	refunds  []object
	keys     map[string]stored
	spoil    func(http.ResponseWriter, *http.Request) bool // answers instead, once
	requests []*http.Request
	forms    []url.Values
}

type stored struct {
	form   string
	status int
	body   []byte
}

func newFake(t *testing.T, now func() time.Time) *fakeStripe {
	t.Helper()
	f := &fakeStripe{
		now: now, events: make(chan signedEvent, 100), sessions: map[string]object{},
		intents: map[string]object{}, charges: map[string]object{}, keys: map[string]stored{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/checkout/sessions", f.api(f.createSession))
	mux.HandleFunc("GET /v1/checkout/sessions/{id}", f.api(f.getSession))
	mux.HandleFunc("POST /v1/checkout/sessions/{id}/expire", f.api(f.expireSession))
	mux.HandleFunc("GET /v1/payment_intents/{id}", f.api(f.getIntent))
	mux.HandleFunc("POST /v1/payment_intents/{id}/capture", f.api(f.capture))
	mux.HandleFunc("POST /v1/payment_intents/{id}/cancel", f.api(f.cancel))
	mux.HandleFunc("POST /v1/refunds", f.api(f.refund))
	mux.HandleFunc("GET /v1/refunds", f.api(f.listRefunds))
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

type handler func(r *http.Request, form url.Values) (int, any)

func stripeError(status int, kind, code string) (int, any) {
	return status, object{"error": object{"type": kind, "code": code, "message": "a text that may name sk_live_secrets"}}
}

// api authenticates, replays idempotent requests and plays the fault of the moment.
func (f *fakeStripe) api(do handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(text))
		f.mu.Lock()
		f.requests, f.forms = append(f.requests, r), append(f.forms, form)
		status, body := f.serve(r, string(text), form, do)
		spoil := f.spoil
		f.spoil = nil
		f.mu.Unlock()
		if spoil != nil && spoil(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", "req_1")
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

func (f *fakeStripe) serve(r *http.Request, text string, form url.Values, do handler) (int, []byte) {
	encode := func(status int, answer any) (int, []byte) {
		body, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		return status, body
	}
	if r.Header.Get("Authorization") != "Bearer "+apiKey {
		return encode(stripeError(401, "invalid_request_error", ""))
	}
	key := r.Header.Get("Idempotency-Key")
	if r.Method == http.MethodPost && key == "" {
		return encode(stripeError(400, "invalid_request_error", "test_wants_a_key"))
	}
	id := r.URL.Path + " " + key
	if before, ok := f.keys[id]; ok && r.Method == http.MethodPost {
		if before.form != text {
			return encode(stripeError(400, "idempotency_error", ""))
		}
		return before.status, before.body
	}
	status, body := encode(do(r, form))
	if r.Method == http.MethodPost && status < 400 {
		f.keys[id] = stored{text, status, body}
	}
	return status, body
}

func (f *fakeStripe) id(prefix string) string {
	f.n++
	return fmt.Sprintf("%s_test_%d", prefix, f.n)
}

func metadata(form url.Values, prefix string) object {
	m := object{}
	for name, values := range form {
		if key, ok := strings.CutPrefix(name, prefix); ok {
			m[strings.TrimSuffix(key, "]")] = values[0]
		}
	}
	return m
}

func (f *fakeStripe) createSession(_ *http.Request, form url.Values) (int, any) {
	line := "line_items[0]"
	amount, err := strconv.ParseInt(form.Get(line+"[price_data][unit_amount]"), 10, 64)
	if err != nil || form.Get("mode") != "payment" || form.Get("success_url") == "" || form.Get(line+"[quantity]") != "1" || form.Get(line+"[price_data][product_data][name]") == "" {
		return stripeError(400, "invalid_request_error", "parameter_missing")
	}
	s := object{
		"id": f.id("cs"), "object": "checkout.session", "status": "open", "payment_status": "unpaid",
		"amount_total": amount, "currency": form.Get(line + "[price_data][currency]"),
		"client_reference_id": form.Get("client_reference_id"), "metadata": metadata(form, "metadata["),
		"created": f.now().Unix(), "expires_at": f.now().Add(24 * time.Hour).Unix(), "payment_intent": nil,
		"_capture_method": form.Get("payment_intent_data[capture_method]"), "_intent_metadata": metadata(form, "payment_intent_data[metadata]["),
	}
	s["url"] = "https://checkout.stripe.com/c/pay/" + s.str("id")
	f.sessions[s.str("id")] = s
	return 200, s
}

// expanded is a session with its intent and the intent's charge in it.
func (f *fakeStripe) expanded(s object) object {
	s = maps.Clone(s)
	if intent, ok := f.intents[s.str("payment_intent")]; ok {
		intent = maps.Clone(intent)
		if charge, ok := f.charges[intent.str("latest_charge")]; ok {
			intent["latest_charge"] = charge
		}
		s["payment_intent"] = intent
	}
	return s
}

func (f *fakeStripe) getSession(r *http.Request, _ url.Values) (int, any) {
	s, ok := f.sessions[r.PathValue("id")]
	if !ok {
		return stripeError(404, "invalid_request_error", "resource_missing")
	}
	if r.URL.Query().Get("expand[0]") == "payment_intent.latest_charge" {
		return 200, f.expanded(s)
	}
	return 200, s
}

func (f *fakeStripe) getIntent(r *http.Request, _ url.Values) (int, any) {
	intent, ok := f.intents[r.PathValue("id")]
	if !ok {
		return stripeError(404, "invalid_request_error", "resource_missing")
	}
	intent = maps.Clone(intent)
	if r.URL.Query().Get("expand[0]") == "latest_charge" {
		intent["latest_charge"] = f.charges[intent.str("latest_charge")]
	}
	return 200, intent
}

func (f *fakeStripe) expireSession(r *http.Request, _ url.Values) (int, any) {
	s, ok := f.sessions[r.PathValue("id")]
	if !ok {
		return stripeError(404, "invalid_request_error", "resource_missing")
	}
	if s.str("status") != "open" {
		return stripeError(400, "invalid_request_error", "")
	}
	s["status"] = "expired"
	f.emit("checkout.session.expired", s)
	return 200, s
}

func (f *fakeStripe) capture(r *http.Request, form url.Values) (int, any) {
	intent := f.intents[r.PathValue("id")]
	if intent.str("status") != "requires_capture" {
		return stripeError(400, "invalid_request_error", "payment_intent_unexpected_state")
	}
	amount := intent.num("amount")
	if text := form.Get("amount_to_capture"); text != "" {
		amount, _ = strconv.ParseInt(text, 10, 64)
	}
	if amount < 1 || amount > intent.num("amount") {
		return stripeError(400, "invalid_request_error", "amount_too_large")
	}
	intent["status"], intent["amount_received"], intent["amount_capturable"] = "succeeded", amount, int64(0)
	f.emit("payment_intent.succeeded", intent)
	return 200, intent
}

func (f *fakeStripe) cancel(r *http.Request, _ url.Values) (int, any) {
	intent := f.intents[r.PathValue("id")]
	if intent.str("status") != "requires_capture" {
		return stripeError(400, "invalid_request_error", "payment_intent_unexpected_state")
	}
	intent["status"], intent["canceled_at"] = "canceled", f.now().Unix()
	f.emit("payment_intent.canceled", intent)
	return 200, intent
}

func (f *fakeStripe) refund(_ *http.Request, form url.Values) (int, any) {
	intent := f.intents[form.Get("payment_intent")]
	left := intent.num("amount_received")
	for _, r := range f.refunds {
		if r.str("payment_intent") == intent.str("id") {
			left -= r.num("amount")
		}
	}
	amount := left
	if text := form.Get("amount"); text != "" {
		amount, _ = strconv.ParseInt(text, 10, 64)
	}
	if left == 0 {
		return stripeError(400, "invalid_request_error", "charge_already_refunded")
	}
	if amount < 1 || amount > left {
		return stripeError(400, "invalid_request_error", "amount_too_large")
	}
	r := object{
		"id": f.id("re"), "object": "refund", "amount": amount, "currency": intent["currency"], "status": "succeeded",
		"payment_intent": intent.str("id"), "metadata": metadata(form, "metadata["), "created": f.now().Unix(),
	}
	f.refunds = append(f.refunds, r)
	f.emit("refund.created", r)
	return 200, r
}

// refundHere is somebody in Stripe's dashboard: the refund has no metadata.
func (f *fakeStripe) refundHere(reference string, amount int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	form := url.Values{"payment_intent": {f.sessions[reference].str("payment_intent")}, "amount": {strconv.FormatInt(amount, 10)}}
	if status, answer := f.refund(nil, form); status != 200 {
		panic(fmt.Sprint(answer))
	}
}

func (f *fakeStripe) listRefunds(r *http.Request, _ url.Values) (int, any) {
	data := []object{}
	for _, one := range slices.Backward(f.refunds) { // newest first
		if one.str("payment_intent") == r.URL.Query().Get("payment_intent") {
			data = append(data, one)
		}
	}
	return 200, object{"object": "list", "url": "/v1/refunds", "has_more": false, "data": data}
}

// pay is the shopper on Stripe's page.
func (f *fakeStripe) pay(reference string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sessions[reference]
	charge := object{"id": f.id("ch"), "object": "charge", "disputed": false, "created": f.now().Unix()}
	intent := object{
		"id": f.id("pi"), "object": "payment_intent", "amount": s.num("amount_total"), "currency": s["currency"],
		"amount_received": s.num("amount_total"), "amount_capturable": int64(0), "status": "succeeded",
		"metadata": s["_intent_metadata"], "latest_charge": charge.str("id"), "created": f.now().Unix(),
	}
	s["status"], s["payment_status"], s["payment_intent"] = "complete", "paid", intent.str("id")
	if s.str("_capture_method") == "manual" {
		intent["status"], intent["amount_received"], intent["amount_capturable"] = "requires_capture", int64(0), s.num("amount_total")
		s["payment_status"] = "unpaid"
	}
	f.charges[charge.str("id")], f.intents[intent.str("id")] = charge, intent
	f.emit("checkout.session.completed", s)
}

// change edits what stands behind a session.
func (f *fakeStripe) change(reference string, fn func(session, intent, charge object)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sessions[reference]
	intent := f.intents[s.str("payment_intent")]
	fn(s, intent, f.charges[intent.str("latest_charge")])
}

func (f *fakeStripe) emit(kind string, about object) {
	f.n++
	f.events <- event(fmt.Sprintf("evt_test_%d", f.n), kind, f.now(), secretA, about)
}

// event is a signed webhook, signed by stripe-go's own helper for tests.
func event(id, kind string, at time.Time, secret string, about any) signedEvent {
	body, err := json.Marshal(object{
		"id": id, "object": "event", "type": kind, "api_version": stripe.APIVersion, "created": at.Unix(),
		"livemode": false, "data": object{"object": about},
	})
	if err != nil {
		panic(err)
	}
	return signed(body, at, secret)
}

func signed(body []byte, at time.Time, secret string) signedEvent {
	s := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: at})
	return signedEvent{http.Header{"Stripe-Signature": {s.Header}}, body}
}
