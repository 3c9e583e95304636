package main

import (
	"bytes"
	"context"
	"crypto/rand"
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
)

// remote are the flags of every command that talks to a running tracker. Such a
// command uses the public API and nothing else.
type remote struct {
	URL  string `name:"url" placeholder:"URL" help:"The tracker to talk to (TRACKER_URL). Default: http://127.0.0.1:8080."`
	Key  string `placeholder:"KEY" help:"A merchant's key, or where it suffices an order's tracking token (TRACKER_KEY)."`
	JSON bool   `name:"json" help:"Print what the API answers, as JSON."`
}

// dial checks the flags and the environment. It does not connect.
func (r remote) dial(out *console) (*apiClient, error) {
	address := firstOf(r.URL, out.getenv("TRACKER_URL"), "http://127.0.0.1:8080")
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, misused("TRACKER_URL (or --url) must be an address such as http://127.0.0.1:8080, not %q", address)
	}
	key := firstOf(r.Key, out.getenv("TRACKER_KEY"))
	if key == "" {
		return nil, misused("a key is needed: give --key or set TRACKER_KEY (in the sandbox, the server prints one when it starts)")
	}
	if out.transport != nil {
		return &apiClient{base: base, key: key, http: &http.Client{Transport: out.transport}}, nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // an event should arrive when it is sent
	return &apiClient{base: base, key: key, http: &http.Client{Transport: transport}}, nil
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// apiClient speaks the public API. Safe for concurrent use.
type apiClient struct {
	base *url.URL
	key  string
	http *http.Client
}

// apiError is a problem that the API answered with.
type apiError struct {
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Pointer   string `json:"pointer"`
		Parameter string `json:"parameter"`
		Detail    string `json:"detail"`
	} `json:"errors"`
	retryAfter time.Duration
}

func (e *apiError) Error() string {
	var b strings.Builder
	said := firstOf(e.Detail, e.Title, http.StatusText(e.Status))
	fmt.Fprintf(&b, "%s (%d %s)", said, e.Status, e.Code)
	for _, f := range e.Errors {
		if line := firstOf(f.Pointer, f.Parameter) + " " + f.Detail; line != strings.TrimSuffix(said, ".") {
			b.WriteString("\n  " + line)
		}
	}
	if hint := hintOf(e.Code); hint != "" {
		b.WriteString("\n  " + hint)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, "\n  request %s", e.RequestID)
	}
	return b.String()
}

// hintOf says what to look at on the command line, where a problem speaks of the
// request.
func hintOf(code string) string {
	switch code {
	case "unauthorized":
		return "check --key or TRACKER_KEY: it may be mistyped, revoked, or of another tracker than --url or TRACKER_URL"
	case "not_found":
		return "check the id, and that the key is of the same merchant and mode"
	}
	return ""
}

// passing reports whether the same request may succeed later.
func (e *apiError) passing() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return true
	}
	return false
}

const (
	requestTries   = 4
	requestTimeout = 30 * time.Second
	answerLimit    = 8 << 20
)

// call sends one request and decodes the answer into into, unless that is nil.
// Every POST carries an idempotency key of its own, so that it may be repeated:
// what cannot be reached or is too busy is asked again a few times.
func (a *apiClient) call(ctx context.Context, method, path string, body, into any) error {
	raw, err := a.raw(ctx, method, path, body)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s %s: the answer is not what it should be: %w", method, path, err)
	}
	return nil
}

func (a *apiClient) raw(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	repeatable := rand.Text()
	for try := 1; ; try++ {
		raw, err := a.once(ctx, method, path, text, repeatable)
		wait, again := worthAnother(err, try)
		if !again || try == requestTries {
			return raw, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// worthAnother says whether and when to repeat a request that failed with err.
func worthAnother(err error, try int) (wait time.Duration, again bool) {
	wait = 200 * time.Millisecond << try
	var problem *apiError
	if errors.As(err, &problem) {
		return max(wait, min(problem.retryAfter, 10*time.Second)), problem.passing()
	}
	var network *net.OpError
	return wait, errors.As(err, &network) && network.Op != "dial"
}

func (a *apiClient) once(ctx context.Context, method, path string, text []byte, repeatable string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := a.request(ctx, method, path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if text != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", repeatable)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return nil, unreachable(a.base, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		return nil, problemOf(res, raw)
	}
	return raw, nil
}

func (a *apiClient) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.base.String(), "/")+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("User-Agent", "tracker-cli/1")
	return req, nil
}

func problemOf(res *http.Response, raw []byte) error {
	e := &apiError{}
	if json.Unmarshal(raw, e) != nil || e.Code == "" {
		e = &apiError{Code: "no_problem_document", Detail: "the answer came from something else than a tracker"}
	}
	e.Status = res.StatusCode
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		e.retryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

func unreachable(base *url.URL, err error) error {
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return fmt.Errorf("nothing answers at %s (is `tracker serve` running there?): %w", base.Host, network)
	}
	return err
}

// resource maps an id to its place in the API.
func resource(id string) (path string, err error) {
	switch {
	case strings.HasPrefix(id, "ord_"):
		return "/v1/orders/" + url.PathEscape(id), nil
	case strings.HasPrefix(id, "pay_"):
		return "/v1/payments/" + url.PathEscape(id), nil
	}
	return "", misused("%q is not the id of an order (ord_…) or a payment (pay_…)", id)
}

// printJSON prints an answer of the API, indented.
func printJSON(w io.Writer, raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

// show prints the answer to a request as JSON or, decoded into T, by the printer.
func show[T any](out *console, asJSON bool, raw json.RawMessage, human func(io.Writer, T)) error {
	if asJSON {
		return printJSON(out.stdout, raw)
	}
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("the answer is not what it should be: %w", err)
	}
	human(out.stdout, v)
	return nil
}
