package sandboxbank_test

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	oracle "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tracker/payments/sandboxbank"
)

func signer(t *testing.T, secrets ...string) *sandboxbank.Signer {
	t.Helper()
	s, err := sandboxbank.NewSigner(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(t *testing.T, at time.Time, body string, secrets ...string) http.Header {
	t.Helper()
	h := http.Header{}
	signer(t, secrets...).Sign(h, "evt_1", at, []byte(body))
	return h
}

func TestSigner_and_the_standard_library_of_the_scheme_agree(t *testing.T) {
	t.Parallel()
	now := time.Now() // the oracle has no clock to set
	theirs, err := oracle.NewWebhook(secretA)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", "{}", `{"type":"payment.succeeded"}`, strings.Repeat("ü\x00", 5000)} {
		if err := theirs.Verify([]byte(body), signed(t, now, body, secretA)); err != nil {
			t.Errorf("they refuse ours: %v", err)
		}
		if err := theirs.Verify([]byte(body), signed(t, now, body, secretB, secretA)); err != nil {
			t.Errorf("they refuse ours with two secrets: %v", err)
		}
		signature, err := theirs.Sign("msg_1", now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		h := map[string][]string{"Webhook-Id": {"msg_1"}, "webhook-timestamp": {strconv.FormatInt(now.Unix(), 10)}, "WEBHOOK-SIGNATURE": {signature}}
		if id, err := signer(t, secretB, secretA).Verify(h, []byte(body), now); err != nil || id != "msg_1" {
			t.Errorf("we refuse theirs: %q, %v", id, err)
		}
	}
}

func TestSigner_rotation(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	for name, tc := range map[string]struct {
		sign, verify []string
		ok           bool
	}{
		"the same":                 {[]string{secretA}, []string{secretA}, true},
		"receiver rotates first":   {[]string{secretA}, []string{secretB, secretA}, true},
		"sender signs with both":   {[]string{secretB, secretA}, []string{secretA}, true},
		"sender is done":           {[]string{secretB}, []string{secretB, secretA}, true},
		"the old one is retired":   {[]string{secretA}, []string{secretB}, false},
		"the new one is not known": {[]string{secretB}, []string{secretA}, false},
	} {
		h := signed(t, now, "{}", tc.sign...)
		if _, err := signer(t, tc.verify...).Verify(h, []byte("{}"), now); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSigner_refuses_every_altered_byte(t *testing.T) {
	t.Parallel()
	now, body := newClock().Now(), `{"type":"payment.succeeded","data":{"amount":4198}}`
	h, s := signed(t, now, body, secretA), signer(t, secretA)
	for i := range body {
		altered := []byte(body)
		altered[i] ^= 1
		if _, err := s.Verify(h, altered, now); !errors.Is(err, sandboxbank.ErrSignature) {
			t.Fatalf("byte %d of the body: %v", i, err)
		}
	}
	for _, altered := range []string{body + " ", body[1:], "", body + body} {
		if _, err := s.Verify(h, []byte(altered), now); !errors.Is(err, sandboxbank.ErrSignature) {
			t.Errorf("%q: %v", altered, err)
		}
	}
}

func TestSigner_refuses_bad_headers(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	good, s := signed(t, now, "{}", secretA), signer(t, secretA)
	signature := good.Get("webhook-signature")
	for name, change := range map[string]func(http.Header){
		"no id":                     func(h http.Header) { h.Del("webhook-id") },
		"empty id":                  func(h http.Header) { h.Set("webhook-id", "") },
		"another id":                func(h http.Header) { h.Set("webhook-id", "evt_2") },
		"id and dot moved":          func(h http.Header) { h.Set("webhook-id", "evt_1."+h.Get("webhook-timestamp")) },
		"huge id":                   func(h http.Header) { h.Set("webhook-id", strings.Repeat("x", 1000)) },
		"two ids":                   func(h http.Header) { h.Add("webhook-id", "evt_1") },
		"no timestamp":              func(h http.Header) { h.Del("webhook-timestamp") },
		"two timestamps":            func(h http.Header) { h.Add("webhook-timestamp", h.Get("webhook-timestamp")) },
		"timestamp in words":        func(h http.Header) { h.Set("webhook-timestamp", "now") },
		"timestamp with plus":       func(h http.Header) { h.Set("webhook-timestamp", "+"+h.Get("webhook-timestamp")) },
		"timestamp beyond int64":    func(h http.Header) { h.Set("webhook-timestamp", strings.Repeat("9", 30)) },
		"timestamp at the edge":     func(h http.Header) { h.Set("webhook-timestamp", "-9223372036854775808") },
		"no signature":              func(h http.Header) { h.Del("webhook-signature") },
		"two signature headers":     func(h http.Header) { h.Add("webhook-signature", signature) },
		"empty signature":           func(h http.Header) { h.Set("webhook-signature", "v1,") },
		"another scheme":            func(h http.Header) { h.Set("webhook-signature", "v2"+signature[2:]) },
		"no scheme":                 func(h http.Header) { h.Set("webhook-signature", signature[3:]) },
		"not base64":                func(h http.Header) { h.Set("webhook-signature", "v1,???") },
		"half a signature":          func(h http.Header) { h.Set("webhook-signature", signature[:20]) },
		"right one after too many":  func(h http.Header) { h.Set("webhook-signature", strings.Repeat("v1,AAAA ", 20)+signature) },
		"right one glued by commas": func(h http.Header) { h.Set("webhook-signature", "v1,AAAA,"+signature) },
	} {
		h := maps.Clone(good)
		change(h)
		if id, err := s.Verify(h, []byte("{}"), now); !errors.Is(err, sandboxbank.ErrSignature) || id != "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
	h := maps.Clone(good)
	h.Set("webhook-signature", "v1a,zzz v1,AAAA "+signature)
	if _, err := s.Verify(h, []byte("{}"), now); err != nil {
		t.Errorf("the right one among others: %v", err)
	}
}

func TestSigner_tolerance(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	h, s := signed(t, now, "{}", secretA), signer(t, secretA)
	for offset, ok := range map[time.Duration]bool{
		0: true, sandboxbank.Tolerance: true, -sandboxbank.Tolerance: true,
		sandboxbank.Tolerance + time.Second: false, -sandboxbank.Tolerance - time.Second: false,
		24 * 365 * 200 * time.Hour: false,
	} {
		if _, err := s.Verify(h, []byte("{}"), now.Add(offset)); (err == nil) != ok {
			t.Errorf("%v away: %v", offset, err)
		}
	}
}

func TestNewSigner_refuses_without_repeating_the_secret(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]string{
		nil, {""}, {"plain-words-plain-words"}, {"whsec_"}, {"whsec_c2hvcnQ="}, {"whsec_not base64 at all!!"}, {secretA, "whsec_%%%%"},
	} {
		_, err := sandboxbank.NewSigner(bad...)
		if err == nil {
			t.Errorf("%q was taken", bad)
			continue
		}
		for _, secret := range bad {
			if len(secret) > 6 && strings.Contains(err.Error(), strings.TrimPrefix(secret, "whsec_")) {
				t.Errorf("the error tells the secret: %v", err)
			}
		}
	}
}
