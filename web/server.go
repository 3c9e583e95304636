package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Roles whose routes a process can mount.
const (
	RoleOrders   = "orders"
	RolePayments = "payments"
	RoleNotify   = "notify"
	RoleWeb      = "web"
)

// Limits are budgets in requests per second and principal; 0 means none.
type Limits struct{ Reads, Writes, Connects float64 }

// Deps are what a Server works with. A nil dependency leaves its routes out.
type Deps struct {
	Roles     []string // empty: all
	PublicURL string   // without a slash at the end
	Sandbox   bool
	Secrets   []string // of the configuration; sessions and stored answers are sealed with keys derived from them

	Keys      Keys
	Tokens    Tokens
	Once      Once // nil: an Idempotency-Key is not honoured
	Profiles  Profiles
	Merchants Merchants
	Orders    Orders
	Payments  Payments
	Feeds     Feeds
	Webhooks  Webhooks
	Pages     Pages

	Limits         Limits
	TrustedProxies []netip.Prefix // whose X-Forwarded-For and -Proto are believed
	CORSOrigins    []string       // whose pages may use the feeds and the client

	// Trace begins the trace of a request, given its route's pattern: the request
	// goes on under the context, and end is called with the answer's status. Nil
	// traces nothing.
	Trace func(r *http.Request, route string) (ctx context.Context, end func(status int))

	Registry *prometheus.Registry // default: one of its own
	Logger   *slog.Logger         // default: slog.Default()
	Now      func() time.Time     // default: time.Now
}

// Server is the public HTTP face. Build it with [New]; it is an http.Handler.
type Server struct {
	deps     Deps
	echo     *echo.Echo
	log      *slog.Logger
	now      func() time.Time
	limiter  *limiter
	metrics  *metrics
	conns    *connections
	sessions *sealer
	answers  *sealer
	forgery  *http.CrossOriginProtection
	site     *site
}

// New builds the server and mounts the routes of its roles.
func New(d Deps) (*Server, error) {
	if d.Keys == nil || d.Tokens == nil {
		return nil, errors.New("web: keys and tokens are needed")
	}
	s := &Server{deps: d, log: d.Logger, now: d.Now, echo: echo.New(), forgery: http.NewCrossOriginProtection()}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.deps.Registry == nil {
		s.deps.Registry = prometheus.NewRegistry()
	}
	var err error
	if s.sessions, err = newSealer(d.Secrets, "tracker/web/session"); err != nil {
		return nil, err
	}
	if s.answers, err = newSealer(d.Secrets, "tracker/web/answers"); err != nil {
		return nil, err
	}
	if d.PublicURL != "" {
		if err := s.forgery.AddTrustedOrigin(d.PublicURL); err != nil {
			return nil, err
		}
	}
	if s.site, err = newSite(d.Pages); err != nil {
		return nil, err
	}
	s.limiter = newLimiter(d.Limits, s.now)
	s.metrics = newMetrics(s.deps.Registry)
	s.conns = newConnections(s.deps.Registry)
	s.setUp()
	return s, nil
}

// setUp orders the middleware: what must see every request comes first.
func (s *Server) setUp() {
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = ipExtractor(s.deps.TrustedProxies)
	e.Use(chained(s.requestID, s.trace, s.accessLog, s.recoverPanic, s.secureHeaders, s.cors, s.refuseForgery, s.boundPages))
	s.mount()
	if s.has(RoleWeb) {
		s.pageRoutes(e)
	}
}

// chained joins middleware to a chain that is built here, where echo would build
// it anew for each request. It ends in the handler that the router has found.
func chained(list ...echo.MiddlewareFunc) echo.MiddlewareFunc {
	chain := func(c echo.Context) error { return c.Handler()(c) }
	for _, m := range slices.Backward(list) {
		chain = m(chain)
	}
	return func(echo.HandlerFunc) echo.HandlerFunc { return chain }
}

// has reports whether this process mounts the routes of role.
func (s *Server) has(role string) bool {
	return len(s.deps.Roles) == 0 || slices.Contains(s.deps.Roles, role)
}

// secure reports whether shoppers reach us by https, so that cookies may say so.
func (s *Server) secure() bool { return strings.HasPrefix(s.deps.PublicURL, "https://") }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	done := handles(r)
	defer done()
	s.echo.ServeHTTP(w, r)
}

// HTTPServer is the listener's server: HTTP/1.1 and HTTP/2, the latter also
// without TLS for proxies and load generators that speak it. It has no
// WriteTimeout and no ReadTimeout because streams would die of them: bodies are
// read and ordinary answers written under deadlines of their own.
func (s *Server) HTTPServer(ctx context.Context, addr string) *http.Server {
	srv := newHTTPServer(ctx, addr, s, s.log)
	s.conns.watch(srv)
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv
}
