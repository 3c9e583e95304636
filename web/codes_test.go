package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/notify/webhooks"
	"tracker/orders"
	"tracker/payments"
	"tracker/web"
	"tracker/web/apikeys"
)

// failing is what the services answer, whatever they are asked.
type failing struct {
	err   error
	panic any
}

// unreached is the error of a database or a broker that is away.
type unreached struct{}

func (unreached) Error() string     { return "dial tcp secret:5432: connection refused" }
func (unreached) Unavailable() bool { return true }

type failingOrders struct {
	web.Orders
	f *failing
}

func (o failingOrders) Cancel(context.Context, string, string, orders.Cancellation) (orders.Order, error) {
	if o.f.panic != nil {
		panic(o.f.panic)
	}
	return orders.Order{}, o.f.err
}

type failingFeeds struct{ f *failing }

func (o failingFeeds) ServeFeed(http.ResponseWriter, *http.Request, notify.Access) error {
	return o.f.err
}

func (o failingFeeds) ServeStatus(http.ResponseWriter, *http.Request, notify.Access) error {
	return o.f.err
}

func (o failingFeeds) ServeFirehose(http.ResponseWriter, *http.Request, string, string, string) error {
	return o.f.err
}

func (o failingFeeds) Newest(context.Context, notify.Access) (eventwire.Event, error) {
	return eventwire.Event{}, o.f.err
}

// TestCodes: what each error of a service looks like from outside.
func TestCodes(t *testing.T) {
	t.Parallel()
	f := &failing{}
	s := sqliteStack(t, func(d *web.Deps) { d.Orders, d.Feeds = failingOrders{f: f}, failingFeeds{f} })
	s.payments.CommandFunc = func(context.Context, string, payments.Command, int64) (payments.Payment, error) {
		return payments.Payment{}, f.err
	}
	const id = "01jd9zq3k4e8xv7t2m5n6p8r9s"
	const order, feed, payment, replay = "POST /v1/orders/ord_" + id + "/cancel", "GET /v1/orders/ord_" + id + "/events", "POST /v1/payments/pay_" + id + "/capture", "POST /v1/webhook_endpoints/whe_1/replay"
	conflictOf := func(code string) error { return &orders.ConflictError{Code: code, Status: "confirmed", Sequence: 3} }
	paymentConflict := func(code string) error { return &payments.ConflictError{Code: code, Status: "captured", Sequence: 3} }
	for _, tt := range []struct {
		call   string
		err    error
		status int
		code   string
	}{
		{order, conflictOf(orders.CodeConcurrentUpdate), 409, "concurrent_update"}, {order, conflictOf(orders.CodeIllegalTransition), 409, "illegal_transition"},
		{order, conflictOf(orders.CodeOverShipment), 409, "over_shipment"}, {order, conflictOf(orders.CodeTooMany), 409, "too_many"},
		{order, errors.New("no such column: secret_column"), 500, "internal"}, {order, context.DeadlineExceeded, 503, "unavailable"},
		{order, fmt.Errorf("ordersdb: read: %w", unreached{}), 503, "unavailable"}, {payment, fmt.Errorf("payments: start: %w", unreached{}), 503, "unavailable"},
		{payment, paymentConflict(payments.CodeOrderClosed), 409, "order_closed"}, {payment, paymentConflict(payments.CodeOrderPaid), 409, "order_paid"},
		{payment, paymentConflict(payments.CodeBusy), 409, "operation_pending"}, {payment, paymentConflict(payments.CodeCaptureExceeds), 409, "capture_exceeds"},
		{payment, paymentConflict(payments.CodeKeyReused), 409, "key_reused"}, {payment, paymentConflict(payments.CodeCurrency), 409, "currency_mismatch"},
		{payment, paymentConflict(payments.CodeRejected), 409, "rejected_by_provider"}, {payment, &payments.RejectedError{Code: "x"}, 409, "rejected_by_provider"},
		{replay, &webhooks.ConflictError{Code: "endpoint_limit"}, 409, "endpoint_limit"},
		{feed, &notify.LimitError{Limit: "total", Total: true, RetryAfter: 1500 * time.Millisecond}, 503, "overloaded"},
		{feed, &notify.LimitError{Limit: "feed", RetryAfter: time.Second}, 429, "too_many_watchers"},
		{feed, notify.ErrUnavailable, 503, "unavailable"}, {feed, notify.ErrOrigin, 403, "cross_origin"},
		{feed, &notify.BadRequestError{Code: "invalid_upgrade", Parameter: "Upgrade"}, 400, "invalid_upgrade"},
		{feed, &notify.BadRequestError{Code: "invalid_query", Parameter: "query"}, 400, "invalid_query"},
	} {
		f.err, s.webhooks.err = tt.err, tt.err
		method, path, _ := strings.Cut(tt.call, " ")
		res := s.do(method, path, `{}`, nil)
		wantProblem(t, res, tt.status, tt.code)
		if (tt.status == 503 || tt.status == 429) != (res.Header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", tt.code, res.Header.Get("Retry-After"))
		}
		if strings.Contains(string(res.body), "secret") {
			t.Errorf("%s shows our insides: %s", tt.code, res.body)
		}
	}
	if logged := s.log.String(); !strings.Contains(logged, "secret_column") {
		t.Error("what went wrong is not in the log")
	}
}

func TestCodes_a_panic_is_a_500(t *testing.T) {
	t.Parallel()
	f := &failing{panic: "index out of range: secret_column"}
	s := sqliteStack(t, func(d *web.Deps) { d.Orders = failingOrders{f: f} })
	res := s.do(http.MethodPost, "/v1/orders/ord_1/cancel", "{}", header{"Idempotency-Key": "k"})
	wantProblem(t, res, http.StatusInternalServerError, "internal")
	if strings.Contains(string(res.body), "secret_column") || !strings.Contains(s.log.String(), "secret_column") {
		t.Errorf("answer %s", res.body)
	}
	f.panic, f.err = nil, orders.ErrNotFound
	wantProblem(t, s.do(http.MethodPost, "/v1/orders/ord_1/cancel", "{}", header{"Idempotency-Key": "k"}), http.StatusNotFound, "not_found")
}

func TestCodes_are_unique_and_complete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range web.Codes() {
		if seen[c.Code] || c.Status < 400 || c.Title == "" || c.Meaning == "" || c.Fix == "" {
			t.Errorf("%+v", c)
		}
		seen[c.Code] = true
	}
	for _, code := range []string{
		orders.CodeSequenceMismatch, orders.CodeConcurrentUpdate, orders.CodeIllegalTransition, orders.CodeAlreadyShipped, orders.CodeNotConfirmed,
		orders.CodeOnHold, orders.CodeOverShipment, orders.CodeTooMany, payments.CodeIllegalTransition, payments.CodeSequenceMismatch, payments.CodePaymentOpen,
		payments.CodeOrderClosed, payments.CodeOrderPaid, payments.CodeBusy, payments.CodeCaptureExceeds, payments.CodeRefundExceeds, payments.CodeKeyReused,
		payments.CodeCurrency, payments.CodeRejected, payments.CodeTooMany,
	} {
		if !seen[code] {
			t.Errorf("%s is not documented", code)
		}
	}
}

// away is a database that nobody reaches.
type away struct{ web.Keys }

func (away) Verify(context.Context, string) (apikeys.Key, error) {
	return apikeys.Key{}, errors.New("dial tcp 10.0.0.7:5432: connection refused")
}

func TestCodes_keys_that_cannot_be_checked(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t, func(d *web.Deps) { d.Keys = away{} })
	res := s.do(http.MethodGet, "/v1/orders", "", nil)
	wantProblem(t, res, http.StatusServiceUnavailable, "unavailable")
	if strings.Contains(string(res.body), "10.0.0.7") {
		t.Errorf("the answer shows our insides: %s", res.body)
	}
}

// Without a client that waits, nobody is told and nothing is an error of ours.
func TestCodes_a_client_that_left_is_not_an_error_in_the_log(t *testing.T) {
	t.Parallel()
	f := &failing{err: context.Canceled}
	s := sqliteStack(t)
	logs := &syncBuffer{}
	d := s.deps()
	d.Orders, d.Logger = failingOrders{f: f}, slog.New(slog.NewJSONHandler(logs, nil))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/orders/ord_1/cancel", strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer "+s.key)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	must(web.New(d)).ServeHTTP(w, r)
	if _, err := io.Copy(io.Discard, w.Body); err != nil || strings.Contains(logs.String(), "ERROR") {
		t.Errorf("log %s", logs)
	}
}
