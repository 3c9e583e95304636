package stripepay

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"

	"tracker/payments"
)

const (
	maxAnswer         = 2 << 20
	longestRetryAfter = time.Hour
)

var errTooLong = errors.New("stripepay: the answer is too long")

// bounded ends answers that do not end: stripe-go reads them to the last byte.
type bounded struct{ next http.RoundTripper }

// RoundTrip answers what the transport behind it answers, cut off by an error.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil {
		answer.Body = &boundedBody{answer.Body, maxAnswer}
	}
	return answer, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// newClient is a stripe-go client that shares nothing with any other.
func newClient(opts Options) *stripe.Client {
	transport := opts.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String(cmp.Or(opts.BaseURL, stripe.APIURL)),
		MaxNetworkRetries: stripe.Int64(0),
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
		HTTPClient: &http.Client{
			Transport:     bounded{transport},
			Timeout:       cmp.Or(opts.Timeout, 10*time.Second),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	return stripe.NewClient(opts.Key, stripe.WithBackends(&stripe.Backends{
		API: backend, Connect: backend, Uploads: backend, MeterEvents: backend,
	}))
}

// failure puts an error of stripe-go into the words of payments.Provider. It
// never repeats a text: stripe-go's hold whole answers.
func failure(call string, err error) error {
	var refused *stripe.Error
	if errors.As(err, &refused) {
		return refusal(call, refused)
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return &payments.UnavailableError{Err: fmt.Errorf("stripepay: %s: no connection", call)}
	}
	return fmt.Errorf("%w: stripepay: %s: no answer that can be read", payments.ErrTimeout, call)
}

func refusal(call string, e *stripe.Error) error {
	code := word(cmp.Or(string(e.DeclineCode), string(e.Code), string(e.Type)))
	cause := fmt.Errorf("stripepay: %s: status %d %s, request %.40q", call, e.HTTPStatusCode, code, e.RequestID)
	switch status := e.HTTPStatusCode; {
	case e.Type == stripe.ErrorTypeIdempotency:
		// The key did something else before: what, only the status can tell.
		return fmt.Errorf("%w: %w", payments.ErrTimeout, cause)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, status == http.StatusConflict:
		return &payments.UnavailableError{RetryAfter: retryAfter(e), Err: cause}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		// Our key is wrong: nothing happened, and an operator can mend it.
		return &payments.UnavailableError{Err: cause}
	case status >= 400 && status < 500:
		return &payments.RejectedError{Code: code, Err: cause}
	}
	return fmt.Errorf("%w: %w", payments.ErrTimeout, cause)
}

func retryAfter(e *stripe.Error) time.Duration {
	if e.LastResponse == nil {
		return 0
	}
	seconds, err := strconv.Atoi(e.LastResponse.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, longestRetryAfter)
}

// word makes a code from outside fit to be stored and shown.
func word(code string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return -1
	}, code[:min(len(code), 64)])
	return cmp.Or(clean, "refused")
}
