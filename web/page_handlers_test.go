package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"tracker/payments"
	"tracker/web/tracktoken"
)

func wantIn(t *testing.T, body string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(strings.ReplaceAll(body, "\u00a0", " "), want) {
			t.Errorf("%q is not in the page:\n%s", want, body)
		}
	}
}

func TestTrackPage_is_complete_without_script(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			id, token := k.put(g.state)
			w := k.get("/track/"+id, k.cookie(id, token))
			if w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			wantIn(t, w.Body.String(), `data-state="`+g.want+`"`, `<noscript><meta http-equiv="refresh" content="60"></noscript>`, "Kiln &amp; Clay", "Order 1042")
			if n := strings.Count(w.Body.String(), "<h1"); n != 1 {
				t.Errorf("%d headings of the first level", n)
			}
			if regexp.MustCompile(`\sstyle=|<script(?: type="module")?>|\son\w+=`).MatchString(w.Body.String()) {
				t.Error("the page has something inline that its policy refuses")
			}
		})
	}
}

func TestTrackPage_reload_can_be_stopped(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState())
	body := k.get("/track/"+id+"?reload=off", k.cookie(id, token)).Body.String()
	if strings.Contains(body, "http-equiv") {
		t.Error("still reloads")
	}
	wantIn(t, body, "Start reloading")
	done := newState(paid)
	done.Closed = true
	id, token = k.put(done)
	if strings.Contains(k.get("/track/"+id, k.cookie(id, token)).Body.String(), "http-equiv") {
		t.Error("a finished order reloads for ever")
	}
}

func TestTrackPage_token_becomes_a_cookie(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState())
	w := k.get("/track/" + id + "?lang=de&access_token=" + token)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/track/"+id+"?lang=de" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	c := w.Result().Cookies()[0]
	if c.Name != trackCookie+id || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("cookie %+v", c)
	}
	if body := k.get("/track/"+id, c).Body.String(); strings.Contains(body, token) {
		t.Error("the token stands in the page")
	}
}

func TestTrackPage_a_browser_forgets_its_oldest_orders(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var cookies []*http.Cookie
	for range maxTracked {
		id, token := k.put(newState())
		cookies = append(cookies, k.cookie(id, token))
	}
	id, token := k.put(newState())
	set := k.get("/track/"+id+"?access_token="+token, cookies...).Result().Cookies()
	if len(set) != 2 || set[0].Name != cookies[0].Name || set[0].MaxAge >= 0 || set[1].Name != trackCookie+id {
		t.Errorf("%v", set)
	}
}

func TestTrackPage_refuses(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState())
	other, _ := k.put(newState())
	revoked, err := k.tokens.Sign(tracktoken.Claims{Merchant: k.merchant, Order: id, Epoch: 7})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path   string
		cookie *http.Cookie
		status int
		state  string
	}{
		"no cookie":          {"/track/" + id, nil, 404, "no_order"},
		"cookie of another":  {"/track/" + other, k.cookie(id, token), 404, "no_order"},
		"token of another":   {"/track/" + other + "?access_token=" + token, nil, 404, "no_order"},
		"altered token":      {"/track/" + id + "?access_token=" + token + "x", nil, 401, "no_access"},
		"revoked":            {"/track/" + id, k.cookie(id, revoked), 401, "no_access"},
		"no order at all":    {"/track/ord_x", nil, 404, "no_order"},
		"markup in the path": {"/track/%3Cscript%3E", nil, 404, "no_order"},
		"no such page":       {"/nothing", nil, 404, "no_page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cookies []*http.Cookie
			if c.cookie != nil {
				cookies = append(cookies, c.cookie)
			}
			w := k.get(c.path, cookies...)
			if w.Code != c.status {
				t.Errorf("%d, want %d", w.Code, c.status)
			}
			wantIn(t, w.Body.String(), `data-state="`+c.state+`"`, "Request ")
		})
	}
}

func TestTrackPage_says_when_it_cannot_know(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState())
	k.feeds.down = true
	w := k.get("/track/"+id, k.cookie(id, token))
	if w.Code != http.StatusServiceUnavailable {
		t.Fatalf("%d", w.Code)
	}
	wantIn(t, w.Body.String(), `data-state="away"`, "Orders and payments already made are safe.", `http-equiv="refresh" content="5"`)
}

func TestTrackPage_escapes_names(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	st := newState()
	st.Order.Items[0].Name = `<img src=x onerror=alert(1)>` + strings.Repeat("ü", 480)
	st.Order.Shop.Name = `"><script>alert(2)</script>`
	st.Order.Shop.URL = "javascript:alert(3)"
	id, token := k.put(st)
	body := k.get("/track/"+id, k.cookie(id, token)).Body.String()
	for _, bad := range []string{"<img", "<script>alert", `href="javascript:`} {
		if strings.Contains(body, bad) {
			t.Errorf("%q went through", bad)
		}
	}
}

func TestPages_policy(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState())
	for path, form := range map[string]string{"/": "'self'", "/track/" + id: "'self'", "/checkout/" + id: "'self' http://bank.test", "/nothing": "'self'"} {
		csp := k.get(path, k.cookie(id, token)).Header().Get("Content-Security-Policy")
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "form-action "+form+";") || !strings.Contains(csp, "style-src 'self' 'sha256-") {
			t.Errorf("%s: %s", path, csp)
		}
	}
}

func TestPages_speak_the_browsers_language(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState(paid))
	r := httptest.NewRequest(http.MethodGet, "/track/"+id, nil)
	r.Header.Set("Accept-Language", "fr, de-AT;q=0.8, en;q=0.1")
	wantIn(t, k.do(r, k.cookie(id, token)).Body.String(), `<html lang="de" dir="ltr">`, "Bestätigt", "41,98 EUR</bdi> bezahlt")
	wantIn(t, k.get("/track/"+id+"?lang=ar", k.cookie(id, token)).Body.String(), `<html lang="ar" dir="rtl">`)
}

func TestCheckout_pays_by_form(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState())
	page := k.get("/checkout/"+id, k.cookie(id, token)).Body.String()
	wantIn(t, page, `data-state="ready"`, "Pay EUR 41.98")
	key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(page)
	if key == nil {
		t.Fatal("no idempotency key in the form")
	}
	k.api.answers["POST /v1/payments"] = kitAnswer{201, `{"id":"pay_1","status":"requires_action","next_action":{"type":"redirect","url":"http://bank.test/pay/1"}}`}
	w := k.post("/checkout/"+id+"/pay", "amount=4198&key="+key[1], k.cookie(id, token))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "http://bank.test/pay/1" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	call := k.api.calls[0]
	if call.Header.Get("Idempotency-Key") != key[1] {
		t.Errorf("key %q", call.Header.Get("Idempotency-Key"))
	}
	var sent map[string]string
	if err := json.Unmarshal([]byte(k.api.bodies[0]), &sent); err != nil || sent["order_id"] != id || sent["return_url"] != "http://tracker.test/checkout/"+id+"?from=bank" {
		t.Errorf("sent %s", k.api.bodies[0])
	}
}

func TestCheckout_says_how_a_press_failed(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]struct {
		status int
		state  string
	}{
		"payment_open": {409, "other_tab"}, "provider_unavailable": {503, "bank_down"}, "unavailable": {503, "unsure"},
		"internal": {500, "unsure"}, "order_closed": {409, "ready"}, "rate_limited": {429, "too_many"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			id, token := k.put(newState())
			k.api.answers["POST /v1/payments"] = kitAnswer{want.status, `{"code":"` + code + `","status":` + itoa(int64(want.status)) + `}`}
			w := k.post("/checkout/"+id+"/pay", "amount=4198&key=1", k.cookie(id, token))
			if w.Code != want.status {
				t.Errorf("%d", w.Code)
			}
			wantIn(t, w.Body.String(), `data-state="`+want.state+`"`)
		})
	}
	k := newKit(t)
	id, token := k.put(newState())
	w := k.post("/checkout/"+id+"/pay", "amount=3998&key=1", k.cookie(id, token))
	wantIn(t, w.Body.String(), `data-state="changed"`, "It now costs")
	if len(k.api.calls) != 0 {
		t.Error("a payment was started for another amount than the button said")
	}
}

func TestCheckout_return_address_never_says_paid(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState(payment(payments.Summary{Status: payments.StatusRequiresAction, UpdatedAt: clock("11:59")}), status("pending_payment", "action_required", "unfulfilled")))
	w := k.get("/checkout/"+id+"?from=bank", k.cookie(id, token))
	if w.Code != http.StatusSeeOther || len(k.payments.nudged) != 1 {
		t.Fatalf("%d, nudged %v", w.Code, k.payments.nudged)
	}
	wantIn(t, k.get(w.Header().Get("Location"), k.cookie(id, token)).Body.String(), `data-state="waiting"`, `content="10"`)
	for _, lie := range []string{"?from=bank&at=99999999999", "?from=bank&at=0&status=paid&paid=true", "?from=bank&at=1&state=captured"} {
		body := k.get("/checkout/"+id+lie, k.cookie(id, token))
		if strings.Contains(body.Body.String(), `data-state="paid"`) {
			t.Errorf("%s is believed", lie)
		}
	}
}

func TestCheckout_stop(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState(payment(payments.Summary{Status: payments.StatusRequiresAction}), status("pending_payment", "action_required", "unfulfilled")))
	page := k.get("/checkout/"+id, k.cookie(id, token)).Body.String()
	pay := regexp.MustCompile(`name="payment" value="([^"]+)"`).FindStringSubmatch(page)
	if w := k.post("/checkout/"+id+"/stop", "payment="+pay[1], k.cookie(id, token)); w.Code != http.StatusSeeOther {
		t.Fatalf("%d", w.Code)
	}
	if len(k.payments.cancelled) != 1 || k.payments.cancelled[0].By != payments.CauseShopper {
		t.Errorf("%+v", k.payments.cancelled)
	}
	if w := k.post("/checkout/"+id+"/stop", "payment=pay_somebody_elses", k.cookie(id, token)); w.Code != http.StatusNotFound || len(k.payments.cancelled) != 1 {
		t.Errorf("a payment of another order: %d", w.Code)
	}
}

func TestForms_from_another_site_change_nothing(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	id, token := k.put(newState())
	r := httptest.NewRequest(http.MethodPost, "/checkout/"+id+"/pay", strings.NewReader("amount=4198&key=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := k.do(r, k.cookie(id, token))
	if w.Code != http.StatusForbidden || len(k.api.calls) != 0 {
		t.Errorf("%d, %d calls", w.Code, len(k.api.calls))
	}
	wantIn(t, w.Body.String(), `data-state="old_form"`)
}

func TestShop_places_an_order(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	wantIn(t, k.get("/").Body.String(), `data-state="ready"`, "EUR 15.00")
	wantIn(t, k.post("/", "key=1&qty_mug=0").Body.String(), `data-state="empty"`, "Choose at least one thing.")
	id, token := k.put(newState())
	k.api.answers["POST /v1/orders"] = kitAnswer{201, `{"id":"` + id + `","tracking_token":"` + token + `"}`}
	w := k.post("/", "key=abc&qty_mug=2&qty_plate=1&qty_bowl=-4")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/checkout/"+id || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if call := k.api.calls[0]; call.Header.Get("Authorization") != "Bearer sk_test_demo" || call.Header.Get("Idempotency-Key") != "abc" {
		t.Errorf("%v", call.Header)
	}
	k.api.answers["POST /v1/orders"] = kitAnswer{503, `{"code":"unavailable","status":503}`}
	wantIn(t, k.post("/", "key=1&qty_mug=1").Body.String(), `data-state="down"`)
	off := newKit(t, func(d *Deps) { d.Sandbox = false })
	wantIn(t, off.get("/").Body.String(), `data-state="sandbox_off"`)
	if w := off.post("/", "key=1&qty_mug=1"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
}

func TestClientFiles(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, path := range []string{"/client/tracker.js", "/client/v1/tracker.js", "/client/words.de.json", "/client/icon.svg"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		w := k.do(r)
		if w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("ETag") == "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if strings.HasSuffix(path, "tracker.js") && w.Body.Len() >= 6<<10 {
			t.Errorf("%s has %d bytes; 6 KB is the limit", path, w.Body.Len())
		}
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		if again := k.do(r); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
	if w := k.get("/client/../page_files.go"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
}

func TestWords_complete(t *testing.T) {
	t.Parallel()
	all := testWords(t)
	holes := regexp.MustCompile(`\{(\w+)`)
	for lang, w := range all {
		for key, english := range all["en"].text {
			if w.text[key] == "" && !strings.Contains(key, ".") {
				t.Errorf("%s has no %q", lang, key)
			}
			for _, hole := range holes.FindAllStringSubmatch(w.text[key], -1) {
				if !strings.Contains(english, hole[0]) {
					t.Errorf("%s: %q has an unknown %s", lang, key, hole[1])
				}
			}
		}
	}
}

func TestDocs_show_every_operation_and_code(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	body := k.get("/docs").Body.String()
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, methods := range doc.Paths {
		for _, op := range methods {
			if op.OperationID != "" && !strings.Contains(body, `<article id="`+op.OperationID+`">`) {
				t.Errorf("no %s", op.OperationID)
			}
		}
	}
	for _, c := range Codes() {
		wantIn(t, body, `<div id="`+c.Code+`">`)
	}
	wantIn(t, body, "Bearer sk_test_demo", `data-state="ready"`)
	off := newKit(t, func(d *Deps) { d.Sandbox = false }).get("/docs").Body.String()
	wantIn(t, off, `data-state="no_key"`)
	if strings.Contains(off, "sk_test_demo") {
		t.Error("the key is shown outside the sandbox")
	}
}

func TestStaticErrors_need_nothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"500", "503"} {
		body, err := pageFiles.ReadFile("static/errors/" + name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`src=|url\(|<link|style=|href="[^"]`).Match(body) {
			t.Errorf("%s.html asks for something else", name)
		}
		proxy := "../config/deploy/"
		if there, err := os.ReadFile(proxy + "errors/" + name + ".html"); err != nil || !bytes.Equal(there, body) {
			t.Errorf("the proxy's %s.html is another one (%v)", name, err)
		}
		conf, err := os.ReadFile(proxy + "nginx.conf")
		if err != nil {
			t.Fatal(err)
		}
		for _, hash := range append(inlineHashes(body, "style"), inlineHashes(body, "script")...) {
			if !bytes.Contains(conf, []byte(hash)) {
				t.Errorf("nginx.conf does not allow what is inline in %s.html: %s", name, hash)
			}
		}
	}
	k := newKit(t)
	delete(k.site.templates, "error")
	w := k.get("/nothing")
	wantIn(t, w.Body.String(), "Something went wrong on our side", "Request req_")
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "'sha256-") || strings.Contains(csp, "unsafe") {
		t.Error(csp)
	}
}
