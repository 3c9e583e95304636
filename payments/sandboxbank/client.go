package sandboxbank

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tracker/payments"
)

// maxAnswer bounds what is read of an answer: the bank's are a few kilobytes.
const maxAnswer = 256 << 10

// longestRetryAfter bounds how long a bank can send its callers away.
const longestRetryAfter = time.Hour

// Client calls the bank's API: what the shop may ([Provider] is built on it) and
// what steers the sandbox. Its errors are those that payments.Provider names.
// Safe for concurrent use.
type Client struct {
	base    string
	token   string
	client  *http.Client
	timeout time.Duration
}

// NewClient returns a client of the bank at base, which may have a path.
// timeout bounds each call, 0 is 5 seconds; transport nil is one of its own.
func NewClient(base, secret string, timeout time.Duration, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("sandboxbank: the bank's address is not an http or https URL")
	}
	return &Client{
		base: strings.TrimSuffix(base, "/"), token: secret, timeout: cmp.Or(timeout, 5*time.Second),
		client: &http.Client{
			Transport:     orDefault(transport),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Open creates a session, or returns the one that the payment has already.
func (c *Client) Open(ctx context.Context, in SessionRequest) (Session, error) {
	return send[Session](ctx, c, http.MethodPost, "/sessions", "", in)
}

// Session asks what became of a session.
func (c *Client) Session(ctx context.Context, id string) (Session, error) {
	return send[Session](ctx, c, http.MethodGet, "/sessions/"+url.PathEscape(id), "", nil)
}

// Capture takes what is reserved; the key makes a repetition harmless.
func (c *Client) Capture(ctx context.Context, id, key string, in CaptureRequest) (Session, error) {
	return send[Session](ctx, c, http.MethodPost, "/sessions/"+url.PathEscape(id)+"/capture", key, in)
}

// Void releases what is reserved.
func (c *Client) Void(ctx context.Context, id string) (Session, error) {
	return send[Session](ctx, c, http.MethodPost, "/sessions/"+url.PathEscape(id)+"/void", "", nil)
}

// Cancel ends a session that nobody has decided.
func (c *Client) Cancel(ctx context.Context, id string) (Session, error) {
	return send[Session](ctx, c, http.MethodPost, "/sessions/"+url.PathEscape(id)+"/cancel", "", nil)
}

// Refund gives back; the key makes a repetition harmless.
func (c *Client) Refund(ctx context.Context, id, key string, in RefundRequest) (Refund, error) {
	return send[Refund](ctx, c, http.MethodPost, "/sessions/"+url.PathEscape(id)+"/refunds", key, in)
}

// RefundAtBank is somebody at the bank who gives back: the shop is called about
// it. Amount 0 is all that is left.
func (c *Client) RefundAtBank(ctx context.Context, id string, in BankRefundRequest) (Refund, error) {
	return send[Refund](ctx, c, http.MethodPost, "/sessions/"+url.PathEscape(id)+"/bank_refunds", "", in)
}

// Refunds lists what was given back, oldest first.
func (c *Client) Refunds(ctx context.Context, id string) ([]Refund, error) {
	list, err := send[refundList](ctx, c, http.MethodGet, "/sessions/"+url.PathEscape(id)+"/refunds", "", nil)
	return list.Data, err
}

// Decide presses a button of the bank's page.
func (c *Client) Decide(ctx context.Context, id string, in DecideRequest) (Session, error) {
	return send[Session](ctx, c, http.MethodPost, "/sessions/"+url.PathEscape(id)+"/decide", "", in)
}

// AddFault makes the bank misbehave.
func (c *Client) AddFault(ctx context.Context, in Fault) error {
	_, err := send[faultList](ctx, c, http.MethodPost, "/faults", "", in)
	return err
}

// Faults lists the faults that are live.
func (c *Client) Faults(ctx context.Context) ([]Fault, error) {
	list, err := send[faultList](ctx, c, http.MethodGet, "/faults", "", nil)
	return list.Data, err
}

// ClearFaults makes the bank behave again.
func (c *Client) ClearFaults(ctx context.Context) error {
	_, err := send[faultList](ctx, c, http.MethodDelete, "/faults", "", nil)
	return err
}

// send makes one call and reads its answer, or says in the words of
// payments.Provider why there is none.
func send[T any](ctx context.Context, c *Client, method, path, key string, in any) (T, error) {
	var out T
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return out, fmt.Errorf("sandboxbank: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return out, fmt.Errorf("sandboxbank: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set(keyHeader, key)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return out, unreached(method, path, err)
	}
	defer answer.Body.Close()
	return out, read(answer, &out, method+" "+path)
}

// unreached tells a call that never left from one whose answer is missing. Only
// the first may be called unavailable: after the second, anything can be true.
func unreached(method, path string, err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return &payments.UnavailableError{Err: fmt.Errorf("sandboxbank: %s %s: no connection", method, path)}
	}
	return fmt.Errorf("%w: sandboxbank: %s %s: %w", payments.ErrTimeout, method, path, errors.Unwrap(err))
}

// read turns an answer into a value. A success that is not the JSON it should be
// is no answer at all: a proxy's login page comes with 200 too.
func read(answer *http.Response, out any, call string) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%w: sandboxbank: %s: the answer broke off", payments.ErrTimeout, call)
	}
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		if len(body) > maxAnswer || json.Unmarshal(body, out) != nil {
			return fmt.Errorf("%w: sandboxbank: %s: %d bytes that are not an answer", payments.ErrTimeout, call, len(body))
		}
		return nil
	}
	var refused errorBody
	known := json.Unmarshal(body, &refused) == nil && refused.Error.Code != ""
	cause := fmt.Errorf("sandboxbank: %s: status %d %.40q", call, answer.StatusCode, refused.Error.Code)
	switch code := answer.StatusCode; {
	case code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests:
		return &payments.UnavailableError{RetryAfter: retryAfter(answer.Header), Err: cause}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		// Our own secret is wrong: nothing happened, and an operator can mend it.
		return &payments.UnavailableError{Err: cause}
	case known && code >= 400 && code < 500:
		return &payments.RejectedError{Code: word(refused.Error.Code), Err: cause}
	}
	return fmt.Errorf("%w: %w", payments.ErrTimeout, cause)
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

// retryAfter reads the header in seconds, which is how the bank writes it.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, longestRetryAfter)
}

// orDefault is the given transport, or one like the default that keeps more than
// two connections to the one host that both sides of the bank talk to.
func orDefault(transport http.RoundTripper) http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if transport != nil || !ok {
		return transport
	}
	own := standard.Clone()
	own.MaxIdleConnsPerHost = maxCalls
	return own
}
