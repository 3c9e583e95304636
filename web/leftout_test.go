package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"tracker/notify/webhooks"
	"tracker/orders"
	"tracker/payments"
)

// withShop gives a stack an order that is paid, and services behind the fakes that
// count what was asked of them.
func withShop(t *testing.T) (s *stack, order string, asked *int) {
	t.Helper()
	s, asked = sqliteStack(t), new(int)
	order = s.createOrder()["id"].(string)
	s.pay(order)
	s.payments.CommandFunc = func(context.Context, string, payments.Command, int64) (payments.Payment, error) {
		*asked++
		return payments.Payment{}, payments.ErrNotFound
	}
	s.payments.RefundFunc = func(context.Context, payments.NewRefund) (payments.Refund, payments.Payment, error) {
		*asked++
		return payments.Refund{}, payments.Payment{}, payments.ErrNotFound
	}
	s.webhooks.endpoint = webhooks.Endpoint{ID: "whe_1", Merchant: s.merchant.ID}
	return s, order, asked
}

// TestBadInput_null: a null is never taken for what was left out, which often
// means everything.
func TestBadInput_null(t *testing.T) {
	t.Parallel()
	s, id, asked := withShop(t)
	for call, pointer := range map[string]string{
		`POST /v1/orders null`: "", `POST /v1/orders ` + order(`"quantity"`, `"unit_amount":null,"quantity"`): "/items/0/unit_amount",
		`POST /v1/orders {"reference":"1","currency":"EUR","items":[null]}`:                                                    "/items/0",
		`POST /v1/orders ` + order(`"77"`, `null`):                                                                             "/metadata/cart",
		`POST /v1/orders ` + order(`{"reference"`, `{"expires_in":null,"reference"`):                                           "/expires_in",
		`POST /v1/refunds {"payment_id":"pay_1","amount":null}`:                                                                "/amount",
		`POST /v1/payments/pay_1/capture {"amount":null}`:                                                                      "/amount",
		`POST /v1/payments/pay_1/void null`:                                                                                    "",
		`POST /v1/keys {"name":"x","scopes":null}`:                                                                             "/scopes",
		`POST /v1/webhook_endpoints {"url":"https://kiln.example/","events":null}`:                                             "/events",
		`PATCH /v1/webhook_endpoints/whe_1 {"enabled":null}`:                                                                   "/enabled",
		`PATCH /v1/merchant {"help_url":null}`:                                                                                 "/help_url",
		`POST /v1/orders/` + id + `/shipments {"carrier":"DHL","tracking_number":"1","items":null}`:                            "/items",
		`POST /v1/orders/` + id + `/shipments {"carrier":"DHL","tracking_number":"1","items":[{"sku":"mug","quantity":null}]}`: "/items/0/quantity",
		`POST /v1/orders/` + id + `/cancel {"reason":null}`:                                                                    "/reason",
	} {
		method, rest, _ := strings.Cut(call, " ")
		path, body, _ := strings.Cut(rest, " ")
		body = strings.Replace(body, `,"unit_amount":2099`, ``, strings.Count(body, `"unit_amount":null`))
		res := s.do(method, path, body, nil)
		if res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", call, res.StatusCode, res.body)
			continue
		}
		p := wantProblem(t, res, http.StatusUnprocessableEntity, "invalid_request")
		if field := p["errors"].([]any)[0].(map[string]any); field["code"] != "wrong_type" || pointerOf(field) != pointer {
			t.Errorf("%s: %v, want wrong_type at %q", call, field, pointer)
		}
	}
	if *asked != 0 {
		t.Errorf("payments were asked %d times", *asked)
	}
	if res := s.do(http.MethodPost, "/v1/orders", order(`"1042"`, `"null"`), nil); res.StatusCode != http.StatusCreated {
		t.Errorf("the text null: %d %s", res.StatusCode, res.body)
	}
}

func pointerOf(field map[string]any) string {
	pointer, _ := field["pointer"].(string)
	return pointer
}

// TestBadInput_empty_lists: a list without entries is not all of them.
func TestBadInput_empty_lists(t *testing.T) {
	t.Parallel()
	s, id, _ := withShop(t)
	for call, pointer := range map[string]string{
		`POST /v1/keys {"scopes":[]}`:                                                             "/scopes",
		`POST /v1/webhook_endpoints {"url":"https://kiln.example/","events":[]}`:                  "/events",
		`POST /v1/webhook_endpoints/whe_1/replay {"event_ids":[],"since":"2026-11-23T08:00:00Z"}`: "/event_ids",
		`POST /v1/orders/` + id + `/shipments {"carrier":"DHL","tracking_number":"1","items":[]}`: "/items",
	} {
		method, rest, _ := strings.Cut(call, " ")
		path, body, _ := strings.Cut(rest, " ")
		if res := s.do(method, path, body, nil); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", call, res.StatusCode, res.body)
		} else {
			wantProblem(t, res, http.StatusUnprocessableEntity, "invalid_request", pointer)
		}
	}
	if list := must(s.keys.List(t.Context(), s.merchant.ID)); len(list) != 1 {
		t.Errorf("%d keys", len(list))
	}
	if o := must(s.orders.Get(t.Context(), s.merchant.ID, id)); len(o.Shipments) != 0 {
		t.Errorf("%d shipments", len(o.Shipments))
	}
}

// TestBadInput_a_parcel_has_a_number: whoever waits for it looks for it by that.
func TestBadInput_a_parcel_has_a_number(t *testing.T) {
	t.Parallel()
	s, id, _ := withShop(t)
	for _, body := range []string{`{"carrier":"DHL"}`, `{"carrier":"DHL","tracking_number":" "}`} {
		wantProblem(t, s.do(http.MethodPost, "/v1/orders/"+id+"/shipments", body, nil), http.StatusUnprocessableEntity, "invalid_request", "/tracking_number")
	}
	if o := must(s.orders.Get(t.Context(), s.merchant.ID, id)); o.Status != orders.StatusConfirmed || len(o.Shipments) != 0 {
		t.Errorf("order is %s with %d shipments", o.Status, len(o.Shipments))
	}
}
