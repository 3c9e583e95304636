package stripepay_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/sandboxbank"
	"tracker/payments/stripepay"
)

// fixture is a provider with the other side of it in the test's hands.
type fixture struct {
	provider payments.Provider
	hasty    payments.Provider // gives up after a second, but not before the answer was spoiled
	now      func() time.Time
	approve  func(t *testing.T, reference string)              // what a shopper does
	refund   func(t *testing.T, reference string, minor int64) // what a person at the provider does
	callback func(t *testing.T) signedEvent                    // the next one that the provider sends
	sign     func(body []byte, at time.Time, secret int) signedEvent
	spoil    func(t *testing.T, kind string) // the next answer; the kinds are those of sandboxbank
}

// fixtures names every provider of the house. A new one is added here.
func fixtures() map[string]func(t *testing.T) fixture {
	return map[string]func(t *testing.T) fixture{"sandbox": sandboxFixture, "stripe": stripeFixture}
}

func fixedNow() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }

func stripeFixture(t *testing.T) fixture {
	t.Helper()
	fake := newFake(t, fixedNow)
	opts := stripepay.Options{
		Key: apiKey, Secrets: []string{secretA, secretB}, BaseURL: fake.URL, Timeout: time.Minute, Now: fixedNow,
	}
	p, err := stripepay.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Timeout, opts.Transport = time.Second, patience{t.Context(), func() bool {
		fake.mu.Lock()
		defer fake.mu.Unlock()
		return fake.spoil == nil
	}}
	hasty, err := stripepay.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{
		provider: p, hasty: hasty, now: fixedNow,
		approve:  func(_ *testing.T, reference string) { fake.pay(reference) },
		refund:   func(_ *testing.T, reference string, minor int64) { fake.refundHere(reference, minor) },
		callback: func(t *testing.T) signedEvent { return receive(t, fake.events) },
		sign: func(body []byte, at time.Time, secret int) signedEvent {
			return signed(body, at, []string{secretA, secretB, "whsec_somebody_elses_secret"}[secret])
		},
		spoil: func(_ *testing.T, kind string) {
			fake.mu.Lock()
			defer fake.mu.Unlock()
			fake.spoil = spoiler(kind)
		},
	}
}

func sandboxFixture(t *testing.T) fixture {
	t.Helper()
	secrets := make([]string, 3)
	for i := range secrets {
		secrets[i] = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune('a'+i)), 24)))
	}
	events := make(chan signedEvent, 100)
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		events <- signedEvent{r.Header.Clone(), body}
	}))
	t.Cleanup(shop.Close)
	bank, err := sandboxbank.New(sandboxbank.Options{Secrets: secrets[:1], Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(bank)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- bank.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
	})
	client, err := sandboxbank.NewClient(server.URL, secrets[0], time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := sandboxbank.ProviderOptions{BaseURL: server.URL, Secrets: secrets[:2], CallbackURL: shop.URL, Timeout: time.Minute}
	p, err := sandboxbank.NewProvider(opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Timeout, opts.Transport = time.Second, patience{t.Context(), func() bool {
		list, err := client.Faults(t.Context())
		return err == nil && len(list) == 0
	}}
	hasty, err := sandboxbank.NewProvider(opts)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{
		provider: p, hasty: hasty, now: fixedNow,
		approve: func(t *testing.T, reference string) {
			if _, err := client.Decide(t.Context(), reference, sandboxbank.DecideRequest{Decision: sandboxbank.Approve}); err != nil {
				t.Fatal(err)
			}
		},
		refund: func(t *testing.T, reference string, minor int64) {
			if _, err := client.RefundAtBank(t.Context(), reference, sandboxbank.BankRefundRequest{Amount: minor}); err != nil {
				t.Fatal(err)
			}
		},
		callback: func(t *testing.T) signedEvent { return receive(t, events) },
		sign: func(body []byte, at time.Time, secret int) signedEvent {
			s, err := sandboxbank.NewSigner(secrets[secret])
			if err != nil {
				panic(err)
			}
			e := signedEvent{http.Header{}, body}
			s.Sign(e.header, "evt_1", at, body)
			return e
		},
		spoil: func(t *testing.T, kind string) {
			fault := sandboxbank.Fault{Kind: kind, Count: 1}
			if kind == sandboxbank.FaultUnavailable {
				fault.Delay = "7s"
			}
			if err := client.AddFault(t.Context(), fault); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// patience holds the end of a call back until the other side has acted: on a slow
// machine the call might never reach it.
type patience struct {
	test  context.Context
	acted func() bool
}

func (p patience) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(p.test)
	go func() {
		for tick := time.NewTicker(5 * time.Millisecond); !p.acted() && p.test.Err() == nil; <-tick.C {
		}
		<-r.Context().Done() // at the latest when the call returns
		cancel(context.Cause(r.Context()))
	}()
	answer, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return answer, err
}

func receive(t *testing.T, events chan signedEvent) signedEvent {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(2 * time.Minute):
		t.Fatal("no callback came")
		return signedEvent{}
	}
}

func spoiler(kind string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch kind {
		case sandboxbank.FaultUnavailable:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"type":"api_error","message":"later"}}`)
		case sandboxbank.FaultLostAnswer, sandboxbank.FaultSlow:
			<-r.Context().Done()
		case sandboxbank.FaultHalfAnswer:
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"id":`)
			_ = http.NewResponseController(w).Flush() // else the client tries again by itself
			panic(http.ErrAbortHandler)
		case sandboxbank.FaultHTML:
			_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title>")
		case sandboxbank.FaultEmpty:
		case sandboxbank.FaultHuge:
			_, _ = io.WriteString(w, `{"padding":"`+strings.Repeat("x", 8<<20)+`"}`)
		default:
			return false
		}
		return true
	}
}

func eur(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: money.EUR} }

func (f fixture) create(t *testing.T, payment string, amount money.Amount, mode payments.CaptureMode) payments.Session {
	t.Helper()
	s, err := f.provider.Create(t.Context(), payments.NewSession{
		Key: "create/" + payment, Payment: payment, Order: "ord_1", Merchant: "mer_1", Amount: amount, Capture: mode,
		ReturnURL: "https://shop.example/checkout/ord_1", Title: "1042", ExpiresAt: f.now().Add(30 * time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f fixture) status(t *testing.T, reference string) payments.Report {
	t.Helper()
	r, err := f.provider.Status(t.Context(), reference)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantReport(t *testing.T, got payments.Report, state payments.ReportState, amount, captured int64) {
	t.Helper()
	if got.State != state || got.Amount != amount || got.Captured != captured || got.Currency != money.EUR {
		t.Errorf("got %s %d captured %d %s, want %s %d captured %d", got.State, got.Amount, got.Captured, got.Currency, state, amount, captured)
	}
}

// TestProviders runs what the payments package relies on over every provider.
func TestProviders(t *testing.T) {
	t.Parallel()
	suite := map[string]func(t *testing.T, f fixture){
		"create_is_idempotent":            createIsIdempotent,
		"automatic_capture":               automaticCapture,
		"manual_capture_partly":           manualCapturePartly,
		"capture_of_too_much":             captureOfTooMuch,
		"void_of_what_a_capture_left":     voidOfTheRest,
		"refund_made_at_the_provider":     refundAtProvider,
		"void":                            void,
		"cancel":                          cancelOpen,
		"cancel_loses_against_approval":   cancelTooLate,
		"refunds":                         refunds,
		"concurrent_refunds_of_one_cause": concurrentRefunds,
		"unknown_reference":               unknownReference,
		"useless_answers":                 uselessAnswers,
		"repetition_after_a_lost_answer":  repetition,
		"callbacks":                       callbacks,
		"currencies":                      currencies,
	}
	for name, make := range fixtures() {
		for check, run := range suite {
			t.Run(name+"/"+check, func(t *testing.T) {
				t.Parallel()
				run(t, make(t))
			})
		}
	}
}

func createIsIdempotent(t *testing.T, f fixture) {
	first := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	again := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	other := f.create(t, "pay_2", eur(4198), payments.CaptureAutomatic)
	if first != again || first.Reference == "" || first.Reference == other.Reference {
		t.Errorf("%+v, %+v, %+v", first, again, other)
	}
	inside := slices.ContainsFunc(f.provider.Origins(), func(origin string) bool {
		return strings.HasPrefix(first.RedirectURL, origin+"/")
	})
	if !inside {
		t.Errorf("%s leads out of %v", first.RedirectURL, f.provider.Origins())
	}
	wantReport(t, f.status(t, first.Reference), payments.ReportOpen, 4198, 0)
}

func automaticCapture(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	f.approve(t, s.Reference)
	wantReport(t, f.status(t, s.Reference), payments.ReportCaptured, 4198, 4198)
}

func manualCapturePartly(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureManual)
	f.approve(t, s.Reference)
	wantReport(t, f.status(t, s.Reference), payments.ReportAuthorized, 4198, 0)
	in := payments.Operation{Key: "capture/1", Reference: s.Reference, Payment: "pay_1", Amount: eur(2000)}
	for range 2 {
		r, err := f.provider.Capture(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		wantReport(t, r, payments.ReportCaptured, 4198, 2000)
	}
	wantReport(t, f.status(t, s.Reference), payments.ReportCaptured, 4198, 2000)
}

func captureOfTooMuch(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureManual)
	_, err := f.provider.Capture(t.Context(), payments.Operation{Key: "early", Reference: s.Reference, Amount: eur(1)})
	if !errors.Is(err, payments.ErrRejected) {
		t.Errorf("before the approval: %v", err)
	}
	f.approve(t, s.Reference)
	_, err = f.provider.Capture(t.Context(), payments.Operation{Key: "much", Reference: s.Reference, Amount: eur(4199)})
	if !errors.Is(err, payments.ErrRejected) {
		t.Errorf("more than was approved: %v", err)
	}
	wantReport(t, f.status(t, s.Reference), payments.ReportAuthorized, 4198, 0)
}

func voidOfTheRest(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureManual)
	f.approve(t, s.Reference)
	in := payments.Operation{Key: "capture/1", Reference: s.Reference, Payment: "pay_1", Amount: eur(2000)}
	if _, err := f.provider.Capture(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := f.provider.Void(t.Context(), payments.Operation{Key: "void/1", Reference: s.Reference})
		if err != nil {
			t.Fatal(err)
		}
		wantReport(t, r, payments.ReportCaptured, 4198, 2000)
	}
	in.Key = "capture/2"
	if _, err := f.provider.Capture(t.Context(), in); !errors.Is(err, payments.ErrRejected) {
		t.Errorf("captured what was released: %v", err)
	}
	if _, err := f.provider.Refund(t.Context(), payments.NewTransfer{Key: "r", Refund: "ref_1", Reference: s.Reference, Amount: eur(2000)}); err != nil {
		t.Errorf("refund of the captured part: %v", err)
	}
}

// refundAtProvider is a refund that nobody here asked for: its message leads to
// the payment, its reference and its sum, and the status lists the same.
func refundAtProvider(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	f.approve(t, s.Reference)
	f.callback(t)
	f.refund(t, s.Reference, 1000)
	e := f.callback(t)
	c, err := f.provider.ParseCallback(e.header, e.body, f.now())
	if err != nil {
		t.Fatal(err)
	}
	if completer, ok := f.provider.(payments.Completer); ok && c.About != "" {
		if c, err = completer.Complete(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if c.Payment != "pay_1" || c.Report == nil || len(c.Report.Transfers) != 1 {
		t.Fatalf("%+v %+v", c, c.Report)
	}
	got := c.Report.Transfers[0]
	if got.Refund != "" || got.Reference == "" || got.Amount != 1000 || got.Status != payments.RefundSucceeded || got.At.IsZero() {
		t.Errorf("%+v", got)
	}
	if listed := f.status(t, s.Reference).Transfers; len(listed) != 1 || listed[0] != got {
		t.Errorf("told of %+v, listed %+v", got, listed)
	}
	if c.Report.Currency != money.EUR {
		t.Errorf("currency %q", c.Report.Currency)
	}
}

func void(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureManual)
	f.approve(t, s.Reference)
	for _, key := range []string{"void/1", "void/1", "void/2"} {
		r, err := f.provider.Void(t.Context(), payments.Operation{Key: key, Reference: s.Reference})
		if err != nil || r.State != payments.ReportCancelled || r.Captured != 0 {
			t.Errorf("%s: %+v, %v", key, r, err)
		}
	}
	_, err := f.provider.Capture(t.Context(), payments.Operation{Key: "c", Reference: s.Reference, Amount: eur(4198)})
	if !errors.Is(err, payments.ErrRejected) {
		t.Errorf("capture after void: %v", err)
	}
	wantReport(t, f.status(t, s.Reference), payments.ReportCancelled, 4198, 0)
}

func cancelOpen(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	for _, key := range []string{"cancel/1", "cancel/1", "cancel/2"} {
		r, err := f.provider.Cancel(t.Context(), payments.Operation{Key: key, Reference: s.Reference})
		if err != nil || r.State != payments.ReportCancelled {
			t.Errorf("%s: %+v, %v", key, r, err)
		}
	}
	wantReport(t, f.status(t, s.Reference), payments.ReportCancelled, 4198, 0)
}

func cancelTooLate(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	f.approve(t, s.Reference)
	r, err := f.provider.Cancel(t.Context(), payments.Operation{Key: "cancel/1", Reference: s.Reference})
	if err != nil {
		t.Fatal(err)
	}
	wantReport(t, r, payments.ReportCaptured, 4198, 4198)
}

func refunds(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	in := payments.NewTransfer{Key: "refund/1", Refund: "ref_1", Payment: "pay_1", Reference: s.Reference, Amount: eur(1000)}
	if _, err := f.provider.Refund(t.Context(), in); !errors.Is(err, payments.ErrRejected) {
		t.Errorf("before the approval: %v", err)
	}
	f.approve(t, s.Reference)
	in.Key = "refund/1b"
	first, err := f.provider.Refund(t.Context(), in)
	if err != nil || first.Status != payments.RefundSucceeded || first.Refund != "ref_1" || first.Reference == "" || first.At.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := f.provider.Refund(t.Context(), in); err != nil || again.Reference != first.Reference {
		t.Errorf("again: %+v, %v", again, err)
	}
	in.Key, in.Refund = "refund/2", "ref_2"
	if _, err := f.provider.Refund(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	in.Key, in.Refund, in.Amount = "refund/3", "ref_3", eur(2199)
	if _, err := f.provider.Refund(t.Context(), in); !errors.Is(err, payments.ErrRejected) {
		t.Errorf("more than is left: %v", err)
	}
	r := f.status(t, s.Reference)
	wantReport(t, r, payments.ReportCaptured, 4198, 4198)
	if len(r.Transfers) != 2 || r.Transfers[0] != first || r.Transfers[1].Refund != "ref_2" {
		t.Errorf("transfers %+v", r.Transfers)
	}
}

func concurrentRefunds(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	f.approve(t, s.Reference)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			in := payments.NewTransfer{Key: "late/pay_1", Refund: "ref_1", Reference: s.Reference, Amount: eur(4198)}
			if _, err := f.provider.Refund(t.Context(), in); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if r := f.status(t, s.Reference); len(r.Transfers) != 1 {
		t.Errorf("%d refunds", len(r.Transfers))
	}
}

func unknownReference(t *testing.T, f fixture) {
	if r, err := f.provider.Status(t.Context(), "nothing"); !errors.Is(err, payments.ErrRejected) || r.State != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// uselessAnswers must never be read as a state, and never as a final no.
func uselessAnswers(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	for kind, want := range map[string]error{
		sandboxbank.FaultUnavailable: payments.ErrUnavailable, sandboxbank.FaultLostAnswer: payments.ErrTimeout,
		sandboxbank.FaultHalfAnswer: payments.ErrTimeout, sandboxbank.FaultHTML: payments.ErrTimeout,
		sandboxbank.FaultEmpty: payments.ErrTimeout, sandboxbank.FaultHuge: payments.ErrTimeout, sandboxbank.FaultSlow: payments.ErrTimeout,
	} {
		f.spoil(t, kind)
		provider := f.provider
		if kind == sandboxbank.FaultLostAnswer || kind == sandboxbank.FaultSlow {
			provider = f.hasty
		}
		r, err := provider.Status(t.Context(), s.Reference)
		if !errors.Is(err, want) || errors.Is(err, payments.ErrRejected) || r.State != "" {
			t.Errorf("%s: %+v, %v", kind, r, err)
		}
		var out *payments.UnavailableError
		if errors.As(err, &out) && out.RetryAfter != 7*time.Second {
			t.Errorf("retry after %v", out.RetryAfter)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: the error repeats the answer: %d bytes", kind, len(err.Error()))
		}
	}
	wantReport(t, f.status(t, s.Reference), payments.ReportOpen, 4198, 0)
}

func repetition(t *testing.T, f fixture) {
	for i, kind := range []string{sandboxbank.FaultHTML, sandboxbank.FaultEmpty, sandboxbank.FaultHalfAnswer} {
		payment := "pay_" + string(rune('1'+i))
		in := payments.NewSession{Key: payment, Payment: payment, Amount: eur(100), ReturnURL: "https://shop.example/", Title: "1042"}
		f.spoil(t, kind)
		if _, err := f.provider.Create(t.Context(), in); !errors.Is(err, payments.ErrTimeout) {
			t.Fatalf("%s: %v", kind, err)
		}
		first, err := f.provider.Create(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := f.provider.Create(t.Context(), in); err != nil || again != first {
			t.Errorf("%+v, %v", again, err)
		}
	}
}

func callbacks(t *testing.T, f fixture) {
	s := f.create(t, "pay_1", eur(4198), payments.CaptureAutomatic)
	f.approve(t, s.Reference)
	e := f.callback(t)
	c, err := f.provider.ParseCallback(e.header, e.body, f.now())
	if err != nil {
		t.Fatal(err)
	}
	if c.Payment != "pay_1" || c.Reference != s.Reference || c.EventID == "" || c.Type == "" || c.Report == nil || c.Report.OccurredAt.IsZero() {
		t.Fatalf("%+v", c)
	}
	wantReport(t, *c.Report, payments.ReportCaptured, 4198, 4198)

	altered := slices.Clone(e.body)
	altered[len(altered)/2] ^= 1
	for name, bad := range map[string]signedEvent{
		"altered": {e.header, altered}, "unsigned": {http.Header{}, e.body}, "cut": {e.header, e.body[:len(e.body)-1]},
		"stale": f.sign(e.body, f.now().Add(-6*time.Minute), 0), "early": f.sign(e.body, f.now().Add(6*time.Minute), 0),
		"unknown secret": f.sign(e.body, f.now(), 2), "empty": {e.header, nil},
	} {
		if c, err := f.provider.ParseCallback(bad.header, bad.body, f.now()); !errors.Is(err, payments.ErrForged) || c.Report != nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	rolled := f.sign(e.body, f.now(), 1)
	if c, err := f.provider.ParseCallback(rolled.header, rolled.body, f.now()); err != nil || c.Report == nil {
		t.Errorf("second live secret: %v", err)
	}
	for _, body := range []string{"", "null", "[]", "{}", "<html>", `{"type":7}`, strings.Repeat("[", 5000)} {
		bad := f.sign([]byte(body), f.now(), 0)
		if c, err := f.provider.ParseCallback(bad.header, bad.body, f.now()); !errors.Is(err, payments.ErrMalformed) || c.Report != nil {
			t.Errorf("%.20q: %+v, %v", body, c, err)
		}
	}
}

func currencies(t *testing.T, f fixture) {
	for i, amount := range []money.Amount{
		{Minor: 500, Currency: money.JPY}, {Minor: 1250, Currency: money.KWD}, {Minor: 4198, Currency: money.USD},
		{Minor: 40, Currency: "ISK"}, {Minor: 7000, Currency: "UGX"}, {Minor: 1500, Currency: "MGA"},
	} {
		s := f.create(t, "pay_"+string(rune('a'+i)), amount, payments.CaptureAutomatic)
		f.approve(t, s.Reference)
		r := f.status(t, s.Reference)
		if r.Currency != amount.Currency || r.Amount != amount.Minor || r.Captured != amount.Minor {
			t.Errorf("%v came back as %+v", amount, r)
		}
		e := f.callback(t)
		c, err := f.provider.ParseCallback(e.header, e.body, f.now())
		if err != nil || c.Report.Captured != amount.Minor || c.Report.Currency != amount.Currency {
			t.Errorf("%v called back as %+v, %v", amount, c.Report, err)
		}
	}
}
