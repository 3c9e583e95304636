package sandboxbank_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/sandboxbank"
)

// browse asks without following redirects, as a test must see them.
func (h *house) browse(method, path string, form url.Values) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer, string(body)
}

func state(body string) string {
	m := regexp.MustCompile(`data-state="([a-z]+)"`).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestPage_open(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	answer, body := h.browse(http.MethodGet, "/pay/"+id, nil)
	if answer.StatusCode != 200 || state(body) != "open" {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	for _, d := range sandboxbank.Decisions() {
		if !strings.Contains(body, `name="decision" value="`+string(d)+`"`) {
			t.Errorf("no button for %s", d)
		}
	}
	for _, words := range []string{
		"Kiln &amp; Clay", "EUR 41.98", "Order <bdi>1042</bdi>. ", "Nobody pays.", "Calls the shop at once.", "You will see: Paid, at once.",
		"Say nothing yet", "Approve, but never call back", "Approve too late", "Approve, and say it three times", "Approve, then an old message",
		"Approve another amount", "Approve, then take it back", "Be out of order", "Ordinary", "Slow", "Confusing", "Wrong", "Broken",
		"Demo. No real money, nothing is shipped.",
	} {
		if !strings.Contains(body, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	if n := strings.Count(body, "<h1"); n != 1 {
		t.Errorf("%d h1", n)
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "style=") || strings.Contains(body, "<style") {
		t.Error("script or inline style")
	}
}

func TestPage_security_headers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	answer, _ := h.browse(http.MethodGet, "/pay/"+id, nil)
	policy := answer.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self' http://shop.example", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %q in %q", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("headers %v", answer.Header)
	}
	answer, body := h.browse(http.MethodGet, "/pay/ses_nobody", nil)
	if answer.StatusCode != 404 || state(body) != "unknown" || !strings.Contains(body, "No such session.") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

func TestPage_every_decision_goes_back_to_the_shop(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, d := range sandboxbank.Decisions() {
		id := h.open("pay_"+string(d), payments.CaptureAutomatic)
		answer, _ := h.browse(http.MethodPost, "/pay/"+id, url.Values{"decision": {string(d)}})
		want := "http://shop.example/checkout/ord_1?lang=de&from=bank"
		if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%s: %d %s", d, answer.StatusCode, got)
		}
	}
}

func TestPage_without_a_return_address_stays_at_the_bank(t *testing.T) {
	t.Parallel()
	h := setup(t)
	s, err := h.client.Open(t.Context(), sandboxbank.SessionRequest{Payment: "pay_1", Amount: 500, Currency: "JPY"})
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := h.browse(http.MethodPost, "/pay/"+s.ID, url.Values{"decision": {"approve"}})
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/pay/"+s.ID {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	_, body := h.browse(http.MethodGet, "/pay/"+s.ID, nil)
	if state(body) != "decided" || !strings.Contains(body, "JPY 500") || strings.Contains(body, "Back to the shop") {
		t.Error(body)
	}
}

func TestPage_a_double_press_decides_once(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	for range 2 {
		answer, _ := h.browse(http.MethodPost, "/pay/"+id, url.Values{"decision": {"approve"}})
		if answer.StatusCode != http.StatusSeeOther {
			t.Errorf("%d", answer.StatusCode)
		}
	}
	answer, _ := h.browse(http.MethodPost, "/pay/"+id, url.Values{"decision": {"decline"}})
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/pay/"+id {
		t.Errorf("another decision: %d %v", answer.StatusCode, answer.Header)
	}
	_, body := h.browse(http.MethodGet, "/pay/"+id, nil)
	if state(body) != "decided" || !strings.Contains(body, "You chose Approve at") || !strings.Contains(body, "10:00 UTC") || !strings.Contains(body, "Back to the shop") {
		t.Error(body)
	}
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
	h.quiet()
}

func TestPage_pend_can_be_decided_later(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.browse(http.MethodPost, "/pay/"+id, url.Values{"decision": {"pend"}})
	h.advance(25 * time.Hour)
	_, body := h.browse(http.MethodGet, "/pay/"+id, nil)
	if state(body) != "open" || !strings.Contains(body, "You chose Say nothing yet at") || !strings.Contains(body, "Mon 23 Nov, 10:00 UTC") {
		t.Error(body)
	}
	h.browse(http.MethodPost, "/pay/"+id, url.Values{"decision": {"decline"}})
	h.want(h.shop.next(t), id, "payment.failed", payments.ReportFailed, 4198)
}

func TestPage_expired_and_cancelled(t *testing.T) {
	t.Parallel()
	h := setup(t)
	expired, cancelled := h.open("pay_1", payments.CaptureAutomatic), h.open("pay_2", payments.CaptureAutomatic)
	if _, err := h.provider.Cancel(t.Context(), payments.Operation{Reference: cancelled}); err != nil {
		t.Fatal(err)
	}
	h.advance(30 * time.Minute)
	_, body := h.browse(http.MethodGet, "/pay/"+expired, nil)
	if state(body) != "expired" || !strings.Contains(body, "This session ran out at") || !strings.Contains(body, "10:30 UTC") {
		t.Error(body)
	}
	_, body = h.browse(http.MethodGet, "/pay/"+cancelled, nil)
	if state(body) != "cancelled" {
		t.Error(body)
	}
	for _, id := range []string{expired, cancelled} {
		answer, _ := h.browse(http.MethodPost, "/pay/"+id, url.Values{"decision": {"approve"}})
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/pay/"+id {
			t.Errorf("%d %v", answer.StatusCode, answer.Header)
		}
	}
	h.quiet()
}

func TestPage_refuses_odd_forms(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	for _, form := range []url.Values{{}, {"decision": {""}}, {"decision": {"maybe"}}, {"decision": {strings.Repeat("x", 1<<16)}}} {
		answer, body := h.browse(http.MethodPost, "/pay/"+id, form)
		if answer.StatusCode != http.StatusUnprocessableEntity || state(body) != "open" || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%d %.100s", answer.StatusCode, body)
		}
	}
	if answer, _ := h.browse(http.MethodPost, "/pay/ses_nobody", url.Values{"decision": {"approve"}}); answer.StatusCode != 404 {
		t.Errorf("unknown session: %d", answer.StatusCode)
	}
	if answer, _ := h.browse(http.MethodDelete, "/pay/"+id, nil); answer.StatusCode != 404 && answer.StatusCode != 405 {
		t.Errorf("DELETE: %d", answer.StatusCode)
	}
}

func TestPage_names_from_outside_stay_text(t *testing.T) {
	t.Parallel()
	h := setup(t)
	s, err := h.client.Open(t.Context(), sandboxbank.SessionRequest{
		Payment: "pay_1", Amount: 1, Currency: "EUR", Shop: `<script>alert(1)</script>`, OrderReference: `"><img src=x onerror=alert(1)>`,
		ReturnURL: `https://shop.example/?a="><script>`,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, body := h.browse(http.MethodGet, "/pay/"+s.ID, nil)
	if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
		t.Error(body)
	}
}

func TestPage_assets(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	_, body := h.browse(http.MethodGet, "/pay/"+id, nil)
	style := regexp.MustCompile(`/bank\.css\?v=[0-9a-f]+`).FindString(body)
	for path, kind := range map[string]string{style: "text/css; charset=utf-8", "/bank.svg": "image/svg+xml"} {
		answer, text := h.browse(http.MethodGet, path, nil)
		if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != kind || text == "" {
			t.Errorf("%s: %d %v", path, answer.StatusCode, answer.Header)
		}
	}
}
