package web_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tracker/web"
)

func TestEdge_security_headers(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t, func(d *web.Deps) { d.PublicURL = "https://shop.test" })
	for _, path := range []string{"/v1/orders", "/v1/nothing", "/openapi.json"} {
		h := s.do(http.MethodGet, path, "", nil).Header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "same-origin", "Strict-Transport-Security": "max-age=", "X-Request-Id": "req_",
		} {
			if !strings.Contains(h.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
	}
}

func TestEdge_request_ids(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	if got := s.do(http.MethodGet, "/v1/orders", "", header{"X-Request-Id": "shop-77:a.b_c"}).Header.Get("X-Request-Id"); got != "shop-77:a.b_c" {
		t.Errorf("a plain id is kept: %q", got)
	}
	for _, id := range []string{"with space", `"><script>`, strings.Repeat("x", 129), "ünï"} {
		if got := s.do(http.MethodGet, "/v1/orders", "", header{"X-Request-Id": id}).Header.Get("X-Request-Id"); !strings.HasPrefix(got, "req_") {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestEdge_no_secret_is_logged(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()
	id, token := order["id"].(string), order["tracking_token"].(string)
	s.do(http.MethodGet, "/v1/orders/"+id+"/status?access_token="+token, "", header{"Authorization": ""})
	s.do(http.MethodGet, "/v1/orders/"+id, "", header{"Authorization": "", "Cookie": "trk_" + id + "=" + token})
	s.do(http.MethodGet, "/v1/orders/"+id, "", header{"Authorization": "Bearer " + token + "x"})
	s.do(http.MethodGet, "/v1/orders/"+id, "", header{"Authorization": "Bearer sk_test_wrong_but_secret"})
	s.do(http.MethodPost, "/v1/orders", `{"reference":"jane@example.com",`, nil)
	logged := s.log.String()
	for _, hidden := range []string{s.key, token, "access_token", "wrong_but_secret", "jane@example.com", "Bearer", "127.0.0.1"} {
		if strings.Contains(logged, hidden) {
			t.Errorf("the log holds %q", hidden)
		}
	}
	for _, wanted := range []string{`"route":"/v1/orders/:id/status"`, `"status":401`, `"request_id":"req_`, `"principal":"key_`, `"principal":"` + id} {
		if !strings.Contains(logged, wanted) {
			t.Errorf("the log lacks %s", wanted)
		}
	}
}

// still stops the clock that budgets refill by.
func still(d *web.Deps) {
	now := time.Now()
	d.Now = func() time.Time { return now }
}

func TestEdge_rate_limits(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t, still, func(d *web.Deps) { d.Limits = web.Limits{Reads: 3, Writes: 2} })
	limited := func(method, path, key string) (ok int, last response) {
		for range 6 {
			res := s.do(method, path, `{}`, header{"Authorization": key})
			if res.StatusCode != http.StatusTooManyRequests {
				ok++
				continue
			}
			last = res
		}
		return ok, last
	}
	ok, last := limited(http.MethodGet, "/v1/orders", "Bearer "+s.key)
	if ok != 3 {
		t.Errorf("%d of 6 reads passed a budget of 3 per second", ok)
	}
	wantProblem(t, last, http.StatusTooManyRequests, "rate_limited")
	for name, want := range map[string]string{"Retry-After": "1", "RateLimit-Policy": `"reads";q=3;w=1`, "RateLimit": `"reads";r=0;t=1`} {
		if got := last.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if ok, _ := limited(http.MethodPost, "/v1/orders", "Bearer "+s.key); ok != 2 {
		t.Errorf("writes have a budget of their own: %d passed", ok)
	}
	if ok, _ := limited(http.MethodGet, "/v1/orders", "Bearer "+s.other); ok != 3 {
		t.Errorf("another key has a budget of its own: %d passed", ok)
	}
	// Guessing keys is charged to the address.
	if ok, _ := limited(http.MethodGet, "/v1/orders", "Bearer sk_test_guess"); ok != 3 {
		t.Errorf("%d of 6 guesses passed", ok)
	}
}

func TestEdge_no_limit_is_none(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for range 50 {
		if res := s.do(http.MethodGet, "/v1/keys", "", nil); res.StatusCode != http.StatusOK || res.Header.Get("RateLimit") != "" {
			t.Fatalf("%d, RateLimit %q", res.StatusCode, res.Header.Get("RateLimit"))
		}
	}
}

// Only a trusted proxy may say whose address counts.
func TestEdge_forwarded_addresses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		trusted []netip.Prefix
		want    int
	}{
		"from_anybody": {nil, 1}, "from_a_trusted_proxy": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sqliteStack(t, still, func(d *web.Deps) { d.Limits, d.TrustedProxies = web.Limits{Reads: 1}, tt.trusted })
			passed := 0
			for i := range 20 {
				h := header{"Authorization": "", "X-Forwarded-For": fmt.Sprintf("198.51.100.%d", i)}
				if s.do(http.MethodGet, "/v1/orders", "", h).StatusCode == http.StatusUnauthorized {
					passed++
				}
			}
			if passed != tt.want {
				t.Errorf("%d of 20 passed, want %d", passed, tt.want)
			}
		})
	}
}

func TestEdge_cross_site_changes_are_refused(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()
	cookie := "trk_" + order["id"].(string) + "=" + order["tracking_token"].(string)
	body := `{"order_id":"` + order["id"].(string) + `"}`
	for name, h := range map[string]header{
		"fetch_metadata": {"Sec-Fetch-Site": "cross-site"}, "same_site": {"Sec-Fetch-Site": "same-site"}, "origin": {"Origin": "https://evil.test"}, "opaque_origin": {"Origin": "null"},
	} {
		h["Authorization"], h["Cookie"] = "", cookie
		res := s.do(http.MethodPost, "/v1/payments", body, h)
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
		}
	}
	res := s.do(http.MethodPost, "/v1/payments", body, header{"Authorization": "", "Cookie": cookie, "Sec-Fetch-Site": "same-origin"})
	wantProblem(t, res, http.StatusNotFound, "not_found") // by the fake: it got through
}

func TestEdge_cors(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t, func(d *web.Deps) { d.CORSOrigins = []string{"https://kiln.example"} })
	path := "/v1/orders/" + s.createOrder()["id"].(string) + "/status"
	if got := s.do(http.MethodGet, path, "", header{"Origin": "https://kiln.example"}).Header; got.Get("Access-Control-Allow-Origin") != "https://kiln.example" || got.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a configured origin: %v", got)
	}
	if got := s.do(http.MethodGet, path, "", header{"Origin": "https://evil.test"}).Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("another origin: %q", got)
	}
	if got := s.do(http.MethodGet, "/v1/orders", "", header{"Origin": "https://kiln.example"}).Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("what is not a feed: %q", got)
	}
	pre := s.do(http.MethodOptions, path, "", header{"Origin": "https://kiln.example", "Access-Control-Request-Method": "GET", "Authorization": ""})
	if pre.StatusCode != http.StatusNoContent || !strings.Contains(pre.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", pre.StatusCode, pre.Header)
	}
}

func TestEdge_roles(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t, func(d *web.Deps) { d.Roles = []string{web.RoleNotify} })
	o := must(s.orders.Create(t.Context(), s.merchant.ID, sampleOrder()))
	if res := s.do(http.MethodGet, "/v1/orders/"+o.ID+"/status", "", nil); res.StatusCode != http.StatusOK {
		t.Errorf("the feed of the role notify: %d", res.StatusCode)
	}
	if res := s.do(http.MethodGet, "/v1/orders/"+o.ID, "", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("orders are of another role: %d", res.StatusCode)
	}
}

func TestEdge_http2_without_tls(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	res, err := client.Do(s.request(http.MethodGet, "/v1/orders", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
		t.Errorf("%s %d", res.Proto, res.StatusCode)
	}
}

func TestEdge_head_is_get_without_body(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	res := s.do(http.MethodHead, "/v1/orders/"+s.createOrder()["id"].(string), "", nil)
	if res.StatusCode != http.StatusOK || len(res.body) != 0 || res.Header.Get("ETag") != `"1"` {
		t.Errorf("%d, %d bytes, ETag %q", res.StatusCode, len(res.body), res.Header.Get("ETag"))
	}
}

// A slow body ends before it holds a connection for ever, and a stream after an
// ordinary request on the same connection has no deadline left over.
func TestEdge_server_settings(t *testing.T) {
	t.Parallel()
	srv := must(web.New(sqliteStack(t).deps())).HTTPServer(t.Context(), "127.0.0.1:0")
	if srv.WriteTimeout != 0 || srv.ReadTimeout != 0 || srv.ReadHeaderTimeout <= 0 || srv.ReadHeaderTimeout > 10*time.Second || srv.IdleTimeout <= 0 || srv.MaxHeaderBytes > 64<<10 {
		t.Errorf("server %+v", srv)
	}
}
