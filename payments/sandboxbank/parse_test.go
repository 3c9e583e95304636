package sandboxbank_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/sandboxbank"
)

func provider(t testing.TB, secrets ...string) *sandboxbank.Provider {
	t.Helper()
	p, err := sandboxbank.NewProvider(sandboxbank.ProviderOptions{BaseURL: "http://bank.example", Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const goodBody = `{"type":"payment.succeeded","data":{"payment":"pay_1","reference":"ses_1","amount":4198,"currency":"EUR","occurred_at":"2026-11-23T10:00:00.123Z"}}`

func TestParseCallback(t *testing.T) {
	t.Parallel()
	now, p := newClock().Now(), provider(t, secretA)
	c, err := p.ParseCallback(signed(t, now, goodBody, secretA), []byte(goodBody), now)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 10, 0, 0, 123e6, time.UTC)
	want := payments.Report{Reference: "ses_1", State: payments.ReportCaptured, Amount: 4198, Captured: 4198, Currency: "EUR", OccurredAt: at}
	if c.EventID != "evt_1" || c.Payment != "pay_1" || c.Reference != "ses_1" || c.Type != "payment.succeeded" {
		t.Errorf("callback %+v", c)
	}
	got := *c.Report
	if got.OccurredAt != want.OccurredAt || got.Reference != want.Reference || got.State != want.State || got.Amount != want.Amount || got.Captured != want.Captured || got.Currency != want.Currency {
		t.Errorf("report %+v, want %+v", got, want)
	}
}

func TestParseCallback_forged_is_never_read(t *testing.T) {
	t.Parallel()
	now, p := newClock().Now(), provider(t, secretA)
	for _, body := range []string{goodBody, "", "<html>", strings.Repeat("[", 10000)} {
		for name, header := range map[string]http.Header{
			"unsigned": {}, "wrong secret": signed(t, now, body, secretB),
			"stale": signed(t, now.Add(-6*time.Minute), body, secretA), "early": signed(t, now.Add(6*time.Minute), body, secretA),
			"another body": signed(t, now, body+" ", secretA),
		} {
			c, err := p.ParseCallback(header, []byte(body), now)
			if !errors.Is(err, payments.ErrForged) || errors.Is(err, payments.ErrMalformed) || c.EventID != "" || c.Report != nil {
				t.Errorf("%s, body %.20q: %+v, %v", name, body, c, err)
			}
		}
	}
}

func TestParseCallback_rotated_secret(t *testing.T) {
	t.Parallel()
	now, p := newClock().Now(), provider(t, secretB, secretA)
	for _, secret := range []string{secretA, secretB} {
		if _, err := p.ParseCallback(signed(t, now, goodBody, secret), []byte(goodBody), now); err != nil {
			t.Error(err)
		}
	}
}

func TestParseCallback_malformed(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) string {
		if !strings.Contains(goodBody, old) {
			t.Fatalf("no %s", old)
		}
		return strings.Replace(goodBody, old, new, 1)
	}
	now, p := newClock().Now(), provider(t, secretA)
	for name, body := range map[string]string{
		"empty": "", "null": "null", "list": "[]", "text": `"x"`, "html": "<!doctype html>", "half": goodBody[:60],
		"two values": goodBody + goodBody, "text after": goodBody + "x", "not utf-8 outside of strings": "\xff" + goodBody,
		"type twice":           replace(`{"type"`, `{"type":"payment.failed","type"`),
		"data twice":           replace(`"data"`, `"data":{},"data"`),
		"amount twice":         replace(`"amount"`, `"amount":1,"amount"`),
		"no type":              replace(`"type":"payment.succeeded",`, ""),
		"type in another case": replace(`"type"`, `"Type"`),
		"type is a number":     replace(`"payment.succeeded"`, "7"),
		"type is null":         replace(`"payment.succeeded"`, "null"),
		"endless type":         replace(`payment.succeeded`, strings.Repeat("x", 1000)),
		"data is a list":       `{"type":"payment.succeeded","data":[]}`,
		"data is missing":      `{"type":"payment.succeeded"}`,
		"nobody's payment":     replace(`"payment":"pay_1","reference":"ses_1",`, ""),
		"endless payment":      replace(`pay_1`, strings.Repeat("x", 1000)),
		"no amount":            replace(`"amount":4198,`, ""),
		"null amount":          replace(`4198`, "null"),
		"zero amount":          replace(`4198`, "0"),
		"negative amount":      replace(`4198`, "-4198"),
		"fraction":             replace(`4198`, "41.98"),
		"exponent":             replace(`4198`, "4.198e3"),
		"beyond int64":         replace(`4198`, "9223372036854775808"),
		"amount as text":       replace(`4198`, `"4198"`),
		"amount as hex":        replace(`4198`, `0x10`),
		"no currency":          replace(`"currency":"EUR",`, ""),
		"long currency":        replace(`"EUR"`, `"EURO"`),
		"time in words":        replace(`2026-11-23T10:00:00.123Z`, "this morning"),
		"time as a number":     replace(`"2026-11-23T10:00:00.123Z"`, "1763892000"),
	} {
		c, err := p.ParseCallback(signed(t, now, body, secretA), []byte(body), now)
		if !errors.Is(err, payments.ErrMalformed) || c.Report != nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	huge := goodBody + strings.Repeat(" ", 1<<20)
	if _, err := p.ParseCallback(signed(t, now, huge, secretA), []byte(huge), now); !errors.Is(err, payments.ErrMalformed) {
		t.Errorf("huge: %v", err)
	}
}

func TestParseCallback_tolerates(t *testing.T) {
	t.Parallel()
	now, p := newClock().Now(), provider(t, secretA)
	for name, tc := range map[string]struct {
		body   string
		report bool
	}{
		"unknown type":              {`{"type":"payout.paid","data":{"id":"x"}}`, false},
		"unknown type without data": {`{"type":"ping"}`, false},
		"unknown type, odd data":    {`{"type":"ping","data":7}`, false},
		"unknown members":           {strings.Replace(goodBody, `"data":{`, `"version":2,"data":{"fee":{"a":1},`, 1), true},
		"white space":               {" \n" + goodBody + "\n ", true},
		"no time":                   {strings.Replace(goodBody, `,"occurred_at":"2026-11-23T10:00:00.123Z"`, "", 1), true},
		"a currency nobody knows":   {strings.Replace(goodBody, "EUR", "ZZZ", 1), true},
		"the largest amount":        {strings.Replace(goodBody, "4198", "9223372036854775807", 1), true},
	} {
		c, err := p.ParseCallback(signed(t, now, tc.body, secretA), []byte(tc.body), now)
		if err != nil || (c.Report != nil) != tc.report || c.EventID != "evt_1" || c.Type == "" {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// FuzzParseCallback signs whatever it is given: the parser behind the signature
// must be safe on its own, for a secret can leak.
func FuzzParseCallback(f *testing.F) {
	for _, kind := range []string{"succeeded", "failed", "processing", "authorized", "reversed", "unheard_of"} {
		f.Add([]byte(strings.Replace(goodBody, "succeeded", kind, 1)))
	}
	f.Add([]byte(`{"type":"payment.succeeded","data":{"amount":9223372036854775808}}`))
	f.Add([]byte(`{"type":"payment.succeeded","type":"payment.failed","data":{}}`))
	p := provider(f, secretA)
	s, err := sandboxbank.NewSigner(secretA)
	if err != nil {
		f.Fatal(err)
	}
	now := newClock().Now()
	f.Fuzz(func(t *testing.T, body []byte) {
		h := http.Header{}
		s.Sign(h, "evt_1", now, body)
		c, err := p.ParseCallback(h, body, now)
		switch {
		case errors.Is(err, payments.ErrForged):
			t.Fatal("signed and still forged")
		case err != nil && (!errors.Is(err, payments.ErrMalformed) || c.Report != nil):
			t.Fatalf("%+v, %v", c, err)
		case err == nil && (c.EventID == "" || c.Type == ""):
			t.Fatalf("no id or type: %+v", c)
		case err == nil && c.Report != nil && (c.Report.Amount < 1 || len(c.Report.Currency) != 3 || c.Payment == "" && c.Reference == ""):
			t.Fatalf("an incomplete report: %+v %+v", c, *c.Report)
		}
		h.Set("webhook-timestamp", "1")
		if _, err := p.ParseCallback(h, body, now); !errors.Is(err, payments.ErrForged) {
			t.Fatalf("stale: %v", err)
		}
	})
}
