package web_test

import (
	"net/http"
	"strings"
	"testing"

	"tracker/notify/webhooks"
	"tracker/orders"
	"tracker/web"
	"tracker/web/apikeys"
)

func TestKeys_by_REST(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		res := s.do(http.MethodPost, "/v1/keys", `{"name":"Warehouse","scopes":["read"]}`, header{"Idempotency-Key": "key-1"})
		made := res.json(t)
		raw, _ := made["secret"].(string)
		if res.StatusCode != http.StatusCreated || !strings.HasPrefix(raw, "sk_test_") {
			t.Fatalf("create: %d %s", res.StatusCode, res.body)
		}
		as := header{"Authorization": "Bearer " + raw}
		if res := s.do(http.MethodGet, "/v1/orders", "", as); res.StatusCode != http.StatusOK {
			t.Errorf("the new key reads: %d %s", res.StatusCode, res.body)
		}
		wantProblem(t, s.do(http.MethodPost, "/v1/orders", mugs, as), http.StatusForbidden, "forbidden")
		list := s.do(http.MethodGet, "/v1/keys", "", nil)
		if data := list.json(t)["data"].([]any); len(data) != 2 || strings.Contains(string(list.body), raw) {
			t.Errorf("list: %s", list.body)
		}
		revoked := s.do(http.MethodDelete, "/v1/keys/"+made["id"].(string), "", nil)
		if revoked.StatusCode != http.StatusOK || revoked.json(t)["revoked_at"] == nil {
			t.Errorf("revoke: %d %s", revoked.StatusCode, revoked.body)
		}
		wantProblem(t, s.do(http.MethodGet, "/v1/orders", "", as), http.StatusUnauthorized, "unauthorized")
		wantProblem(t, s.do(http.MethodDelete, "/v1/keys/"+made["id"].(string), "", header{"Authorization": "Bearer " + s.other}), http.StatusNotFound, "not_found")
	})
}

// A key's secret is in the stored answer of its creation, so that is sealed.
func TestKeys_the_stored_answer_is_sealed(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	first := s.do(http.MethodPost, "/v1/keys", "", header{"Idempotency-Key": "key-2"})
	again := s.do(http.MethodPost, "/v1/keys", "", header{"Idempotency-Key": "key-2"})
	if first.json(t)["secret"] == "" || string(first.body) != string(again.body) {
		t.Errorf("first %s, again %s", first.body, again.body)
	}
	var stored struct{ Answer []byte }
	if err := s.db.Read(t.Context()).Raw("SELECT answer FROM idempotency_keys").Scan(&stored).Error; err != nil || len(stored.Answer) == 0 {
		t.Fatalf("stored %q, %v", stored.Answer, err)
	}
	if strings.Contains(string(stored.Answer), "sk_test_") || strings.Contains(string(stored.Answer), "secret") {
		t.Error("the database holds a key in the clear")
	}
}

// An answer that was sealed with a secret that is gone is a problem that says what
// to do, and nothing is done twice.
func TestKeys_a_stored_answer_of_a_retired_secret(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	key := header{"Idempotency-Key": "order-1"}
	if res := s.do(http.MethodPost, "/v1/orders", mugs, key); res.StatusCode != http.StatusCreated {
		t.Fatalf("create: %d %s", res.StatusCode, res.body)
	}
	after := s.serve(func(d *web.Deps) { d.Secrets = []string{"another secret, another house, 32"} })
	wantProblem(t, s.do(http.MethodPost, after+"/v1/orders", mugs, key), http.StatusConflict, "answer_unreadable")
	if page := must(s.orders.List(t.Context(), s.merchant.ID, orders.Filter{})); len(page.Orders) != 1 {
		t.Errorf("%d orders", len(page.Orders))
	}
}

func TestKeys_never_exceed_their_maker(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	narrow := header{"Authorization": "Bearer " + s.newKey(s.merchant.ID, apikeys.Read, apikeys.Write)}
	wantProblem(t, s.do(http.MethodPost, "/v1/keys", `{"scopes":["read","refunds"]}`, narrow), http.StatusUnprocessableEntity, "invalid_request", "/scopes/1")
	unknown := wantProblem(t, s.do(http.MethodPost, "/v1/keys", `{"scopes":["read","root"]}`, narrow), http.StatusUnprocessableEntity, "invalid_request", "/scopes/1")
	if field := unknown["errors"].([]any)[0].(map[string]any); field["code"] != "unknown_scope" {
		t.Errorf("an unknown scope is %v", field)
	}
	if scopes := s.do(http.MethodPost, "/v1/keys", ``, narrow).json(t)["scopes"].([]any); len(scopes) != 2 {
		t.Errorf("default scopes %v", scopes)
	}
	wantProblem(t, s.do(http.MethodPost, "/v1/keys", `{"name":"a\u0007b"}`, nil), http.StatusUnprocessableEntity, "invalid_request", "/name")
}

func TestKeys_live_and_test_never_meet(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	live := must(s.keys.CreateMerchant(t.Context(), "Kiln & Clay", apikeys.Live))
	key := s.newKey(live.ID)
	if !strings.HasPrefix(key, "sk_live_") {
		t.Fatalf("key of a live merchant is %s…", key[:8])
	}
	as := header{"Authorization": "Bearer " + key}
	wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+s.createOrder()["id"].(string), "", as), http.StatusNotFound, "not_found")
	if mode := s.do(http.MethodPost, "/v1/keys", "", as).json(t)["mode"]; mode != "live" {
		t.Errorf("a live key makes a %v key", mode)
	}
}

func TestMerchant_settings(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		res := s.do(http.MethodPatch, "/v1/merchant", `{"name":"Kiln","help_url":"https://kiln.example/help","refund_days":7}`, nil)
		if v := res.json(t); res.StatusCode != http.StatusOK || v["name"] != "Kiln" || v["refund_days"] != float64(7) || v["mode"] != "test" {
			t.Fatalf("change: %d %s", res.StatusCode, res.body)
		}
		if v := s.do(http.MethodGet, "/v1/merchant", "", nil).json(t); v["help_url"] != "https://kiln.example/help" {
			t.Errorf("read back %v", v)
		}
		if shop := s.createOrder()["shop"].(map[string]any); shop["name"] != "Kiln" || shop["help_url"] != "https://kiln.example/help" {
			t.Errorf("a new order has %v", shop)
		}
		for field, value := range map[string]string{"name": `""`, "help_url": `"javascript:alert(1)"`, "shop_url": `"ftp://kiln.example"`, "refund_days": `0`} {
			wantProblem(t, s.do(http.MethodPatch, "/v1/merchant", `{"`+field+`":`+value+`}`, nil), http.StatusUnprocessableEntity, "invalid_request", "/"+field)
		}
	})
}

func TestWebhooks_by_REST(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	now := s.merchant.CreatedAt
	s.webhooks.endpoint = webhooks.Endpoint{ID: "whe_1", Merchant: s.merchant.ID, URL: "https://kiln.example/hooks", Events: []string{"*"}, Status: webhooks.Enabled, CreatedAt: now, UpdatedAt: now, Version: 1}
	s.webhooks.attempts = webhooks.AttemptPage{Data: []webhooks.Attempt{{ID: "att_1", Endpoint: "whe_1", At: now, State: webhooks.Delivered}}}
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "", `{"url":"https://kiln.example/hooks","events":["order.*"]}`, 201}, {"GET", "", "", 200}, {"GET", "/whe_1", "", 200},
		{"PATCH", "/whe_1", `{"url":"https://kiln.example/2"}`, 200}, {"POST", "/whe_1/rotate_secret", "", 200},
		{"GET", "/whe_1/attempts?limit=5&subject=ord_1", "", 200}, {"POST", "/whe_1/replay", `{"since":"2026-11-23T08:00:00Z","failed_only":true}`, 202},
		{"DELETE", "/whe_1", "", 204},
	} {
		if res := s.do(tt.method, "/v1/webhook_endpoints"+tt.path, tt.body, nil); res.StatusCode != tt.status {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, res.StatusCode, res.body)
		}
	}
	if s.webhooks.lastFilter.Subject != "ord_1" || s.webhooks.lastFilter.Limit != 5 || !s.webhooks.lastReplay.FailedOnly || s.webhooks.lastReplay.Since.IsZero() {
		t.Errorf("service was asked %+v, %+v", s.webhooks.lastFilter, s.webhooks.lastReplay)
	}
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/whe_2", ""}, {"PATCH", "/whe_2", "{}"}, {"POST", "/whe_2/rotate_secret", ""}, {"GET", "/whe_2/attempts", ""},
		{"POST", "/whe_2/replay", `{"event_ids":["evt_1"]}`}, {"DELETE", "/whe_2", ""},
	} {
		wantProblem(t, s.do(tt.method, "/v1/webhook_endpoints"+tt.path, tt.body, nil), http.StatusNotFound, "not_found")
	}
	wantProblem(t, s.do("GET", "/v1/webhook_endpoints", "", header{"Authorization": "Bearer " + s.newKey(s.merchant.ID, apikeys.Read)}), http.StatusForbidden, "forbidden")
	s.webhooks.err = &webhooks.InvalidError{Fields: []webhooks.FieldError{{Pointer: "/url", Code: "private_address", Detail: "must be a public address"}}}
	wantProblem(t, s.do("POST", "/v1/webhook_endpoints", `{"url":"https://10.0.0.1/"}`, nil), http.StatusUnprocessableEntity, "invalid_request", "/url")
	s.webhooks.err = &webhooks.ConflictError{Code: "endpoint_disabled", Detail: "enable it", Status: "disabled"}
	wantProblem(t, s.do("POST", "/v1/webhook_endpoints/whe_1/replay", `{"event_ids":["evt_1"]}`, nil), http.StatusConflict, "endpoint_disabled")
}
