package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
	"tracker/web/tracktoken"
)

// oneKey knows one key, until it is revoked.
type oneKey struct {
	key     apikeys.Key
	revoked bool
}

func (k *oneKey) Verify(context.Context, string) (apikeys.Key, error) {
	return apikeys.Key{}, apikeys.ErrUnknownKey
}

func (k *oneKey) Find(_ context.Context, id string) (apikeys.Key, error) {
	if k.revoked || id != k.key.ID {
		return apikeys.Key{}, apikeys.ErrUnknownKey
	}
	return k.key, nil
}

func TestSession(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	keys := &oneKey{key: apikeys.Key{ID: "key_1", Merchant: "mer_1"}}
	tokens, err := tracktoken.New([]string{"secret"}, tracktoken.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Deps{Keys: keys, Tokens: tokens, PublicURL: "https://shop.test", Secrets: []string{"secret"}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := s.startSession(echo.New().NewContext(httptest.NewRequest(http.MethodPost, "/console/login", nil), w), keys.key); err != nil {
		t.Fatal(err)
	}
	cookie := w.Result().Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, "key_1") {
		t.Errorf("cookie %+v", cookie)
	}
	who := func(value string) string {
		r := httptest.NewRequest(http.MethodGet, "/console", nil)
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: value})
		p, err := s.identify(r)
		if err != nil {
			t.Fatal(err)
		}
		return p.name()
	}
	if got := who(cookie.Value); got != "key_1" {
		t.Errorf("the session is of %q", got)
	}
	other := "A"
	if cookie.Value[:1] == other {
		other = "B"
	}
	for name, value := range map[string]string{"altered": other + cookie.Value[1:], "cut": cookie.Value[:20], "not_base64": "!", "empty": ""} {
		if got := who(value); got != "" {
			t.Errorf("%s: the session is of %q", name, got)
		}
	}
	now = now.Add(sessionLifetime)
	if got := who(cookie.Value); got != "" {
		t.Errorf("the session outlives its time: %q", got)
	}
	now, keys.revoked = now.Add(-time.Hour), true
	if got := who(cookie.Value); got != "" {
		t.Errorf("the session outlives its key: %q", got)
	}
}
