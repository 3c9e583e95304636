package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	origin "go.opentelemetry.io/otel/sdk/resource" // package main has a resource of its own
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"tracker/config"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
	"tracker/notify/webhooks"
)

// tracing makes the spans of a change on its way: the request that caused it, what
// the bank was asked for it, its publication, whoever reacts to it, its delivery to
// live watchers, and each attempt at a webhook. All of them share the trace that
// the event's envelope carries, whichever process they happen in. The parts know
// nothing of it; nil traces nothing and costs nothing.
type tracing struct {
	tracer  trace.Tracer
	w3c     propagation.TraceContext
	proxies []netip.Prefix // whose traceparent is believed
	end     func(context.Context) error
}

// traceFlush bounds what a process that ends spends on its last spans.
const traceFlush = 3 * time.Second

// newTracing returns nil where no collector is named. That the collector is away
// is no reason not to start: spans are then dropped, and a log line says so.
func newTracing(ctx context.Context, cfg config.Config, log *slog.Logger) (*tracing, error) {
	if cfg.OTLPURL == "" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.OTLPURL+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("TRACKER_OTLP_URL: %w", err)
	}
	us, err := origin.New(ctx, origin.WithAttributes(attribute.String("service.name", "tracker"), attribute.String("tracker.roles", rolesOf(cfg))), origin.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces were not exported", "error", err) }))
	// The decision is a function of the trace's id, so that every process comes to
	// the same one, and a stranger's wish does not count.
	share := sdktrace.TraceIDRatioBased(cfg.OTLPRatio)
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(us),
		sdktrace.WithSampler(sdktrace.ParentBased(share, sdktrace.WithRemoteParentSampled(share))))
	return &tracing{tracer: provider.Tracer("tracker"), proxies: cfg.TrustedProxies, end: provider.Shutdown}, nil
}

// close sends what is left. The spans of a collector that is away are lost.
func (t *tracing) close(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), traceFlush)
	defer cancel()
	if err := t.end(ctx); err != nil {
		log.Warn("the last traces were not exported", "error", err)
	}
}

// requests is web's seam.
func (t *tracing) requests() func(*http.Request, string) (context.Context, func(int)) {
	if t == nil {
		return nil
	}
	return t.request
}

// deliveries is notify's seam.
func (t *tracing) deliveries() func(eventwire.Event, time.Time, int64) {
	if t == nil {
		return nil
	}
	return t.delivered
}

// request begins the span of a request. A traceparent is continued when it comes from a proxy of
// ours, and only linked when a stranger sends it.
func (t *tracing) request(r *http.Request, route string) (context.Context, func(status int)) {
	ctx, options := r.Context(), []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", route))}
	if !trace.SpanContextFromContext(ctx).IsValid() { // else a page asks the API, in this process
		switch from := t.w3c.Extract(ctx, propagation.HeaderCarrier(r.Header)); {
		case t.believes(r.RemoteAddr):
			ctx = from
		default:
			options = append(options, trace.WithLinks(trace.LinkFromContext(from)))
		}
	}
	ctx, span := t.tracer.Start(ctx, r.Method+" "+route, options...)
	return t.carried(ctx), func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

func (t *tracing) believes(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	for _, p := range t.proxies {
		if err == nil && p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// carried lets what is changed under ctx announce itself as part of its trace.
func (t *tracing) carried(ctx context.Context) context.Context {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx
	}
	header := propagation.MapCarrier{}
	t.w3c.Inject(ctx, header)
	return eventwire.WithTrace(ctx, header["traceparent"])
}

// continued is ctx within the trace that an event carries.
func (t *tracing) continued(ctx context.Context, parent string) context.Context {
	return t.w3c.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
}

// reactor wraps what one consumer does with an event. What it changes belongs to
// the trace of what it reacted to.
func (t *tracing) reactor(name string, fn func(context.Context, eventwire.Event) error) func(context.Context, eventwire.Event) error {
	if t == nil {
		return fn
	}
	return func(ctx context.Context, e eventwire.Event) error {
		if e.Trace == "" {
			return fn(ctx, e)
		}
		ctx, span := t.tracer.Start(t.continued(ctx, e.Trace), "process "+e.Type, trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(append(about(e.ID, e.Type, e.Subject), attribute.String("messaging.consumer.group.name", name))...))
		defer span.End()
		err := fn(t.carried(ctx), e)
		if err != nil {
			span.SetStatus(codes.Error, "tried again") // why is in the log
		}
		return err
	}
}

// traceWindow tells news from history: who reads that is no part of the trace.
const traceWindow = 5 * time.Minute

// delivered makes one span for everybody who was waiting.
func (t *tracing) delivered(e eventwire.Event, begun time.Time, clients int64) {
	if begun.Sub(e.Time) > traceWindow {
		return
	}
	_, span := t.tracer.Start(t.continued(context.Background(), e.Trace), "deliver "+e.Type, trace.WithTimestamp(begun),
		trace.WithAttributes(append(about(e.ID, e.Type, e.Subject), attribute.Int64("tracker.clients", clients))...))
	span.End()
}

func about(id, typ, resource string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("messaging.system", "nats"), attribute.String("messaging.destination.name", eventwire.Stream),
		attribute.String("messaging.message.id", id), attribute.String("tracker.event", typ), attribute.String("tracker.resource", resource)}
}

// tracedLog puts the trace's id on the lines of what belongs to one.
type tracedLog struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h tracedLog) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsSampled() {
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h tracedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h tracedLog) WithGroup(name string) slog.Handler { return tracedLog{h.Handler.WithGroup(name)} }

// tracedPublisher makes a span of each traced message on its way to the stream.
type tracedPublisher struct {
	txoutbox.Publisher
	t *tracing
}

// publisher is the stream as the relay sees it.
func (t *tracing) publisher(p txoutbox.Publisher) txoutbox.Publisher {
	if t == nil {
		return p
	}
	return tracedPublisher{p, t}
}

// Publish implements [txoutbox.Publisher].
func (p tracedPublisher) Publish(ctx context.Context, messages []txoutbox.Message) error {
	var spans []trace.Span
	for _, m := range messages {
		parent := eventwire.TraceIn(m.Body)
		if parent == "" {
			continue
		}
		key, _ := eventwire.ParseSubject(m.Subject) // the outbox takes no other
		_, span := p.t.tracer.Start(p.t.continued(ctx, parent), "publish "+string(key.Kind), trace.WithSpanKind(trace.SpanKindProducer),
			trace.WithAttributes(about(m.ID, string(key.Kind), key.ID)...))
		spans = append(spans, span)
	}
	err := p.Publisher.Publish(ctx, messages)
	for _, span := range spans {
		if err != nil {
			span.SetStatus(codes.Error, "tried again")
		}
		span.End()
	}
	return err
}

// calls makes a span of each request to a bank that belongs to a trace. What the
// reconciler asks by its own clock belongs to none.
type calls struct {
	next http.RoundTripper
	t    *tracing
}

// bankConnections is how many idle connections to one bank are kept.
const bankConnections = 64

// transport is how banks are called; nil is the way of their own.
func (t *tracing) transport() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if t == nil || !ok {
		return nil
	}
	own := standard.Clone()
	own.MaxIdleConnsPerHost = bankConnections
	return calls{own, t}
}

// RoundTrip implements [http.RoundTripper]. The bank is somebody else: it is told
// nothing of the trace, and its paths, which hold what opens a session, stay out.
func (c calls) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsSampled() {
		return c.next.RoundTrip(r)
	}
	_, span := c.t.tracer.Start(r.Context(), r.Method+" bank", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(outgoing(r.Method, r.URL)...))
	defer span.End()
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		answered(span, 0, "no_answer") // the error's text may hold the address
		return nil, err
	}
	answered(span, answer.StatusCode, "")
	return answer, nil
}

// attempts is webhooks' seam.
func (t *tracing) attempts() func(webhooks.Delivery, string) func(int, string) {
	if t == nil {
		return nil
	}
	return t.attempt
}

// attempt begins the span of one attempt at a webhook.
func (t *tracing) attempt(d webhooks.Delivery, to string) func(status int, problem string) {
	attributes := append(about(d.EventID, d.EventType, d.Subject), attribute.String("tracker.endpoint", d.Endpoint), attribute.Int("http.request.resend_count", d.Tries))
	if u, err := url.Parse(to); err == nil {
		attributes = append(attributes, outgoing(http.MethodPost, u)...)
	}
	_, span := t.tracer.Start(t.continued(context.Background(), d.Trace), "POST webhook", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	return func(status int, problem string) {
		answered(span, status, problem)
		span.End()
	}
}

// outgoing are the attributes of a request to somebody else, by the semantic
// conventions for HTTP clients; without url.full, which may hold a secret.
func outgoing(method string, u *url.URL) []attribute.KeyValue {
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	return []attribute.KeyValue{attribute.String("http.request.method", method), attribute.String("url.scheme", u.Scheme),
		attribute.String("server.address", u.Hostname()), attribute.Int("server.port", port)}
}

// answered notes what came of a request to somebody else; problem is a stable word
// where no status says it.
func answered(span trace.Span, status int, problem string) {
	if status > 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	switch {
	case status >= 400:
		problem = strconv.Itoa(status)
	case status > 0 && problem == "":
		return
	}
	span.SetAttributes(attribute.String("error.type", problem))
	span.SetStatus(codes.Error, "")
}
