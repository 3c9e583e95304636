package sandboxbank_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tracker/payments"
	"tracker/payments/sandboxbank"
)

func TestAPI_wants_the_secret(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, path := range []string{"/sessions", "/sessions/x/capture", "/sessions/x/refunds", "/sessions/x/decide", "/faults"} {
		for _, secret := range []string{"", secretB, secretA[:len(secretA)-4], "whsec_", strings.TrimPrefix(secretA, "whsec_"), secretA + "x"} {
			if status, body := h.post(path, secret, "{}"); status != http.StatusUnauthorized || strings.Contains(body, "whsec") {
				t.Errorf("%s with %.8q: %d %s", path, secret, status, body)
			}
		}
	}
	// Our own secret being wrong is for an operator to mend, and not the end of a payment.
	if _, err := h.newClient(secretB).Session(t.Context(), "x"); !errors.Is(err, payments.ErrUnavailable) {
		t.Errorf("client: %v", err)
	}
}

func TestAPI_refuses(t *testing.T) {
	t.Parallel()
	h := setup(t)
	good := `{"payment":"pay_1","amount":1,"currency":"EUR"`
	for name, tc := range map[string]struct {
		path, body string
		status     int
	}{
		"no body":             {"/sessions", "", 422},
		"no json":             {"/sessions", "x", 400},
		"half json":           {"/sessions", good, 400},
		"two values":          {"/sessions", good + "}{}", 400},
		"unknown member":      {"/sessions", good + `,"x":1}`, 400},
		"huge body":           {"/sessions", strings.Repeat(" ", 1<<20) + good + "}", 413},
		"fraction":            {"/sessions", `{"payment":"p","amount":1.5,"currency":"EUR"}`, 400},
		"beyond int64":        {"/sessions", `{"payment":"p","amount":9223372036854775808,"currency":"EUR"}`, 400},
		"zero":                {"/sessions", `{"payment":"p","amount":0,"currency":"EUR"}`, 422},
		"negative":            {"/sessions", `{"payment":"p","amount":-1,"currency":"EUR"}`, 422},
		"no payment":          {"/sessions", `{"amount":1,"currency":"EUR"}`, 422},
		"unknown currency":    {"/sessions", `{"payment":"p","amount":1,"currency":"XXX"}`, 422},
		"odd capture":         {"/sessions", good + `,"capture":"later"}`, 422},
		"script as return":    {"/sessions", good + `,"return_url":"javascript:alert(1)"}`, 422},
		"data as return":      {"/sessions", good + `,"return_url":"data:text/html,x"}`, 422},
		"relative return":     {"/sessions", good + `,"return_url":"//evil.example"}`, 422},
		"password in address": {"/sessions", good + `,"callback_url":"http://u:p@shop.example/"}`, 422},
		"endless shop":        {"/sessions", good + `,"shop":"` + strings.Repeat("x", 501) + `"}`, 422},
		"unknown session":     {"/sessions/ses_x/void", "{}", 404},
		"unknown decision":    {"/sessions/ses_x/decide", `{"decision":"maybe"}`, 404},
		"unknown path":        {"/nothing", "{}", 404},
	} {
		if status, body := h.post(tc.path, secretA, tc.body); status != tc.status {
			t.Errorf("%s: %d %.200s", name, status, body)
		}
	}
	id := h.open("pay_1", payments.CaptureAutomatic)
	if status, _ := h.post("/sessions/"+id+"/decide", secretA, `{"decision":"maybe"}`); status != 422 {
		t.Errorf("unknown decision: %d", status)
	}
	if status, _ := h.post("/sessions", secretA, `{"payment":"pay_1","amount":1,"currency":"EUR"}`); status != 409 {
		t.Errorf("the payment over another amount: %d", status)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/sessions/"+id+"/capture", nil)
	r.Header.Set("Authorization", "Bearer "+secretA)
	if answer, err := http.DefaultClient.Do(r); err != nil || answer.StatusCode != 422 {
		t.Errorf("without a key: %v, %v", answer, err)
	}
}

func TestAPI_takes_both_secrets_during_a_rotation(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *sandboxbank.Options) { o.Secrets = []string{secretB, secretA} })
	id := h.open("pay_1", payments.CaptureAutomatic) // the shop still has the old one only
	if _, err := h.newClient(secretB).Decide(t.Context(), id, sandboxbank.DecideRequest{Decision: sandboxbank.Approve}); err != nil {
		t.Fatal(err)
	}
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
}

func TestAPI_concurrent_refunds_never_exceed_what_was_captured(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	var wg sync.WaitGroup
	var made atomic.Int64
	for i := range 40 {
		wg.Go(func() {
			in := payments.NewTransfer{Key: string(rune('A' + i/2)), Reference: id, Amount: eur(300)} // each key twice
			_, err := h.provider.Refund(t.Context(), in)
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, payments.ErrRejected):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r := h.status(id)
	if len(r.Transfers) != 13 || made.Load() < 13 || made.Load() > 26 { // 4198 / 300
		t.Errorf("%d refunds, %d successes", len(r.Transfers), made.Load())
	}
}

func TestAPI_concurrent_creates_open_one_session(t *testing.T) {
	t.Parallel()
	h := setup(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for range 30 {
		wg.Go(func() {
			s, err := h.client.Open(t.Context(), sandboxbank.SessionRequest{Payment: "pay_1", Amount: 1, Currency: "JPY"})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[s.ID] = true
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("%d sessions", len(ids))
	}
}

func TestProvider_without_a_bank_is_unavailable(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.halt()
	if _, err := h.provider.Status(t.Context(), "ses_1"); !errors.Is(err, payments.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestProvider_refuses_answers_about_something_else(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"another session": `{"id":"ses_2","status":"captured","amount":1,"captured":1}`,
		"no id":           `{"status":"captured","amount":1}`,
		"unknown status":  `{"id":"ses_1","status":"splendid","amount":1}`,
		"no amount":       `{"id":"ses_1","status":"captured"}`,
		"list":            `[]`,
		"null":            `null`,
	} {
		server := answering(t, http.StatusOK, body)
		p, err := sandboxbank.NewProvider(sandboxbank.ProviderOptions{BaseURL: server, Secrets: []string{secretA}})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := p.Status(t.Context(), "ses_1"); !errors.Is(err, payments.ErrTimeout) || r.State != "" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if s, err := p.Create(t.Context(), payments.NewSession{Payment: "pay_1"}); err == nil {
			t.Errorf("%s: create took it: %+v", name, s)
		}
	}
}

func TestProvider_reads_refusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
		want   error
	}{
		{400, `{"error":{"code":"bad_thing"}}`, payments.ErrRejected},
		{404, `{"error":{"code":"not_found"}}`, payments.ErrRejected},
		{404, `<html>nginx`, payments.ErrTimeout}, // a proxy's 404 says nothing about the payment
		{401, `{"error":{"code":"unauthorized"}}`, payments.ErrUnavailable},
		{429, ``, payments.ErrUnavailable},
		{503, `<html>`, payments.ErrUnavailable},
		{500, `{"error":{"code":"internal"}}`, payments.ErrTimeout},
		{502, `<html>`, payments.ErrTimeout},
		{302, ``, payments.ErrTimeout},
	} {
		p, err := sandboxbank.NewProvider(sandboxbank.ProviderOptions{BaseURL: answering(t, tc.status, tc.body), Secrets: []string{secretA}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Status(t.Context(), "ses_1")
		if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "whsec_") {
			t.Errorf("%d %s: %v", tc.status, tc.body, err)
		}
	}
}

func TestNewProvider_and_New_check_their_options(t *testing.T) {
	t.Parallel()
	for _, o := range []sandboxbank.ProviderOptions{
		{}, {Secrets: []string{secretA}}, {Secrets: []string{secretA}, BaseURL: "bank"},
		{Secrets: []string{secretA}, BaseURL: "http://bank", PublicURL: "nowhere"},
		{Secrets: []string{secretA}, BaseURL: "http://bank", CallbackURL: "/relative"},
		{BaseURL: "http://bank"},
	} {
		if _, err := sandboxbank.NewProvider(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := sandboxbank.New(sandboxbank.Options{}); err == nil {
		t.Error("a bank without a secret opened")
	}
	p, err := sandboxbank.NewProvider(sandboxbank.ProviderOptions{
		BaseURL: "http://10.0.0.7:8090/bank", PublicURL: "https://bank.example:8443/x", Secrets: []string{secretA},
	})
	if err != nil || p.Name() != "sandbox" || len(p.Origins()) != 1 || p.Origins()[0] != "https://bank.example:8443" {
		t.Errorf("%v %v", p.Origins(), err)
	}
}

func TestProvider_waits_no_longer_than_it_may(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultTimeout})
	_, err := h.shortly(func() bool { return true }).Status(t.Context(), id)
	if !errors.Is(err, payments.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
