package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
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
)

// tracing makes the spans of a change on its way: the request that caused it, its
// publication, whoever reacts to it, and its delivery to live watchers. All of
// them share the trace that the event's envelope carries, whichever process they
// happen in. The parts know nothing of it; nil traces nothing and costs nothing.
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
