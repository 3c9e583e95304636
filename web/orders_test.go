package web_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tracker/orders"
)

func TestOrders_from_create_to_cancel(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		created := s.createOrder()
		id := created["id"].(string)
		if created["status"] != "pending_payment" || created["amount"] != float64(4198) || created["sequence"] != float64(1) {
			t.Errorf("created %v", created)
		}
		if url := created["tracking_url"].(string); url != "http://shop.test/track/"+id+"?access_token="+created["tracking_token"].(string) {
			t.Errorf("tracking url %q", url)
		}
		got := s.do(http.MethodGet, "/v1/orders/"+id, "", nil)
		if timeline := got.json(t)["timeline"].([]any); len(timeline) != 1 || got.Header.Get("ETag") != `"1"` {
			t.Errorf("timeline %v, etag %q", timeline, got.Header.Get("ETag"))
		}
		if again := s.do(http.MethodGet, "/v1/orders/"+id, "", header{"If-None-Match": `"1"`}); again.StatusCode != http.StatusNotModified {
			t.Errorf("unchanged order: %d", again.StatusCode)
		}
		cancelled := s.do(http.MethodPost, "/v1/orders/"+id+"/cancel", `{"reason":"sold out"}`, nil)
		if v := cancelled.json(t); cancelled.StatusCode != http.StatusOK || v["status"] != "cancelled" || v["cancel_reason"] != "sold out" {
			t.Errorf("cancelled: %d %s", cancelled.StatusCode, cancelled.body)
		}
	})
}

func TestOrders_list_is_paged_and_filtered(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		var ids []string
		for range 3 {
			ids = append(ids, s.createOrder()["id"].(string))
		}
		s.do(http.MethodPost, "/v1/orders/"+ids[0]+"/cancel", "", header{"Content-Type": ""})
		page := s.do(http.MethodGet, "/v1/orders?limit=2&status=pending_payment,confirmed", "", nil).json(t)
		if data := page["data"].([]any); len(data) != 2 || page["has_more"] != false {
			t.Fatalf("page %v", page)
		}
		first := s.do(http.MethodGet, "/v1/orders?limit=1", "", nil).json(t)
		id := first["data"].([]any)[0].(map[string]any)["id"].(string)
		if first["has_more"] != true || id != ids[2] {
			t.Fatalf("newest first: %v", first)
		}
		next := s.do(http.MethodGet, "/v1/orders?limit=1&starting_after="+id, "", nil).json(t)
		if got := next["data"].([]any)[0].(map[string]any)["id"]; got != ids[1] {
			t.Errorf("next page has %v, want %s", got, ids[1])
		}
		if mine := s.do(http.MethodGet, "/v1/orders", "", header{"Authorization": "Bearer " + s.other}).json(t); len(mine["data"].([]any)) != 0 {
			t.Errorf("another merchant sees %v", mine)
		}
	})
}

func TestOrders_ship_and_deliver(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	id := s.createOrder()["id"].(string)
	s.pay(id)
	res := s.do(http.MethodPost, "/v1/orders/"+id+"/shipments", `{"carrier":"DHL","tracking_number":"0034"}`, nil)
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("ship: %d %s", res.StatusCode, res.body)
	}
	shipment := res.json(t)["id"].(string)
	path := "/v1/shipments/" + shipment + "/events"
	res = s.do(http.MethodPost, path, `{"status":"delivered","location":"Leipzig","occurred_at":"`+time.Now().UTC().Format(time.RFC3339)+`"}`, nil)
	if v := res.json(t); v["status"] != "delivered" || v["order"].(map[string]any)["status"] != "completed" {
		t.Fatalf("deliver: %d %s", res.StatusCode, res.body)
	}
	over := s.do(http.MethodPost, "/v1/orders/"+id+"/shipments", `{"carrier":"DHL","tracking_number":"2","items":[{"sku":"mug","quantity":1}]}`, nil)
	if over.StatusCode != http.StatusConflict {
		t.Errorf("shipping more than ordered: %d %s", over.StatusCode, over.body)
	}
}

// What the carrier wrote may name people: its merchant reads it, nobody else.
func TestOrders_the_carriers_words_are_the_merchants(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	created := s.createOrder()
	path := "/v1/orders/" + created["id"].(string)
	s.pay(created["id"].(string))
	parcel := s.do(http.MethodPost, path+"/shipments", `{"carrier":"DHL","tracking_number":"0034"}`, nil).json(t)["id"].(string)
	const words = "left with Ms Example"
	told := s.do(http.MethodPost, "/v1/shipments/"+parcel+"/events", `{"status":"in_transit","description":"`+words+`"}`, nil)
	if told.StatusCode != http.StatusCreated || !strings.Contains(string(told.body), words) {
		t.Errorf("the answer to the report: %d %s", told.StatusCode, told.body)
	}
	shopper := header{"Authorization": "Bearer " + created["tracking_token"].(string)}
	for _, tt := range []struct {
		path string
		who  header
		sees bool
	}{
		{path, nil, true},
		{"/v1/orders", nil, true},
		{path, shopper, false},
		{path + "/events?after=0", shopper, false},
		{path + "/events?after=0", nil, false},
	} {
		res := s.do(http.MethodGet, tt.path, "", tt.who)
		if res.StatusCode != http.StatusOK || strings.Contains(string(res.body), words) != tt.sees {
			t.Errorf("%s as %v: %d %s", tt.path, tt.who, res.StatusCode, res.body)
		}
	}
}

func TestOrders_hold_and_release(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	id := s.createOrder()["id"].(string)
	s.pay(id)
	if res := s.do(http.MethodPost, "/v1/orders/"+id+"/hold", "{}", nil); res.StatusCode != http.StatusOK || res.json(t)["on_hold"] != true {
		t.Fatalf("hold: %d %s", res.StatusCode, res.body)
	}
	res := s.do(http.MethodPost, "/v1/orders/"+id+"/shipments", `{"carrier":"DHL","tracking_number":"0034"}`, nil)
	wantProblem(t, res, http.StatusConflict, "on_hold")
	if res := s.do(http.MethodPost, "/v1/orders/"+id+"/release", "", nil); res.StatusCode != http.StatusOK || res.json(t)["on_hold"] != false {
		t.Fatalf("release: %d %s", res.StatusCode, res.body)
	}
}

func TestOrders_if_match(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for _, change := range []string{"cancel", "hold", "token"} {
		path := "/v1/orders/" + s.createOrder()["id"].(string) + "/" + change
		p := wantProblem(t, s.do(http.MethodPost, path, "{}", header{"If-Match": `"9"`}), http.StatusConflict, "sequence_mismatch")
		if current := p["current"].(map[string]any); current["status"] != "pending_payment" || current["sequence"] != float64(1) {
			t.Errorf("current %v", current)
		}
		wantProblem(t, s.do(http.MethodPost, path, "{}", header{"If-Match": "seven"}), http.StatusBadRequest, "invalid_parameter", "If-Match")
		if res := s.do(http.MethodPost, path, "{}", header{"If-Match": `"1"`}); res.StatusCode != http.StatusOK && change != "hold" {
			t.Errorf("%s with the present sequence: %d %s", change, res.StatusCode, res.body)
		}
	}
}

func TestOrders_a_rotated_token_revokes_the_earlier_ones(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()
	id, old := order["id"].(string), order["tracking_token"].(string)
	as := func(token string) response {
		return s.do(http.MethodGet, "/v1/orders/"+id, "", header{"Authorization": "Bearer " + token})
	}
	if res := as(old); res.StatusCode != http.StatusOK || strings.Contains(string(res.body), "metadata") || strings.Contains(string(res.body), "tracking_token") {
		t.Fatalf("a shopper sees %d %s", res.StatusCode, res.body)
	}
	fresh := s.do(http.MethodPost, "/v1/orders/"+id+"/token", "", nil).json(t)["tracking_token"].(string)
	wantProblem(t, as(old), http.StatusUnauthorized, "unauthorized")
	if res := as(fresh); res.StatusCode != http.StatusOK {
		t.Errorf("the new token: %d %s", res.StatusCode, res.body)
	}
}

func TestOrders_expires_in(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for text, want := range map[string]time.Duration{`90`: 90 * time.Second, `1.5`: 1500 * time.Millisecond, `"2h"`: 2 * time.Hour} {
		body := strings.Replace(mugs, `{"reference"`, `{"expires_in":`+text+`,"reference"`, 1)
		v := s.do(http.MethodPost, "/v1/orders", body, nil).json(t)
		created, payBy := must(time.Parse(time.RFC3339, v["created_at"].(string))), must(time.Parse(time.RFC3339, v["pay_by"].(string)))
		if got := payBy.Sub(created); got != want {
			t.Errorf("expires_in %s gives %s", text, got)
		}
	}
	for _, text := range []string{`0`, `-5`, `"soon"`, `true`, `1e400`, `{}`} {
		body := strings.Replace(mugs, `{"reference"`, `{"expires_in":`+text+`,"reference"`, 1)
		wantProblem(t, s.do(http.MethodPost, "/v1/orders", body, nil), http.StatusUnprocessableEntity, "invalid_request", "/expires_in")
	}
}

// Two hundred copies of one request, over two processes with nothing in common
// but the database, make one order.
func TestOrders_two_hundred_copies_make_one_order(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		urls := []string{s.url, s.serve()}
		var mu sync.Mutex
		ids, counts := map[string]bool{}, map[int]int{}
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				res := s.do(http.MethodPost, urls[i%2]+"/v1/orders", mugs, header{"Idempotency-Key": "same"})
				mu.Lock()
				defer mu.Unlock()
				counts[res.StatusCode]++
				if res.StatusCode == http.StatusCreated {
					ids[res.json(t)["id"].(string)] = true
				} else if res.Header.Get("Retry-After") == "" {
					t.Errorf("%d without Retry-After: %s", res.StatusCode, res.body)
				}
			})
		}
		all.Wait()
		if len(ids) != 1 || counts[http.StatusCreated]+counts[http.StatusConflict] != 200 {
			t.Errorf("ids %v, statuses %v", ids, counts)
		}
		page, err := s.orders.List(t.Context(), s.merchant.ID, orders.Filter{Limit: 100})
		if err != nil || len(page.Orders) != 1 {
			t.Errorf("%d orders, %v", len(page.Orders), err)
		}
	})
}

func TestOrders_idempotency(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		key := header{"Idempotency-Key": "k-1"}
		first := s.do(http.MethodPost, "/v1/orders", mugs, key)
		again := s.do(http.MethodPost, s.serve()+"/v1/orders", mugs, key)
		if first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("replayed: %q then %q", first.Header.Get("Idempotency-Replayed"), again.Header.Get("Idempotency-Replayed"))
		}
		if string(first.body) != string(again.body) || again.StatusCode != http.StatusCreated || again.Header.Get("Location") != first.Header.Get("Location") {
			t.Errorf("first %s\nagain %d %s", first.body, again.StatusCode, again.body)
		}
		wantProblem(t, s.do(http.MethodPost, "/v1/orders", strings.Replace(mugs, "1042", "1043", 1), key), http.StatusUnprocessableEntity, "idempotency_key_reused")
		id := first.json(t)["id"].(string)
		wantProblem(t, s.do(http.MethodPost, "/v1/orders/"+id+"/cancel", "{}", key), http.StatusUnprocessableEntity, "idempotency_key_reused")
		if res := s.do(http.MethodPost, "/v1/orders", mugs, header{"Idempotency-Key": "k-1", "Authorization": "Bearer " + s.other}); res.StatusCode != http.StatusCreated || res.json(t)["id"] == id {
			t.Errorf("another merchant's key: %d %s", res.StatusCode, res.body)
		}
		wantProblem(t, s.do(http.MethodPost, "/v1/orders", mugs, header{"Idempotency-Key": strings.Repeat("x", 256)}), http.StatusBadRequest, "invalid_parameter", "Idempotency-Key")
	})
}

func TestOrders_an_error_leaves_the_key_free(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	key := header{"Idempotency-Key": "k-2"}
	wantProblem(t, s.do(http.MethodPost, "/v1/orders", strings.Replace(mugs, "EUR", "XXQ", 1), key), http.StatusUnprocessableEntity, "invalid_request", "/currency")
	if res := s.do(http.MethodPost, "/v1/orders", mugs, key); res.StatusCode != http.StatusCreated {
		t.Errorf("mended request: %d %s", res.StatusCode, res.body)
	}
}

// pay makes the order confirmed, as a payment's event would.
func (s *stack) pay(id string) {
	s.t.Helper()
	if err := s.orders.OnPayment(s.t.Context(), paidEvent(s.t, s.merchant.ID, id, 4198)); err != nil {
		s.t.Fatal(err)
	}
	if o := must(s.orders.Get(s.t.Context(), s.merchant.ID, id)); o.Status != orders.StatusConfirmed {
		s.t.Fatalf("order is %s after its payment", o.Status)
	}
}
