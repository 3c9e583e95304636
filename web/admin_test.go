package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tracker/web"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	failing := errors.New("dial postgres://user:password@db")
	var down bool
	logs := &syncBuffer{}
	h := web.NewAdmin(web.AdminDeps{
		Registry: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(logs, nil)),
		Ready: map[string]func(context.Context) error{
			"stream": func(context.Context) error { return nil },
			"database": func(context.Context) error {
				if down {
					return failing
				}
				return nil
			},
		},
	})
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	for path, want := range map[string]string{"/livez": `"ok"`, "/readyz": `"database":"ok"`, "/metrics": "", "/debug/pprof/": "goroutine"} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	down = true
	code, body := get("/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, `"database":"failing"`) || strings.Contains(body, "password") {
		t.Errorf("database down: %d %s", code, body)
	}
	if code, _ := get("/livez"); code != http.StatusOK {
		t.Errorf("a missing database must not restart the process: %d", code)
	}
}

func TestAdmin_what_is_only_shown_decides_nothing(t *testing.T) {
	t.Parallel()
	logs, state := &syncBuffer{}, web.StateStarting
	h := web.NewAdmin(web.AdminDeps{
		Registry: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(logs, nil)), State: func() string { return state },
		Ready: map[string]func(context.Context) error{"stream": func(context.Context) error { return nil }},
		Shown: map[string]func(context.Context) error{"database": func(context.Context) error { return errors.New("away") }},
	})
	for _, want := range []struct {
		state string
		code  int
	}{{web.StateStarting, 503}, {web.StateReady, 200}, {web.StateDraining, 503}} {
		state = want.state
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Code != want.code || strings.TrimSpace(w.Body.String()) != `{"status":"`+state+`","checks":{"database":"failing","stream":"ok"}}` {
			t.Errorf("%s: %d %s", state, w.Code, w.Body)
		}
	}
	if strings.Contains(logs.String(), "not ready") {
		t.Errorf("what decides nothing is no warning: %s", logs)
	}
}

func TestAdmin_readiness_does_not_wait_for_ever(t *testing.T) {
	t.Parallel()
	h := web.NewAdmin(web.AdminDeps{Registry: prometheus.NewRegistry(), Ready: map[string]func(context.Context) error{
		"stuck": func(context.Context) error { select {} },
	}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "no answer") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
