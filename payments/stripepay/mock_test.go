package stripepay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tracker/payments"
	"tracker/payments/stripepay"
)

// mockVersion is Stripe's own server for tests, with the API as Stripe describes
// it. It is a program of its own: nothing of it is linked into ours, and what
// builds ours does not need it.
const mockVersion = "github.com/stripe/stripe-mock@v0.203.0"

// startMock builds stripe-mock, which needs no more than the module proxy that
// the rest came from, and returns a transport to it.
func startMock(t *testing.T) http.RoundTripper {
	t.Helper()
	dir, err := os.MkdirTemp("", "mock") // short: the path of a socket is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // best effort: it is in the system's folder for it
	install := exec.CommandContext(t.Context(), "go", "install", mockVersion)
	install.Dir = dir
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", mockVersion, err, out)
	}
	socket := filepath.Join(dir, "socket")
	mock := exec.CommandContext(t.Context(), filepath.Join(dir, "stripe-mock"), "-http-unix", socket)
	said, err := mock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = mock.Process.Kill()
		_ = mock.Wait() // it was killed
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Listening") {
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
}

// validated lets every request through to stripe-mock and keeps what it answers.
type validated struct {
	next http.RoundTripper
	seen map[string]int // method and path → status
	kept map[string]object
}

func (v *validated) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := v.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	v.seen[r.Method+" "+r.URL.Path] = answer.StatusCode
	var one object
	if err := json.Unmarshal(text, &one); err != nil {
		return nil, err
	}
	v.kept[one.str("object")] = one
	return answer, nil
}

// TestStripeMock_shapes sends everything that the provider ever sends to a server
// that checks each request against Stripe's own description of its API, and reads
// Stripe's own examples of what comes back.
func TestStripeMock_shapes(t *testing.T) {
	t.Parallel()
	v := &validated{startMock(t), map[string]int{}, map[string]object{}}
	p, err := stripepay.New(stripepay.Options{Key: apiKey, Secrets: []string{secretA}, BaseURL: "http://stripe-mock", Transport: v, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []payments.CaptureMode{payments.CaptureAutomatic, payments.CaptureManual} {
		if s := (fixture{provider: p, now: fixedNow}).create(t, "pay_1", eur(4198), mode); s.Reference == "" {
			t.Errorf("%+v", s)
		}
	}
	op := payments.Operation{Key: "k", Reference: "cs_1", Payment: "pay_1", Amount: eur(1000)}
	for name, do := range map[string]func(context.Context, payments.Operation) (payments.Report, error){"capture": p.Capture, "void": p.Void} {
		if r, err := do(t.Context(), op); err != nil || r.Currency != "USD" || r.Amount != 1099 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, err := p.Refund(t.Context(), payments.NewTransfer{Key: "k", Reference: "cs_1", Payment: "pay_1", Refund: "ref_1", Amount: eur(1000)}); err != nil || r.Status != payments.RefundSucceeded || r.At.IsZero() {
		t.Errorf("refund: %+v, %v", r, err)
	}
	if _, err := p.Complete(t.Context(), payments.Callback{EventID: "evt_1", About: "pi_1"}); err != nil {
		t.Errorf("complete: %v", err)
	}
	// The example of a session has no amount, which is no answer for a payment.
	for name, do := range map[string]func() error{
		"status": func() error { _, err := p.Status(t.Context(), "cs_1"); return err },
		"cancel": func() error { _, err := p.Cancel(t.Context(), op); return err },
	} {
		if err := do(); !errors.Is(err, payments.ErrTimeout) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v.wantEveryCall(t)
}

func (v *validated) wantEveryCall(t *testing.T) {
	t.Helper()
	for _, call := range []string{
		"POST /v1/checkout/sessions", "GET /v1/checkout/sessions/cs_1", "POST /v1/checkout/sessions/cs_1/expire", "POST /v1/refunds", "GET /v1/payment_intents/pi_1",
	} {
		if v.seen[call] == 0 {
			t.Errorf("%s was not made: %v", call, v.seen)
		}
	}
	for call, status := range v.seen {
		if status != http.StatusOK {
			t.Errorf("%s: Stripe's description refuses it: %d", call, status)
		}
	}
}

// TestStripeMock_refuses is the proof that the other one can fail.
func TestStripeMock_refuses(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: startMock(t)}
	for _, form := range []string{"mode=payment&nonsense=1", "mode=splendid", "line_items[0][quantity]=many"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://stripe-mock/v1/checkout/sessions", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(apiKey, "")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", form, answer.Status)
		}
	}
}

// What the fake of the other tests answers has no member that Stripe's objects
// lack: it cannot drift into a Stripe of its own.
func TestFake_has_the_shapes_of_Stripe(t *testing.T) {
	t.Parallel()
	v := &validated{startMock(t), map[string]int{}, map[string]object{}}
	client := &http.Client{Transport: v}
	for _, path := range []string{
		"/v1/checkout/sessions/cs_1", "/v1/payment_intents/pi_1", "/v1/charges/ch_1", "/v1/refunds/re_1", "/v1/refunds", "/v1/disputes/dp_1", "/v1/events/evt_1",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://stripe-mock"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(apiKey, "")
		answer, err := client.Do(r)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", path, err)
		}
	}
	fake, p := setup(t)
	id := open(t, p, payments.CaptureAutomatic)
	fake.pay(id)
	fake.refundHere(id, 1000)
	if _, err := p.Status(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the session, the refund
		var e struct {
			object
			Data struct{ Object object }
		}
		text := receive(t, fake.events).body
		if err := errors.Join(json.Unmarshal(text, &e.object), json.Unmarshal(text, &e)); err != nil {
			t.Fatal(err)
		}
		v.wantShape(t, e.object)
		v.wantShape(t, e.Data.Object)
	}
	fake.change(id, func(session, intent, charge object) {
		for _, one := range []object{session, intent, charge} {
			v.wantShape(t, one)
		}
	})
}

func (v *validated) wantShape(t *testing.T, one object) {
	t.Helper()
	theirs, ok := v.kept[one.str("object")]
	if !ok {
		t.Fatalf("an object of no kind: %v", one)
	}
	for name := range one {
		if _, ok := theirs[name]; !ok && name[0] != '_' {
			t.Errorf("%s has no %s at Stripe", one.str("object"), name)
		}
	}
}
