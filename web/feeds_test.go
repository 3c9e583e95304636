package web_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"tracker/orders"
)

func sampleOrder() orders.NewOrder {
	return orders.NewOrder{Reference: "1042", Currency: "EUR", Items: []orders.Item{{SKU: "mug", Name: "Mug", Quantity: 2, UnitAmount: 2099}}}
}

func TestFeeds_by_every_credential(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order, second := s.createOrder(), s.createOrder()
	id, token := order["id"].(string), order["tracking_token"].(string)
	both := "trk_" + second["id"].(string) + "=" + second["tracking_token"].(string) + "; trk_" + id + "=" + token
	for name, h := range map[string]header{
		"key": nil, "token": {"Authorization": "Bearer " + token}, "cookie": {"Authorization": "", "Cookie": both},
		"websocket_protocol": {"Authorization": "", "Sec-WebSocket-Protocol": "tracker.v1, token." + token},
	} {
		res := s.do(http.MethodGet, "/v1/orders/"+id+"/events?after=0", "", h)
		if v := res.json(t); res.StatusCode != http.StatusOK || v["cursor"] != float64(1) || len(v["events"].([]any)) != 1 {
			t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
		}
	}
	if res := s.do(http.MethodGet, "/v1/orders/"+id+"/events?after=0&access_token="+token, "", header{"Authorization": ""}); res.StatusCode != http.StatusOK {
		t.Errorf("query: %d %s", res.StatusCode, res.body)
	}
	// A token in a cookie of another order's name opens nothing.
	swapped := "trk_" + second["id"].(string) + "=" + token
	wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+id+"/events", "", header{"Authorization": "", "Cookie": swapped}), http.StatusUnauthorized, "unauthorized")
}

func TestFeeds_stream(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	id := s.createOrder()["id"].(string)
	res, lines := s.stream("/v1/orders/" + id + "/events?after=0")
	if res.Header.Get("X-Accel-Buffering") != "no" || !strings.Contains(res.Header.Get("Cache-Control"), "no-transform") {
		t.Errorf("headers %v", res.Header)
	}
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: {") && strings.Contains(lines.Text(), id) {
			return
		}
	}
	t.Errorf("the stream ended without the event: %v", lines.Err())
}

func TestFeeds_firehose(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	if _, lines := s.stream("/v1/events"); !lines.Scan() {
		t.Errorf("nothing at all came: %v", lines.Err())
	}
}

// stream opens a stream of events and ends it with the test.
func (s *stack) stream(path string) (*http.Response, *bufio.Scanner) {
	s.t.Helper()
	r := s.request(http.MethodGet, path, nil, header{"Accept": "text/event-stream"})
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = res.Body.Close() }) // it never ends by itself
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	checkContract(s.t, r, res, nil)
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return res, lines
}

func TestFeeds_of_a_payment(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order, second := s.createOrder(), s.createOrder()
	event := paidEvent(t, s.merchant.ID, order["id"].(string), 4198)
	s.events.Store(event.Key(), event)
	cookies := "trk_" + second["id"].(string) + "=" + second["tracking_token"].(string) + "; trk_" + order["id"].(string) + "=" + order["tracking_token"].(string)
	for _, h := range []header{nil, {"Authorization": "Bearer " + order["tracking_token"].(string)}, {"Authorization": "", "Cookie": cookies}} {
		if v := s.do(http.MethodGet, "/v1/payments/"+event.Subject+"/events?after=0", "", h).json(t); v["cursor"] != float64(1) {
			t.Errorf("events: %v", v)
		}
		if v := s.do(http.MethodGet, "/v1/payments/"+event.Subject+"/status", "", h).json(t); v["status"] != "captured" {
			t.Errorf("status: %v", v)
		}
	}
	stranger := header{"Authorization": "Bearer " + second["tracking_token"].(string)}
	wantProblem(t, s.do(http.MethodGet, "/v1/payments/"+event.Subject+"/events", "", stranger), http.StatusNotFound, "not_found")
}

func TestFeeds_status_and_firehose_belong_to_the_merchant(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()
	status := s.do(http.MethodGet, "/v1/orders/"+order["id"].(string)+"/status", "", nil)
	if v := status.json(t); v["status"] != "pending_payment" || v["sequence"] != float64(1) || status.Header.Get("ETag") != `"1"` {
		t.Errorf("status: %s", status.body)
	}
	token := header{"Authorization": "Bearer " + order["tracking_token"].(string)}
	wantProblem(t, s.do(http.MethodGet, "/v1/events", "", token), http.StatusForbidden, "forbidden")
	payment := "/v1/payments/pay_01jd9zq9w2c4f6h8k0m2p4r6t8"
	for _, path := range []string{"/events", "/status"} {
		wantProblem(t, s.do(http.MethodGet, payment+path, "", nil), http.StatusNotFound, "not_found")
		wantProblem(t, s.do(http.MethodGet, payment+path, "", token), http.StatusNotFound, "not_found")
	}
}

func TestFeeds_a_rotated_token_is_revoked(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()
	path := "/v1/orders/" + order["id"].(string)
	s.do(http.MethodPost, path+"/token", "", nil)
	for _, end := range []string{"/events?after=0", "/status"} {
		wantProblem(t, s.do(http.MethodGet, path+end, "", header{"Authorization": "Bearer " + order["tracking_token"].(string)}), http.StatusUnauthorized, "unauthorized")
	}
}
