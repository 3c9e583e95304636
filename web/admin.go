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
	// State is what the process says of itself, [StateReady] or why it is not; nil
	// is ready. Who is about to stop says so, so that nobody sends it anything new.
	State func() string
	// Ready holds named checks; all of them must return nil.
	Ready map[string]func(context.Context) error
	// Shown holds checks that are shown and decide nothing: of what is shared by
	// processes that can do without it. If it made all of them unready at once,
	// nobody would be left to serve what still works.
	Shown  map[string]func(context.Context) error
	Logger *slog.Logger
}

// What a process says of itself.
const (
	StateReady    = "ok"
	StateStarting = "starting"
	StateDraining = "draining"
)

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
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeChecks(w, StateReady, nil) })
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
	checks := d.check(ctx)
	state := StateReady
	if d.State != nil {
		state = d.State()
	}
	for name := range d.Ready {
		if state == StateReady && checks[name] != "ok" {
			state = "unavailable"
		}
	}
	writeChecks(w, state, checks)
}

// check is what each check has to say before ctx ends.
func (d AdminDeps) check(ctx context.Context) map[string]string {
	type result struct {
		name string
		err  error
	}
	states := map[string]string{}
	results := make(chan result, len(d.Ready)+len(d.Shown))
	for _, some := range []map[string]func(context.Context) error{d.Ready, d.Shown} {
		for name, check := range some {
			states[name] = "no answer"
			go func() { results <- result{name, check(ctx)} }()
		}
	}
	for range states {
		select {
		case done := <-results:
			states[done.name] = "ok"
			if done.err == nil {
				continue
			}
			states[done.name] = "failing"
			level := slog.LevelDebug
			if _, decides := d.Ready[done.name]; decides {
				level = slog.LevelWarn
			}
			d.Logger.Log(ctx, level, "not ready", "check", done.name, "error", done.err)
		case <-ctx.Done():
			return states
		}
	}
	return states
}

func writeChecks(w http.ResponseWriter, state string, checks map[string]string) {
	status := http.StatusOK
	if state != StateReady {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // the client went away: nobody is left to tell
		Status string            `json:"status"`
		Checks map[string]string `json:"checks,omitempty"`
	}{state, checks})
}
