package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds one readiness check: an orchestrator that asks wants an
// answer, and no answer is one.
const readyTimeout = 2 * time.Second

// AdminDeps are what the admin listener tells about.
type AdminDeps struct {
	Registry *prometheus.Registry
	// Ready holds named checks; all of them must return nil. A process that is
	// about to stop answers with an error, so that nobody sends it anything new.
	Ready  map[string]func(context.Context) error
	Logger *slog.Logger
}

// NewAdmin is the handler of the admin listener: /metrics, /livez, /readyz and
// /debug/pprof. It authenticates nobody: bind it where only operators are.
func NewAdmin(d AdminDeps) http.Handler {
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.Registry, promhttp.HandlerOpts{Registry: d.Registry, EnableOpenMetrics: true}))
	// A process that answers is alive. It says nothing about what it needs: being
	// restarted would not bring a database back.
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeChecks(w, http.StatusOK, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { d.ready(w, r) })
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// AdminHTTPServer is the admin listener's server.
func AdminHTTPServer(ctx context.Context, addr string, h http.Handler, log *slog.Logger) *http.Server {
	return newHTTPServer(ctx, addr, h, log)
}

// ready runs every check at once and names those that fail. Why they fail is in
// the log: an error's text may carry an address or a name.
func (d AdminDeps) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	type result struct {
		name string
		err  error
	}
	results := make(chan result, len(d.Ready))
	for name, check := range d.Ready {
		go func() { results <- result{name, check(ctx)} }()
	}
	status, checks := http.StatusOK, map[string]string{}
	for name := range d.Ready {
		checks[name] = "no answer"
	}
	for range d.Ready {
		select {
		case done := <-results:
			checks[done.name] = "ok"
			if done.err != nil {
				checks[done.name] = "failing"
				d.Logger.WarnContext(ctx, "not ready", "check", done.name, "error", done.err)
			}
		case <-ctx.Done():
		}
	}
	for _, state := range checks {
		if state != "ok" {
			status = http.StatusServiceUnavailable
		}
	}
	writeChecks(w, status, checks)
}

func writeChecks(w http.ResponseWriter, status int, checks map[string]string) {
	word := "ok"
	if status != http.StatusOK {
		word = "unavailable"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // the client went away: nobody is left to tell
		Status string            `json:"status"`
		Checks map[string]string `json:"checks,omitempty"`
	}{word, checks})
}
