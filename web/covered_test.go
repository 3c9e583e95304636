package web_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"tracker/payments"
	"tracker/web"
)

// What a client is told when it has everything already: nothing, by a status
// that says why.
func TestFeeds_answers_without_a_body(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	open, closed := s.createOrder()["id"].(string), s.createOrder()["id"].(string)
	s.do(http.MethodPost, "/v1/orders/"+closed+"/cancel", "{}", nil)
	payment := paidEvent(t, s.merchant.ID, open, 4198)
	s.events.Store(payment.Key(), payment)
	ended := paidEvent(t, s.merchant.ID, open, 4198)
	ended.Closed = true
	s.events.Store(ended.Key(), ended)
	s.payments.GetFunc = func(_ context.Context, merchant, id string) (payments.Payment, error) {
		p := samplePayment(merchant, open, payments.StatusRequiresAction)
		p.ID = id
		return p, nil
	}
	for _, tt := range []struct {
		path   string
		h      header
		status int
	}{
		{"/v1/orders/" + open + "/events?after=1", header{"If-None-Match": `"1"`}, http.StatusNotModified},
		{"/v1/orders/" + open + "/status", header{"If-None-Match": `"1"`}, http.StatusNotModified},
		{"/v1/orders/" + closed + "/events?after=2", header{"Accept": "text/event-stream"}, http.StatusNoContent},
		{"/v1/payments/" + payment.Subject + "/events?after=1", header{"If-None-Match": `"1"`}, http.StatusNotModified},
		{"/v1/payments/" + payment.Subject + "/status", header{"If-None-Match": `W/"1"`}, http.StatusNotModified},
		{"/v1/payments/" + ended.Subject + "/events", header{"Accept": "text/event-stream", "Last-Event-ID": "1"}, http.StatusNoContent},
	} {
		if res := s.do(http.MethodGet, tt.path, "", tt.h); res.StatusCode != tt.status || len(res.body) != 0 {
			t.Errorf("%s %v: %d %q", tt.path, tt.h, res.StatusCode, res.body)
		}
	}
}

func TestFeeds_upgrade(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()["id"].(string)
	payment := paidEvent(t, s.merchant.ID, order, 4198)
	s.events.Store(payment.Key(), payment)
	for _, path := range []string{"/v1/orders/" + order, "/v1/payments/" + payment.Subject} {
		r := s.request(http.MethodGet, path+"/events?after=0", nil, header{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "tracker.v1",
		})
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		checkContract(t, r, res, nil)
		if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Protocol") != "tracker.v1" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}
}

func TestDescriptions_are_served_to_anybody_within_limits(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t, still, func(d *web.Deps) { d.Limits = web.Limits{Reads: 2} })
	for path, want := range map[string][]byte{"/openapi.json": web.OpenAPI(), "/asyncapi.json": web.AsyncAPI()} {
		res := s.do(http.MethodGet, path, "", header{"Authorization": ""})
		if res.StatusCode != http.StatusOK || string(res.body) != string(want) || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}
	for _, path := range []string{"/openapi.json", "/asyncapi.json"} {
		wantProblem(t, s.do(http.MethodGet, path, "", header{"Authorization": ""}), http.StatusTooManyRequests, "rate_limited")
	}
}

// Whatever an operation takes, it does not take parameters that it does not have:
// a wish that is misspelt must not be passed over in silence.
func TestBadInput_unknown_parameters_of_every_operation(t *testing.T) {
	t.Parallel()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	s := sqliteStack(t)
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if len(*op.Security) == 0 || op.Tags[0] == "Feeds" { // a feed is read by anything, with whatever it adds
				continue
			}
			res := s.do(method, fill(path)+"?dry_run=true", "{}", nil)
			if code := res.json(t)["code"]; res.StatusCode != http.StatusBadRequest || code != "invalid_parameter" {
				t.Errorf("%s %s: %d %s", method, path, res.StatusCode, res.body)
			}
		}
	}
	if list := must(s.keys.List(t.Context(), s.merchant.ID)); len(list) != 1 || list[0].RevokedAt != (time.Time{}) {
		t.Errorf("the keys changed: %+v", list)
	}
}
