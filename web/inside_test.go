package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
)

func TestLimiter_refills(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLimiter(Limits{Reads: 2}, func() time.Time { return now })
	for i, want := range []bool{true, true, false} {
		if v, limited := l.take(reads, "a"); !limited || v.ok != want {
			t.Errorf("%d: %+v", i, v)
		}
	}
	now = now.Add(500 * time.Millisecond)
	if v, _ := l.take(reads, "a"); !v.ok {
		t.Error("half a second later one is due")
	}
	if v, _ := l.take(reads, "a"); v.ok || v.wait <= 0 || v.wait > time.Second {
		t.Errorf("%+v", v)
	}
	if _, limited := l.take(writes, "a"); limited {
		t.Error("a budget of 0 is none")
	}
}

func TestAddressOf(t *testing.T) {
	t.Parallel()
	e := echo.New()
	e.IPExtractor = ipExtractor(nil)
	for remote, want := range map[string]string{
		"203.0.113.7:1234": "203.0.113.7", "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:1": "2001:db8:1:2::/64",
		"[::ffff:203.0.113.7]:1": "203.0.113.7", "nonsense": "unknown",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		if got := addressOf(e, r); got != want {
			t.Errorf("%s counts as %s, want %s", remote, got, want)
		}
	}
}

func TestSealer(t *testing.T) {
	t.Parallel()
	old, err := newSealer([]string{"first"}, "a")
	if err != nil {
		t.Fatal(err)
	}
	sealed := old.seal([]byte("plain"), "label")
	rotated, err := newSealer([]string{"second", "first"}, "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rotated.open(sealed, "label"); err != nil || string(got) != "plain" {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
	other, err := newSealer([]string{"first"}, "b")
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another_label": func() ([]byte, error) { return old.open(sealed, "x") }, "another_purpose": func() ([]byte, error) { return other.open(sealed, "label") },
		"altered": func() ([]byte, error) { return old.open(append([]byte{sealed[0] ^ 1}, sealed[1:]...), "label") }, "empty": func() ([]byte, error) { return old.open(nil, "label") },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
}

func TestPagePolicy_cannot_be_broken_out_of(t *testing.T) {
	t.Parallel()
	s := &Server{}
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
	s.allowPage(c, pagePolicy{FormAction: []string{"https://bank.test", "https://a.test; script-src *"}, StyleHashes: []string{"'sha256-x'"}})
	got := c.Response().Header().Get("Content-Security-Policy")
	if !strings.Contains(got, "form-action 'self' https://bank.test;") || strings.Contains(got, "script-src *") || strings.Contains(got, "unsafe") || !strings.Contains(got, "style-src 'self' 'sha256-x'") {
		t.Errorf("policy %s", got)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{`1`: time.Second, `0.001`: time.Millisecond, `"1500ms"`: 1500 * time.Millisecond, `1e2`: 100 * time.Second} {
		var s span
		if err := s.UnmarshalJSON([]byte(text)); err != nil || time.Duration(s) != want {
			t.Errorf("%s is %s, %v", text, time.Duration(s), err)
		}
	}
	for _, text := range []string{`0`, `-1`, `1e300`, `0.0001`, `"x"`, `"-1s"`, `null`, `[]`, `"`, `NaN`, `1e-9`} {
		var s span
		if err := s.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is %s", text, time.Duration(s))
		}
	}
}

func FuzzPlainID(f *testing.F) {
	f.Add("req_1")
	f.Fuzz(func(t *testing.T, id string) {
		if plainID(id) && (len(id) > maxRequestID || strings.ContainsAny(id, " \r\n\"<>\\{}")) {
			t.Errorf("%q is plain", id)
		}
	})
}

func TestAuthorise(t *testing.T) {
	t.Parallel()
	reader := principal{key: apikeys.Key{ID: "key_1", Scopes: []apikeys.Scope{apikeys.Read}}}
	for name, tt := range map[string]struct {
		who  principal
		to   route
		want string
	}{
		"nobody": {principal{}, route{access: shopper}, "unauthorized"}, "scope": {reader, route{access: merchant, scope: apikeys.Write}, "forbidden"},
		"good": {reader, route{access: merchant, scope: apikeys.Read}, ""},
	} {
		got := ""
		if err := authorise(tt.who, tt.to); err != nil {
			got = toProblem(err).Code
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
