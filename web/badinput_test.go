package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/web/apikeys"
	"tracker/web/tracktoken"
)

// order builds a body from mugs with one part replaced.
func order(old, replacement string) string { return strings.Replace(mugs, old, replacement, 1) }

// TestBadInput: each of these gets a problem that names what is wrong, and
// changes nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	long := strings.Repeat("x", 201)
	tests := map[string]struct {
		body     string
		status   int
		code     string
		pointers []string
	}{
		"unknown_field":             {order(`{"reference"`, `{"colour":"blue","reference"`), 422, "invalid_request", []string{"/colour"}},
		"unknown_field_within":      {order(`{"sku"`, `{"size":3,"sku"`), 422, "invalid_request", []string{"/items/0/size"}},
		"duplicate_field":           {order(`{"reference"`, `{"currency":"EUR","reference"`), 422, "invalid_request", []string{"/currency"}},
		"other_case_is_unknown":     {order(`"currency"`, `"Currency"`), 422, "invalid_request", []string{"/Currency"}},
		"wrong_type_text":           {order(`"1042"`, `1042`), 422, "invalid_request", []string{"/reference"}},
		"wrong_type_number":         {order(`2099`, `"2099"`), 422, "invalid_request", []string{"/items/0/unit_amount"}},
		"wrong_type_list":           {order(`"items":[`, `"items":{"a":[`) + "}", 422, "invalid_request", []string{"/items"}},
		"wrong_type_whole":          {`[]`, 422, "invalid_request", nil},
		"negative_amount":           {order(`2099`, `-1`), 422, "invalid_request", []string{"/items/0/unit_amount"}},
		"fractional_amount":         {order(`2099`, `20.99`), 422, "invalid_request", []string{"/items/0/unit_amount"}},
		"amount_with_exponent":      {order(`2099`, `2e3`), 422, "invalid_request", []string{"/items/0/unit_amount"}},
		"amount_beyond_int64":       {order(`2099`, `99999999999999999999`), 422, "invalid_request", []string{"/items/0/unit_amount"}},
		"total_overflow":            {order(`"quantity":2,"unit_amount":2099`, `"quantity":9999,"unit_amount":9007199254740991`), 422, "invalid_request", nil},
		"zero_quantity":             {order(`"quantity":2`, `"quantity":0`), 422, "invalid_request", []string{"/items/0/quantity"}},
		"unknown_currency":          {order(`EUR`, `EUX`), 422, "invalid_request", []string{"/currency"}},
		"lower_case_currency":       {order(`EUR`, `eur`), 422, "invalid_request", []string{"/currency"}},
		"no_amount":                 {order(`,"unit_amount":2099`, ``), 422, "invalid_request", []string{"/items/0/unit_amount"}},
		"no_amount_and_no_name":     {order(`"name":"Mug","quantity":2,"unit_amount":2099`, `"quantity":2`), 422, "invalid_request", []string{"/items/0/unit_amount", "/items/0/name"}},
		"empty_items":               {`{"reference":"1","currency":"EUR","items":[]}`, 422, "invalid_request", []string{"/items"}},
		"no_items":                  {`{"reference":"1","currency":"EUR"}`, 422, "invalid_request", []string{"/items"}},
		"nothing":                   {`{}`, 422, "invalid_request", []string{"/reference", "/currency", "/items"}},
		"null":                      {`null`, 422, "invalid_request", nil},
		"control_character_escaped": {order(`1042`, `10\u000042`), 422, "invalid_request", []string{"/reference"}},
		"control_character_raw":     {order(`1042`, "10\x0142"), 400, "malformed_json", nil},
		"invalid_utf8":              {order(`1042`, "10\xff42"), 400, "malformed_json", nil},
		"lone_surrogate":            {order(`1042`, `10\ud80042`), 400, "malformed_json", nil},
		"too_long":                  {order(`1042`, long), 422, "invalid_request", []string{"/reference"}},
		"not_json":                  {`reference=1042`, 400, "malformed_json", nil},
		"cut_off":                   {mugs[:40], 400, "malformed_json", nil},
		"two_values":                {mugs + mugs, 400, "malformed_json", nil},
		"empty":                     {``, 400, "malformed_json", nil},
		"deep_nesting":              {strings.Repeat(`[`, 20000), 400, "malformed_json", nil},
		"metadata_of_wrong_type":    {order(`"77"`, `77`), 422, "invalid_request", []string{"/metadata/cart"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			res := s.do(http.MethodPost, "/v1/orders", tt.body, nil)
			if tt.code == "malformed_json" && res.json(t)["code"] == "invalid_request" && name == "deep_nesting" {
				return // refused by its type before its depth: as good
			}
			wantProblem(t, res, tt.status, tt.code, tt.pointers...)
			if strings.Contains(string(res.body), "json:") || strings.Contains(string(res.body), "Go ") || strings.Contains(string(res.body), "orders.") {
				t.Errorf("the answer shows our insides: %s", res.body)
			}
		})
	}
	if page := must(s.orders.List(t.Context(), s.merchant.ID, orders.Filter{})); len(page.Orders) != 0 {
		t.Errorf("%d orders were made of bad input", len(page.Orders))
	}
}

// Free is what is said to be free.
func TestBadInput_an_amount_of_0_is_one(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	if res := s.do(http.MethodPost, "/v1/orders", order(`2099`, `0`), nil); res.StatusCode != http.StatusCreated || res.json(t)["amount"] != float64(0) {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}

func TestBadInput_ten_megabytes(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	huge := order(`1042`, strings.Repeat("x", 10<<20))
	wantProblem(t, s.do(http.MethodPost, "/v1/orders", huge, nil), http.StatusRequestEntityTooLarge, "body_too_large")
	// Without Content-Length it is found out on the way.
	r := s.request(http.MethodPost, "/v1/orders", struct{ *strings.Reader }{strings.NewReader(huge)}, nil)
	r.ContentLength = -1
	wantProblem(t, s.send(r), http.StatusRequestEntityTooLarge, "body_too_large")
	cancel := "/v1/orders/" + s.createOrder()["id"].(string) + "/cancel"
	wantProblem(t, s.do(http.MethodPost, cancel, `{"reason":"`+strings.Repeat("x", 64<<10)+`"}`, nil), http.StatusRequestEntityTooLarge, "body_too_large")
}

func TestBadInput_media_type(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for _, media := range []string{"application/x-www-form-urlencoded", "text/plain", "application/xml", ";", "application/json; charset=latin1"} {
		wantProblem(t, s.do(http.MethodPost, "/v1/orders", mugs, header{"Content-Type": media}), http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	wantProblem(t, s.do(http.MethodPost, "/v1/orders", mugs, header{"Content-Encoding": "gzip"}), http.StatusUnsupportedMediaType, "unsupported_media_type")
	for _, h := range []header{{"Content-Type": "application/json; charset=UTF-8"}, {"Content-Encoding": "identity"}} {
		if res := s.do(http.MethodPost, "/v1/orders", mugs, h); res.StatusCode != http.StatusCreated {
			t.Errorf("%v: %d", h, res.StatusCode)
		}
	}
}

func TestBadInput_paths_and_methods(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for _, path := range []string{"/v1/nothing", "/v1/orders/", "/v1/orders/ord_1", "/v1/orders/%00", "/v1/orders/..%2f..", "/v1/orders/pay_01jd9zq9w2c4f6h8k0m2p4r6t8", "/v1"} {
		wantProblem(t, s.do(http.MethodGet, path, "", nil), http.StatusNotFound, "not_found")
	}
	res := s.do(http.MethodPut, "/v1/orders", mugs, nil)
	wantProblem(t, res, http.StatusMethodNotAllowed, "method_not_allowed")
	if allow := res.Header.Get("Allow"); !strings.Contains(allow, "POST") || !strings.Contains(allow, "GET") {
		t.Errorf("Allow %q", allow)
	}
}

func TestBadInput_queries(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for query, parameter := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=ten": "limit", "limit=": "limit", "limit=1.5": "limit", "limit=-1": "limit",
		"status=open": "status", "payment_status=rich": "payment_status", "staus=confirmed": "staus", "waits_for=godot": "waits_for",
		"limit=1&limit=99": "limit", "reference=a&reference=b": "reference", "status=": "status", "status=,": "status", "status=confirmed&status=": "status",
		"starting_after=": "starting_after", "q=": "q", "created_from=": "created_from",
		"starting_after=pay_01jd9zq9w2c4f6h8k0m2p4r6t8": "starting_after", "starting_after=7": "starting_after",
		"created_from=yesterday": "created_from", "q=" + strings.Repeat("x", 300): "q", "reference=" + strings.Repeat("x", 600): "reference",
	} {
		wantProblem(t, s.do(http.MethodGet, "/v1/orders?"+query, "", nil), http.StatusBadRequest, "invalid_parameter", parameter)
	}
	wantProblem(t, s.do(http.MethodGet, "/v1/payments?status=captured&status=failed", "", nil), http.StatusBadRequest, "invalid_parameter", "status")
	if res := s.do(http.MethodGet, "/v1/orders?status=confirmed&status=completed,cancelled", "", nil); res.StatusCode != http.StatusOK {
		t.Errorf("several statuses: %d %s", res.StatusCode, res.body)
	}
}

func TestBadInput_cursor_is_not_a_number(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	path := "/v1/orders/" + s.createOrder()["id"].(string) + "/events"
	for _, cursor := range []string{"abc", "-1", "1.5", "", "99999999999999999999", "0x10"} {
		wantProblem(t, s.do(http.MethodGet, path+"?after="+cursor, "", nil), http.StatusBadRequest, "invalid_cursor", "after")
	}
	wantProblem(t, s.do(http.MethodGet, path+"?after=0&wait=61", "", nil), http.StatusBadRequest, "invalid_wait", "wait")
}

func TestBadInput_token_for_another_order(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	mine, other := s.createOrder(), s.createOrder()
	token := header{"Authorization": "Bearer " + mine["tracking_token"].(string)}
	for _, path := range []string{"", "/events", "/status"} {
		wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+other["id"].(string)+path, "", token), http.StatusNotFound, "not_found")
	}
	wantProblem(t, s.do(http.MethodPost, "/v1/payments", `{"order_id":"`+other["id"].(string)+`"}`, token), http.StatusNotFound, "not_found")
	wantProblem(t, s.do(http.MethodGet, "/v1/payments?order_id="+other["id"].(string), "", token), http.StatusNotFound, "not_found")
	wantProblem(t, s.do(http.MethodPost, "/v1/orders/"+mine["id"].(string)+"/cancel", "{}", token), http.StatusForbidden, "forbidden")
}

func TestBadInput_another_merchants_things(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	id := s.createOrder()["id"].(string)
	s.pay(id)
	shipment := s.do(http.MethodPost, "/v1/orders/"+id+"/shipments", `{"carrier":"DHL","tracking_number":"1"}`, nil).json(t)["id"].(string)
	other := header{"Authorization": "Bearer " + s.other}
	for path, body := range map[string]string{
		"/v1/orders/" + id + "/cancel": "{}", "/v1/orders/" + id + "/hold": "{}", "/v1/orders/" + id + "/release": "{}", "/v1/orders/" + id + "/token": "{}",
		"/v1/orders/" + id + "/shipments": `{"carrier":"DHL","tracking_number":"2"}`, "/v1/shipments/" + shipment + "/events": `{"status":"lost"}`,
	} {
		wantProblem(t, s.do(http.MethodPost, path, body, other), http.StatusNotFound, "not_found")
	}
	for _, path := range []string{"", "/events", "/status", "/events?after=0"} {
		wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+id+path, "", other), http.StatusNotFound, "not_found")
	}
}

func TestBadInput_illegal_transition(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	id := s.createOrder()["id"].(string)
	p := wantProblem(t, s.do(http.MethodPost, "/v1/orders/"+id+"/shipments", `{"carrier":"DHL","tracking_number":"1"}`, nil), http.StatusConflict, "not_confirmed")
	if current := p["current"].(map[string]any); current["status"] != "pending_payment" || current["sequence"] != float64(1) {
		t.Errorf("current %v", current)
	}
	s.pay(id)
	s.do(http.MethodPost, "/v1/orders/"+id+"/shipments", `{"carrier":"DHL","tracking_number":"1"}`, nil)
	p = wantProblem(t, s.do(http.MethodPost, "/v1/orders/"+id+"/cancel", "", nil), http.StatusConflict, "already_shipped")
	if p["current"].(map[string]any)["status"] != "confirmed" {
		t.Errorf("current %v", p["current"])
	}
}

func TestBadInput_tokens(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	id := s.createOrder()["id"].(string)
	claims := tracktoken.Claims{Merchant: s.merchant.ID, Order: id}
	expired := must(tracktoken.New([]string{secret}, tracktoken.Options{Lifetime: time.Second, Now: func() time.Time { return time.Now().Add(-time.Hour) }}))
	foreign := must(tracktoken.New([]string{"another secret, another house, 32"}, tracktoken.Options{}))
	good := must(s.tokens.Sign(claims))
	head, rest, _ := strings.Cut(good, ".")
	_, signature, _ := strings.Cut(rest, ".")
	for name, token := range map[string]string{
		"expired": must(expired.Sign(claims)), "foreign": must(foreign.Sign(claims)), "altered": head + ".e30." + signature,
		"unsigned": "eyJhbGciOiJub25lIn0.e30.", "cut": good[:len(good)-3], "empty": " ", "huge": strings.Repeat("a", 5000), "a_key_that_is_not": "sk_test_nonsense",
		"a_key_with_a_typing_error": s.key[:20] + flip(s.key[20]) + s.key[21:],
	} {
		res := s.do(http.MethodGet, "/v1/orders/"+id, "", header{"Authorization": "Bearer " + token})
		wantProblem(t, res, http.StatusUnauthorized, "unauthorized")
		if res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
	}
	wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+id, "", header{"Authorization": "Basic dTpw"}), http.StatusUnauthorized, "unauthorized")
	wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+id, "", header{"Authorization": ""}), http.StatusUnauthorized, "unauthorized")
	wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+id+"?access_token="+s.key, "", header{"Authorization": ""}), http.StatusUnauthorized, "unauthorized")
	unknown := tracktoken.Claims{Merchant: s.merchant.ID, Order: eventwire.NewID(eventwire.PrefixOrder, time.Now())}
	wantProblem(t, s.do(http.MethodGet, "/v1/orders/"+unknown.Order+"/events", "", header{"Authorization": "Bearer " + must(s.tokens.Sign(unknown))}), http.StatusNotFound, "not_found")
}

// TestBadInput_what_fits_is_said in words of the request, not of our types.
func TestBadInput_what_fits_is_said(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for body, want := range map[string]string{
		order(`{"reference"`, `{"expires_in":"soon","reference"`):   `must be a positive number of seconds, or text such as "90m"`,
		order(`{"reference"`, `{"expires_in":-5,"reference"`):       `must be a positive number of seconds, or text such as "90m"`,
		order(`{"reference"`, `{"expires_in":true,"reference"`):     `must be a positive number of seconds, or text such as "90m"`,
		order(`2099`, `20.99`):                                      "must be a whole number, without quotes, fraction or exponent",
		order(`"quantity":2`, `"quantity":"2"`):                     "must be a whole number, without quotes, fraction or exponent",
		order(`2099`, `99999999999999999999`):                       "must be a number with fewer digits",
		order(`{"reference"`, `{"expires_in":31536000,"reference"`): "must be from 0.001 to 2592000 seconds",
	} {
		p := wantProblem(t, s.do(http.MethodPost, "/v1/orders", body, nil), http.StatusUnprocessableEntity, "invalid_request")
		if got := p["errors"].([]any)[0].(map[string]any)["detail"]; got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// TestBadInput_headers_that_mean_to_be_safe are not ignored.
func TestBadInput_headers_that_mean_to_be_safe(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	r := s.request(http.MethodPost, "/v1/orders", strings.NewReader(mugs), nil)
	r.Header["Idempotency-Key"] = []string{""}
	wantProblem(t, s.send(r), http.StatusBadRequest, "invalid_parameter", "Idempotency-Key")
	r = s.request(http.MethodPost, "/v1/orders", strings.NewReader(mugs), nil)
	r.Header["Idempotency-Key"] = []string{"a", "b"}
	wantProblem(t, s.send(r), http.StatusBadRequest, "invalid_parameter", "Idempotency-Key")
	for path, body := range map[string]string{
		"/v1/orders": mugs, "/v1/payments": `{"order_id":"ord_1"}`, "/v1/keys": `{}`, "/v1/webhook_endpoints": `{"url":"https://kiln.example/"}`,
	} {
		wantProblem(t, s.do(http.MethodPost, path, body, header{"If-Match": `"1"`}), http.StatusBadRequest, "invalid_parameter", "If-Match")
	}
	if page := must(s.orders.List(t.Context(), s.merchant.ID, orders.Filter{})); len(page.Orders) != 0 {
		t.Errorf("%d orders were made", len(page.Orders))
	}
}

// TestBadInput_credentials_say_what_to_do, and tell a key that was revoked from one
// that never was to nobody.
func TestBadInput_credentials_say_what_to_do(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	detail := func(h header, query string) string {
		t.Helper()
		p := wantProblem(t, s.do(http.MethodGet, "/v1/orders"+query, "", h), http.StatusUnauthorized, "unauthorized")
		text, _ := p["detail"].(string)
		return text
	}
	revoked, k, err := s.keys.Create(t.Context(), apikeys.NewKey{Merchant: s.merchant.ID})
	if err != nil {
		t.Fatal(err)
	}
	must(s.keys.Revoke(t.Context(), s.merchant.ID, k.ID, 0))
	said := map[string]string{
		"none": detail(header{"Authorization": ""}, ""), "malformed": detail(header{"Authorization": "Basic dTpw"}, ""),
		"in the address": detail(header{"Authorization": ""}, "?access_token="+revoked),
		"unknown":        detail(header{"Authorization": "Bearer " + apikeys.Generate(time.Now())}, ""),
	}
	for name, text := range said {
		for other, same := range said {
			if text == "" || name != other && text == same {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
	if text := detail(header{"Authorization": "Bearer " + revoked}, ""); text != said["unknown"] {
		t.Errorf("revoked %q, unknown %q", text, said["unknown"])
	}
}

// flip is another letter of the alphabet of keys.
func flip(c byte) string {
	if c == 'a' {
		return "b"
	}
	return "a"
}
