package tracktoken_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tracker/notify/eventwire"
	"tracker/web/tracktoken"
)

const (
	first  = "first secret of thirty-two letters"
	second = "second secret of thirty-two letter"
)

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func signer(t *testing.T, at time.Time, secrets ...string) *tracktoken.Signer {
	t.Helper()
	s, err := tracktoken.New(secrets, tracktoken.Options{Lifetime: time.Hour, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func claims() tracktoken.Claims {
	return tracktoken.Claims{Merchant: eventwire.NewID(eventwire.PrefixMerchant, now), Order: eventwire.NewID(eventwire.PrefixOrder, now), Epoch: 3}
}

func TestSigner_round_trip(t *testing.T) {
	t.Parallel()
	s, want := signer(t, now, first), claims()
	token, err := s.Sign(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Verify(token)
	want.Expires = now.Add(time.Hour)
	if err != nil || !got.Expires.Equal(want.Expires) || got.Merchant != want.Merchant || got.Order != want.Order || got.Epoch != want.Epoch {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestSigner_rotation(t *testing.T) {
	t.Parallel()
	old, err := signer(t, now, first).Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer(t, now, second, first).Verify(old); err != nil {
		t.Errorf("a token of the secret before: %v", err)
	}
	if _, err := signer(t, now, second).Verify(old); !errors.Is(err, tracktoken.ErrInvalid) {
		t.Errorf("a token of a secret that is gone: %v", err)
	}
}

func TestSigner_expiry(t *testing.T) {
	t.Parallel()
	token, err := signer(t, now, first).Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer(t, now.Add(59*time.Minute), first).Verify(token); err != nil {
		t.Errorf("just before: %v", err)
	}
	if _, err := signer(t, now.Add(61*time.Minute), first).Verify(token); !errors.Is(err, tracktoken.ErrInvalid) {
		t.Errorf("after: %v", err)
	}
}

// TestSigner_attacks: what somebody without the secret, or with a token of
// another sort, may try.
func TestSigner_attacks(t *testing.T) {
	t.Parallel()
	s := signer(t, now, first)
	good, err := s.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	swap := func(old, replacement string) string {
		text, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), old, replacement, 1))) + "." + parts[2]
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	for name, token := range map[string]string{
		"nothing": "", "dots": "..", "unsigned": none, "epoch_raised": swap(`"epo":3`, `"epo":4`), "no_signature": parts[0] + "." + parts[1] + ".",
		"signed_with_the_raw_secret": resign(parts[0]+"."+parts[1], first), "huge": good + strings.Repeat("A", 4000),
		"other_algorithm": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS512","kid":"x"}`)) + "." + parts[1] + "." + parts[2],
		"trailing":        good + "=", "spaces": " " + good,
	} {
		if _, err := s.Verify(token); !errors.Is(err, tracktoken.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, err := tracktoken.New([]string{first}, tracktoken.Options{Now: func() time.Time { return now.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	early, err := other.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(early); !errors.Is(err, tracktoken.ErrInvalid) {
		t.Errorf("from the future: %v", err)
	}
}

func TestSigner_ids_are_checked(t *testing.T) {
	t.Parallel()
	s := signer(t, now, first)
	for _, c := range []tracktoken.Claims{{}, {Merchant: "mer_*", Order: "ord_>"}, {Merchant: claims().Merchant, Order: claims().Order, Epoch: -1}} {
		token, err := s.Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(token); !errors.Is(err, tracktoken.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestSigner_errors_quote_no_token(t *testing.T) {
	t.Parallel()
	s := signer(t, now, first)
	good, err := s.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Verify(good[:len(good)-4])
	if err == nil || strings.Contains(err.Error(), good[:20]) || strings.Contains(err.Error(), strings.Split(good, ".")[1]) {
		t.Errorf("error %v", err)
	}
}

func TestNew_needs_secrets(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{nil, {""}, {first, ""}} {
		if _, err := tracktoken.New(secrets, tracktoken.Options{}); err == nil {
			t.Errorf("%q is accepted", secrets)
		}
	}
}

func FuzzSigner_Verify(f *testing.F) {
	s, err := tracktoken.New([]string{first}, tracktoken.Options{})
	if err != nil {
		f.Fatal(err)
	}
	good, err := s.Sign(claims())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := s.Verify(token); err == nil && token != good {
			t.Errorf("%q opens %+v", token, c)
		}
	})
}

func resign(content, key string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(content))
	return content + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func ExampleSigner() {
	s, err := tracktoken.New([]string{first}, tracktoken.Options{})
	if err != nil {
		panic(err)
	}
	token, err := s.Sign(tracktoken.Claims{Merchant: "mer_01jd9zp0a1b2c3d4e5f6g7h8j9", Order: "ord_01jd9zq3k4e8xv7t2m5n6p8r9s", Epoch: 1})
	if err != nil {
		panic(err)
	}
	c, err := s.Verify(token)
	fmt.Println(c.Order, c.Epoch, err)
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	fmt.Println(parsed.Header["alg"], err)
	// Output:
	// ord_01jd9zq3k4e8xv7t2m5n6p8r9s 1 <nil>
	// HS256 <nil>
}
