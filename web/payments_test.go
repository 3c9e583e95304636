package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tracker/payments"
)

func TestPayments_start(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()
	id := order["id"].(string)
	var got payments.Start
	s.payments.StartFunc = func(_ context.Context, in payments.Start) (payments.Payment, error) {
		got = in
		return samplePayment(in.Merchant, in.OrderID, payments.StatusRequiresAction), nil
	}
	body := `{"order_id":"` + id + `","return_url":"https://kiln.example/return"}`
	res := s.do(http.MethodPost, "/v1/payments", body, header{"Idempotency-Key": "p-1"})
	if v := res.json(t); res.StatusCode != http.StatusCreated || v["next_action"].(map[string]any)["type"] != "redirect" {
		t.Fatalf("start: %d %s", res.StatusCode, res.body)
	}
	if got.Merchant != s.merchant.ID || got.By != payments.CauseMerchant || got.Key != "p-1" || got.ReturnURL != "https://kiln.example/return" {
		t.Errorf("service was asked %+v", got)
	}
	// The shopper may too, and never under the merchant's key.
	res = s.do(http.MethodPost, "/v1/payments", body, header{"Idempotency-Key": "p-1", "Authorization": "Bearer " + order["tracking_token"].(string)})
	if res.StatusCode != http.StatusCreated || got.Merchant != s.merchant.ID || got.By != payments.CauseShopper || got.Key == "p-1" || !strings.HasSuffix(got.Key, "p-1") {
		t.Errorf("shopper: %d, service was asked %+v", res.StatusCode, got)
	}
}

func TestPayments_a_shopper_may_not_force(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order := s.createOrder()
	token := header{"Authorization": "Bearer " + order["tracking_token"].(string)}
	for _, extra := range []string{`"force":true`, `"capture":"manual"`, `"provider":"sandbox"`} {
		res := s.do(http.MethodPost, "/v1/payments", `{"order_id":"`+order["id"].(string)+`",`+extra+`}`, token)
		wantProblem(t, res, http.StatusForbidden, "forbidden")
	}
	s.do(http.MethodPost, "/v1/orders/"+order["id"].(string)+"/token", "", nil)
	res := s.do(http.MethodPost, "/v1/payments", `{"order_id":"`+order["id"].(string)+`"}`, token)
	wantProblem(t, res, http.StatusUnauthorized, "unauthorized")
}

// The ETag is the sequence, which does not count the questions to the bank: whoever
// looks at those is not told that nothing changed.
func TestPayments_a_check_is_seen(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	checks := 0
	s.payments.GetFunc = func(_ context.Context, merchant, id string) (payments.Payment, error) {
		p := samplePayment(merchant, "ord_1", payments.StatusProcessing)
		checks++
		p.Checks = checks
		return p, nil
	}
	first := s.do(http.MethodGet, "/v1/payments/pay_1", "", nil)
	again := s.do(http.MethodGet, "/v1/payments/pay_1", "", header{"If-None-Match": first.Header.Get("ETag")})
	if again.StatusCode != http.StatusOK || first.json(t)["checks"] != float64(1) || again.json(t)["checks"] != float64(2) {
		t.Errorf("first %s, again %d %s", first.body, again.StatusCode, again.body)
	}
}

func TestPayments_an_open_payment_is_named(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	open := samplePayment(s.merchant.ID, "ord_1", payments.StatusProcessing)
	s.payments.StartFunc = func(context.Context, payments.Start) (payments.Payment, error) {
		return payments.Payment{}, &payments.ConflictError{Code: payments.CodePaymentOpen, Detail: "undecided", Status: "processing", Sequence: 2, Payment: &open}
	}
	p := wantProblem(t, s.do(http.MethodPost, "/v1/payments", `{"order_id":"ord_1"}`, nil), http.StatusConflict, "payment_open")
	if p["current"].(map[string]any)["payment"].(map[string]any)["id"] != open.ID {
		t.Errorf("current %v", p["current"])
	}
}

func TestPayments_commands(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	var op string
	var cmd payments.Command
	var amount int64
	s.payments.CommandFunc = func(_ context.Context, o string, in payments.Command, a int64) (payments.Payment, error) {
		op, cmd, amount = o, in, a
		return samplePayment(in.Merchant, "ord_1", payments.StatusCaptured), nil
	}
	for path, tt := range map[string]struct {
		body, op string
		amount   int64
	}{
		"capture": {`{"amount":3000}`, "capture", 3000}, "void": {``, "void", 0}, "cancel": {`{}`, "cancel", 0},
		"review": {`{"decision":"return"}`, "review return", 0},
	} {
		res := s.do(http.MethodPost, "/v1/payments/pay_1/"+path, tt.body, header{"If-Match": `"4"`, "Idempotency-Key": path})
		if res.StatusCode != http.StatusOK || op != tt.op || amount != tt.amount || cmd.IfSequence != 4 || cmd.ID != "pay_1" || cmd.Key != path {
			t.Errorf("%s: %d %s, asked %s %+v %d", path, res.StatusCode, res.body, op, cmd, amount)
		}
	}
	for _, amount := range []string{"0", "-1", "1.5", `"all"`} {
		wantProblem(t, s.do(http.MethodPost, "/v1/payments/pay_1/capture", `{"amount":`+amount+`}`, nil), http.StatusUnprocessableEntity, "invalid_request", "/amount")
	}
	wantProblem(t, s.do(http.MethodPost, "/v1/payments/pay_1/review", `{"decision":"perhaps"}`, nil), http.StatusUnprocessableEntity, "invalid_request", "/decision")
	s.payments.CommandFunc = nil
	for _, path := range []string{"capture", "void", "cancel"} {
		wantProblem(t, s.do(http.MethodPost, "/v1/payments/pay_1/"+path, "", nil), http.StatusNotFound, "not_found")
	}
}

func TestPayments_read(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	order, stranger := s.createOrder(), s.createOrder()
	payment := samplePayment(s.merchant.ID, order["id"].(string), payments.StatusProcessing)
	s.payments.GetFunc = func(_ context.Context, merchant, id string) (payments.Payment, error) {
		if merchant != payment.Merchant || id != payment.ID {
			return payments.Payment{}, payments.ErrNotFound
		}
		return payment, nil
	}
	s.payments.ListFunc = func(_ context.Context, merchant string, f payments.Filter) (payments.Page, error) {
		if merchant != payment.Merchant || f.OrderID != payment.OrderID && f.Reference != "sess_8Kf2" {
			return payments.Page{}, nil
		}
		return payments.Page{Payments: []payments.Payment{payment}}, nil
	}
	token := header{"Authorization": "Bearer " + order["tracking_token"].(string)}
	for _, h := range []header{nil, token} {
		if res := s.do(http.MethodGet, "/v1/payments/"+payment.ID, "", h); res.StatusCode != http.StatusOK || len(res.json(t)["timeline"].([]any)) != 2 {
			t.Errorf("get: %d %s", res.StatusCode, res.body)
		}
		if list := s.do(http.MethodGet, "/v1/payments?order_id="+payment.OrderID, "", h).json(t); len(list["data"].([]any)) != 1 {
			t.Errorf("list: %v", list)
		}
	}
	if list := s.do(http.MethodGet, "/v1/payments?reference=sess_8Kf2", "", nil).json(t); len(list["data"].([]any)) != 1 {
		t.Errorf("by the provider's reference: %v", list)
	}
	wantProblem(t, s.do(http.MethodGet, "/v1/payments?reference=sess_8Kf2", "", token), http.StatusNotFound, "not_found")
	for _, who := range []string{stranger["tracking_token"].(string), s.other} {
		wantProblem(t, s.do(http.MethodGet, "/v1/payments/"+payment.ID, "", header{"Authorization": "Bearer " + who}), http.StatusNotFound, "not_found")
	}
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	payment := samplePayment(s.merchant.ID, "ord_1", payments.StatusCaptured)
	refund := payments.Refund{ID: "ref_1", PaymentID: payment.ID, Amount: 1000, Status: payments.RefundPending, CreatedAt: payment.CreatedAt, UpdatedAt: payment.UpdatedAt}
	var insisted int64
	s.payments.RefundFunc = func(_ context.Context, in payments.NewRefund) (payments.Refund, payments.Payment, error) {
		insisted = in.IfSequence
		if in.Amount > 4198 {
			return payments.Refund{}, payments.Payment{}, &payments.ConflictError{Code: payments.CodeRefundExceeds, Status: "captured", Sequence: 2}
		}
		return refund, payment, nil
	}
	s.payments.GetRefundFunc = func(_ context.Context, _, id string) (payments.Refund, error) {
		if id != refund.ID {
			return payments.Refund{}, payments.ErrNotFound
		}
		return refund, nil
	}
	body := `{"payment_id":"` + payment.ID + `","amount":1000}`
	if res := s.do(http.MethodPost, "/v1/refunds", body, header{"If-Match": `"2"`}); res.StatusCode != http.StatusCreated || res.Header.Get("Location") != "/v1/refunds/ref_1" || insisted != 2 {
		t.Errorf("refund: %d %s", res.StatusCode, res.body)
	}
	wantProblem(t, s.do(http.MethodPost, "/v1/refunds", strings.Replace(body, "1000", "4199", 1), nil), http.StatusConflict, "refund_exceeds")
	wantProblem(t, s.do(http.MethodPost, "/v1/refunds", `{"amount":1}`, nil), http.StatusUnprocessableEntity, "invalid_request", "/payment_id")
	narrow := s.newKey(s.merchant.ID, "read", "write")
	wantProblem(t, s.do(http.MethodPost, "/v1/refunds", body, header{"Authorization": "Bearer " + narrow}), http.StatusForbidden, "forbidden")
	if res := s.do(http.MethodGet, "/v1/refunds/ref_1", "", nil); res.StatusCode != http.StatusOK {
		t.Errorf("get: %d %s", res.StatusCode, res.body)
	}
	wantProblem(t, s.do(http.MethodGet, "/v1/refunds/ref_2", "", nil), http.StatusNotFound, "not_found")
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	var raw string
	var answer error
	s.payments.CallbackFunc = func(_ context.Context, provider string, h map[string][]string, body []byte) error {
		raw = provider + " " + http.Header(h).Get("webhook-id") + " " + string(body)
		return answer
	}
	body := "{ \"type\" :\t\"payment.succeeded\",\"x\":1,\"x\":2}\n"
	anonymous := header{"Authorization": "", "webhook-id": "msg_1"}
	if res := s.do(http.MethodPost, "/v1/callbacks/sandbox", body, anonymous); res.StatusCode != http.StatusOK || raw != "sandbox msg_1 "+body {
		t.Errorf("callback: %d, service got %q", res.StatusCode, raw)
	}
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{payments.ErrForged, 401, "forged_callback"}, {payments.ErrMalformed, 400, "malformed_callback"}, {payments.ErrNotFound, 404, "not_found"},
		{errors.New("insert into inbox: password=hunter2"), 500, "internal"}, {context.DeadlineExceeded, 503, "unavailable"},
	} {
		answer = tt.err
		res := s.do(http.MethodPost, "/v1/callbacks/sandbox", body, anonymous)
		wantProblem(t, res, tt.status, tt.code)
		if strings.Contains(string(res.body), "hunter2") {
			t.Errorf("the answer shows our insides: %s", res.body)
		}
	}
}

func TestPayments_the_bank_is_away(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	for _, err := range []error{&payments.UnavailableError{RetryAfter: 7e9}, payments.ErrTimeout} {
		s.payments.StartFunc = func(context.Context, payments.Start) (payments.Payment, error) { return payments.Payment{}, err }
		res := s.do(http.MethodPost, "/v1/payments", `{"order_id":"ord_1"}`, nil)
		wantProblem(t, res, http.StatusServiceUnavailable, "provider_unavailable")
		if res.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}

// A command that calls a bank is claimed, not held in a transaction: a copy that
// arrives meanwhile, in whatever process, is told to wait, and one that arrives
// afterwards gets the same answer. The bank is asked once.
func TestPayments_a_copy_of_a_running_command_waits(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		started, finish := make(chan struct{}), make(chan struct{})
		var calls atomic.Int32
		s.payments.StartFunc = func(_ context.Context, in payments.Start) (payments.Payment, error) {
			calls.Add(1)
			close(started)
			<-finish
			return samplePayment(in.Merchant, in.OrderID, payments.StatusRequiresAction), nil
		}
		other := s.serve()
		var first response
		var running sync.WaitGroup
		running.Go(func() {
			first = s.do(http.MethodPost, "/v1/payments", `{"order_id":"ord_1"}`, header{"Idempotency-Key": "k"})
		})
		<-started
		for _, url := range []string{s.url, other} {
			res := s.do(http.MethodPost, url+"/v1/payments", `{"order_id":"ord_1"}`, header{"Idempotency-Key": "k"})
			wantProblem(t, res, http.StatusConflict, "idempotency_in_progress")
			if res.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			wantProblem(t, s.do(http.MethodPost, url+"/v1/payments", `{"order_id":"ord_2"}`, header{"Idempotency-Key": "k"}), http.StatusUnprocessableEntity, "idempotency_key_reused")
		}
		close(finish)
		running.Wait()
		again := s.do(http.MethodPost, other+"/v1/payments", `{"order_id":"ord_1"}`, header{"Idempotency-Key": "k"})
		if again.Header.Get("Idempotency-Replayed") != "true" || string(again.body) != string(first.body) || calls.Load() != 1 {
			t.Errorf("%d calls; first %s, again %s", calls.Load(), first.body, again.body)
		}
	})
}
