package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/payments"
)

// logIn exchanges the key for a session.
func (k *kit) logIn() *http.Cookie {
	k.t.Helper()
	w := k.post("/console/login", url.Values{"key": {"sk_test_demo"}}.Encode())
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		k.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

// knows makes the API know an order with one captured payment.
func (k *kit) knows() orderView {
	k.t.Helper()
	st := newState(paid)
	o := orderView{Summary: st.Order, WaitsFor: "merchant", Task: "ship", Shipping: true, Timeline: st.Timeline, TrackingURL: "http://tracker.test/track/x"}
	o.ID = eventwire.NewID(eventwire.PrefixOrder, goldenNow)
	o.Payments[0].ID = "pay_1"
	o.Shipments = []orders.ShipmentSummary{{ID: "shp_1", Carrier: "DHL", Status: orders.ShipmentInTransit}}
	p := paymentView{Summary: st.Payments["pay_1"].Payment, Timeline: st.Payments["pay_1"].Timeline}
	p.ID, p.Sequence, p.Status = "pay_1", 3, payments.StatusCaptured
	for path, v := range map[string]any{"/v1/orders/" + o.ID: o, "/v1/payments/pay_1": p, "/v1/orders": listView[orderView]{Data: []orderView{o}},
		"/v1/webhook_endpoints": listView[int]{}} {
		raw, err := json.Marshal(v)
		if err != nil {
			k.t.Fatal(err)
		}
		k.api.answers["GET "+path] = kitAnswer{200, string(raw)}
	}
	return o
}

func TestConsole_login(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	if w := k.get("/console/orders/ord_1"); w.Code != http.StatusUnauthorized {
		t.Errorf("%d", w.Code)
	}
	w := k.post("/console/login", "key=sk_test_wrong")
	if w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d", w.Code)
	}
	wantIn(t, w.Body.String(), `data-state="login_failed"`, "This key is not known, or it was revoked.")
	if strings.Contains(w.Body.String(), "sk_test_wrong") {
		t.Error("what was typed stands in the page")
	}
	c := k.logIn()
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, "sk_") {
		t.Errorf("%+v", c)
	}
	for _, next := range []string{"https://evil.test/console", "//evil.test/console", `/console\evil`, "/console/login", "javascript:1"} {
		w := k.post("/console/login", url.Values{"key": {"sk_test_demo"}, "next": {next}}.Encode())
		if got := w.Header().Get("Location"); got != "/console" {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}

func TestConsole_list(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) {
		d.Pages.Counters = func(context.Context) (Counters, error) {
			return Counters{Open: 4, Overdue: 2, Watching: map[string]int64{"sse": 3}}, nil
		}
	})
	o, c := k.knows(), k.logIn()
	body := k.get("/console?view=ship&q=10", c).Body.String()
	wantIn(t, body, `data-state="live"`, o.ID, "EUR 41.98", "you: ship", `class="small what">confirmed`, `class="num pill bad"`, `value="10"`, `aria-current="page">To ship`)
	if got := k.api.calls[len(k.api.calls)-1].URL.Query(); got.Get("task") != "ship" || got.Get("q") != "10" {
		t.Errorf("asked %v", got)
	}
	k.api.answers["GET /v1/orders"] = kitAnswer{200, `{"data":[],"has_more":false}`}
	wantIn(t, k.get("/console", c).Body.String(), `data-state="empty"`)
	wantIn(t, k.get("/console/rows/"+o.ID, c).Body.String(), `<tr data-id="`+o.ID, `<li data-id="`+o.ID)
	if w := k.get("/console/rows/" + o.ID); w.Code != http.StatusUnauthorized {
		t.Errorf("a row without a session: %d", w.Code)
	}
}

func TestConsole_search_finds_what_the_provider_calls_it(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o, c := k.knows(), k.logIn()
	k.api.answers["GET /v1/orders"] = kitAnswer{200, `{"data":[],"has_more":false}`}
	k.api.answers["GET /v1/payments"] = kitAnswer{200, `{"data":[{"id":"pay_1","order_id":"` + o.ID + `"}],"has_more":false}`}
	k.api.calls = nil
	k.get("/console?view=ship&q=sess_8Kf2", c)
	var asked []string
	for _, r := range k.api.calls {
		asked = append(asked, r.URL.RequestURI())
	}
	want := []string{"/v1/orders?limit=50&q=sess_8Kf2&task=ship", "/v1/payments?reference=sess_8Kf2", "/v1/orders?limit=50&q=" + o.ID + "&task=ship"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestConsole_order_shows_its_chain(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o, c := k.knows(), k.logIn()
	wantIn(t, k.get("/console/orders/"+o.ID, c).Body.String(), "Waits for you: ship.", "order.payment_changed", "order.confirmed", "Refund", "Add carrier event")
	o.Timeline = append(o.Timeline[:1], o.Timeline[2:]...)
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	k.api.answers["GET /v1/orders/"+o.ID] = kitAnswer{200, string(raw)}
	wantIn(t, k.get("/console/orders/"+o.ID, c).Body.String(), `class="gap"`)
}

func TestConsole_order_shows_what_the_carrier_wrote(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o, c := k.knows(), k.logIn()
	theirs := o.UpdatedAt.Add(-time.Minute)
	o.Shipments[0].Events = []orders.ScanSummary{{Status: orders.ShipmentInTransit, OccurredAt: theirs, RecordedAt: o.UpdatedAt, Description: "left <b>with</b> Ms Example"}}
	o.Timeline = append(o.Timeline, eventwire.Transition{Seq: int64(len(o.Timeline) + 1), Type: orders.TypeShipmentChanged, From: "label_created", To: "in_transit",
		At: o.UpdatedAt, TheirTime: &theirs, Subject: o.Shipments[0].ID})
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	k.api.answers["GET /v1/orders/"+o.ID] = kitAnswer{200, string(raw)}
	body := k.get("/console/orders/"+o.ID, c).Body.String()
	if n := strings.Count(body, "left &lt;b&gt;with&lt;/b&gt; Ms Example</q>"); n != 2 {
		t.Errorf("at the parcel and in the chain, not %d times:\n%s", n, body)
	}
}

func TestConsole_actions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page, says, form, call, match string
		body                          map[string]any
	}{
		"cancel": {"cancel", "was captured and is refunded in full.", "reason=out+of+stock", "POST /v1/orders/ID/cancel", `"3"`, map[string]any{"reason": "out of stock"}},
		"hold":   {"hold", "Nothing can be shipped until you release it.", "", "POST /v1/orders/ID/hold", `"3"`, map[string]any{}},
		"ship": {"ship", "The shopper sees carrier and number at once.", "carrier=DHL&tracking_number=1&qty_mug=2&qty_plate=0", "POST /v1/orders/ID/shipments", `"3"`,
			map[string]any{"carrier": "DHL", "tracking_number": "1", "items": []any{map[string]any{"sku": "mug", "quantity": float64(2)}}}},
		"event": {"event?shipment=shp_1", "An older event does not move the headline.", "status=delayed&occurred_at=2026-11-23T10:00", "POST /v1/shipments/shp_1/events", `"3"`,
			map[string]any{"status": "delayed", "occurred_at": "2026-11-23T10:00:00Z"}},
		"refund":  {"refund?payment=pay_1", "it cannot be called back.", "amount=10.00&reason=chipped", "POST /v1/refunds", "", map[string]any{"payment_id": "pay_1", "amount": float64(1000), "reason": "chipped"}},
		"capture": {"capture?payment=pay_1", "What you leave stays reserved", "amount=41.98", "POST /v1/payments/pay_1/capture", `"3"`, map[string]any{"amount": float64(4198)}},
		"return":  {"return?payment=pay_1", "The money goes back", "", "POST /v1/payments/pay_1/review", `"3"`, map[string]any{"decision": "return"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			o, session := k.knows(), k.logIn()
			path := "/console/orders/" + o.ID + "/" + c.page
			page := k.get(path, session).Body.String()
			wantIn(t, page, `data-state="confirm"`, c.says, "Keep as it is")
			form := hiddenFields(page)
			for k, v := range must1(url.ParseQuery(c.form)) {
				form[k] = v
			}
			call := strings.Replace(c.call, "ID", o.ID, 1)
			k.api.answers[call] = kitAnswer{200, `{}`}
			before := len(k.api.calls)
			action, _, _ := strings.Cut(path, "?")
			if w := k.post(action, form.Encode(), session); w.Code != http.StatusSeeOther {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			r := k.api.calls[before]
			if got := r.Method + " " + r.URL.Path; got != call {
				t.Errorf("called %s", got)
			}
			if r.Header.Get("If-Match") != c.match || !strings.HasPrefix(r.Header.Get("Idempotency-Key"), "form_") {
				t.Errorf("If-Match %q, key %q", r.Header.Get("If-Match"), r.Header.Get("Idempotency-Key"))
			}
			want, err := json.Marshal(c.body)
			if err != nil || k.api.bodies[before] != string(want) {
				t.Errorf("sent %s, want %s", k.api.bodies[before], want)
			}
		})
	}
}

func must1(v url.Values, _ error) url.Values { return v }

func hiddenFields(page string) url.Values {
	form := url.Values{}
	for _, m := range regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

func TestConsole_conflict_does_nothing_and_says_so(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o, session := k.knows(), k.logIn()
	k.api.answers["POST /v1/orders/"+o.ID+"/cancel"] = kitAnswer{409, `{"code":"sequence_mismatch","title":"It has changed meanwhile","status":409}`}
	w := k.post("/console/orders/"+o.ID+"/cancel", "key=1&sequence=2&reason=typed", session)
	if w.Code != http.StatusConflict {
		t.Errorf("%d", w.Code)
	}
	wantIn(t, w.Body.String(), `data-state="conflict"`, "Nothing was done.", `value="typed"`)
	if w := k.post("/console/orders/"+o.ID+"/cancel", "key=1"); w.Code != http.StatusUnauthorized {
		t.Errorf("without a session: %d", w.Code)
	}
}

func TestConsole_webhooks(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.knows()
	session := k.logIn()
	k.api.answers["POST /v1/webhook_endpoints"] = kitAnswer{201, `{"id":"whe_1","url":"https://a.test","secret":"whsec_once"}`}
	wantIn(t, k.post("/console/webhooks", "do=create&key=1&url=https://a.test&events=order.*", session).Body.String(), "whsec_once")
	k.api.answers["POST /v1/webhook_endpoints/whe_1/rotate_secret"] = kitAnswer{200, `{"id":"whe_1","url":"https://a.test","secret":"whsec_new","previous_secret_until":"2026-11-24T12:00:00Z"}`}
	wantIn(t, k.post("/console/webhooks", "do=rotate&endpoint=whe_1&key=2", session).Body.String(), `data-state="rotated"`, "whsec_new", "signs too until 24 Nov 12:00 UTC")
	if body := k.get("/console/webhooks", session).Body.String(); strings.Contains(body, "whsec_") {
		t.Error("the secret is shown twice")
	}
	k.api.answers["POST /v1/webhook_endpoints"] = kitAnswer{422, `{"code":"invalid_request","title":"A field does not fit","status":422,"errors":[{"pointer":"/url","detail":"must be https"}]}`}
	wantIn(t, k.post("/console/webhooks", "do=create&key=1&url=x", session).Body.String(), `data-state="refused"`, "must be https")
}

func TestLab_is_sandbox_only(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	wantIn(t, k.get("/lab").Body.String(), `data-state="ready"`, "press the button", "WebSocket")
	if w := newKit(t, func(d *Deps) { d.Sandbox = false }).get("/lab"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	id, token := k.put(newState())
	k.api.answers["POST /v1/orders/"+id+"/hold"] = kitAnswer{200, `{"sequence":2}`}
	if w := k.post("/lab/change", "order="+id+"&n=0", k.cookie(id, token)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"sequence":2`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := k.post("/lab/change", "order="+id+"&n=0", k.cookie(id, token), k.logIn()); w.Code != http.StatusOK {
		t.Errorf("logged in to the console: %d", w.Code)
	}
	if w := k.post("/lab/change", "order="+id+"&n=0"); w.Code != http.StatusNotFound {
		t.Errorf("somebody else's order: %d", w.Code)
	}
}
