package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
	"tracker/notify/webhooks"
)

// remembering traces everything and keeps it.
func remembering(t *testing.T) (*tracing, *tracetest.InMemoryExporter) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	return &tracing{tracer: provider.Tracer("tracker"), end: provider.Shutdown}, kept
}

// spanLine is a span in one line: kind, name, status, attributes.
func spanLine(s tracetest.SpanStub) string {
	var attributes []string
	for _, a := range s.Attributes {
		attributes = append(attributes, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
	}
	slices.Sort(attributes)
	return fmt.Sprint(s.SpanKind, " ", s.Name, " ", s.Status.Code, " ", strings.Join(attributes, " "))
}

func TestTrace_of_a_call_to_the_bank(t *testing.T) {
	t.Parallel()
	traces, kept := remembering(t)
	status, heard := http.StatusOK, http.Header{}
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard = r.Header
		w.WriteHeader(status)
	}))
	address := strings.TrimPrefix(bank.URL, "http://127.0.0.1:")
	client := &http.Client{Transport: traces.transport()}
	call := func(ctx context.Context) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, bank.URL+"/sessions/secret?key=hunter2", nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := client.Do(r); err == nil {
			answer.Body.Close()
		}
	}
	call(t.Context()) // by nobody's trace
	if n := len(kept.GetSpans()); n != 0 {
		t.Errorf("%d spans without a trace", n)
	}
	ctx, request := traces.tracer.Start(t.Context(), "POST /v1/payments")
	call(ctx)
	status = http.StatusServiceUnavailable
	call(ctx)
	bank.Close()
	call(ctx)
	common := "http.request.method=GET"
	server := " server.address=127.0.0.1 server.port=" + address + " url.scheme=http"
	want := []string{
		"client GET bank Unset " + common + " http.response.status_code=200" + server,
		"client GET bank Error error.type=503 " + common + " http.response.status_code=503" + server,
		"client GET bank Error error.type=no_answer " + common + server,
	}
	for i, s := range kept.GetSpans() {
		if s.Parent.SpanID() != request.SpanContext().SpanID() || spanLine(s) != want[i] {
			t.Errorf("got  %s\nwant %s", spanLine(s), want[i])
		}
	}
	if n := len(kept.GetSpans()); n != len(want) {
		t.Errorf("%d spans", n)
	}
	if heard.Get("Traceparent") != "" {
		t.Error("the bank is told of the trace")
	}
}

func TestTrace_of_an_attempt_at_a_webhook(t *testing.T) {
	t.Parallel()
	traces, kept := remembering(t)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	d := webhooks.Delivery{Item: webhooks.Item{EventID: "evt_1", EventType: "order.created", Subject: "ord_1", Trace: parent}, Endpoint: "whe_1", Tries: 2}
	send := traces.attempts()
	send(d, "https://shop.example/hook?key=hunter2")(204, "")
	send(d, "https://shop.example:8443/hook")(500, "status_500")
	send(d, "https://shop.example/hook")(302, "redirect_not_followed")
	send(d, "https://shop.example/hook")(0, "timeout")
	before, after := "client POST webhook ", " messaging.destination.name=TRACKER messaging.message.id=evt_1 messaging.system=nats server.address=shop.example server.port=443 tracker.endpoint=whe_1 tracker.event=order.created tracker.resource=ord_1 url.scheme=https"
	resent := "http.request.method=POST http.request.resend_count=2"
	want := []string{
		before + "Unset " + resent + " http.response.status_code=204" + after,
		before + "Error error.type=500 " + resent + " http.response.status_code=500" + strings.Replace(after, "443", "8443", 1),
		before + "Error error.type=redirect_not_followed " + resent + " http.response.status_code=302" + after,
		before + "Error error.type=timeout " + resent + after,
	}
	for i, s := range kept.GetSpans() {
		if spanLine(s) != want[i] || s.SpanContext.TraceID().String() != parent[3:35] || s.Parent.SpanID().String() != parent[36:52] || s.SpanKind != trace.SpanKindClient {
			t.Errorf("got  %s\nwant %s", spanLine(s), want[i])
		}
		if (s.Status.Code == codes.Error) != (i > 0) {
			t.Errorf("%d: %v", i, s.Status)
		}
	}
	if n := len(kept.GetSpans()); n != len(want) {
		t.Errorf("%d spans", n)
	}
}

// stored is a stream that takes everything.
type stored struct{}

func (stored) Publish(context.Context, []txoutbox.Message) error { return nil }

// nothing is a log without a single event.
type nothing struct{ notify.Log }

// Without a collector, what happens for every event costs nothing more than it
// would without traces. It counts the allocations of the whole process, so nothing
// may run beside it.
func TestTrace_costs_nothing_when_it_is_off(t *testing.T) {
	var off *tracing
	if off.requests() != nil || off.deliveries() != nil || off.attempts() != nil || off.transport() != nil {
		t.Error("somebody is told of traces")
	}
	ctx := t.Context()
	e := eventwire.Event{ID: "evt_1", Type: "order.created", Merchant: "mer_1", Subject: "ord_1", Seq: 1, Time: time.Now()}
	messages := []txoutbox.Message{{Subject: "tracker.orders.mer_1.ord_1", ID: "evt_1", Body: []byte(`{"id":"evt_1"}`)}}
	stream := off.publisher(stored{})
	react := off.reactor("webhooks", func(context.Context, eventwire.Event) error { return nil })
	n := notify.New(notify.Options{Log: nothing{}, Delivered: off.deliveries()})
	at := uint64(0)
	for name, do := range map[string]func(){
		"publish": func() { _ = stream.Publish(ctx, messages) },
		"react":   func() { _ = react(ctx, e) },
		"append":  func() { _ = eventwire.TraceOf(eventwire.WithTrace(ctx, "")) },
		"deliver": func() { at++; n.Publish(at, e) },
	} {
		if allocated := testing.AllocsPerRun(100, do); allocated != 0 {
			t.Errorf("%s allocates %v times", name, allocated)
		}
	}
}

// REST, outbox, NATS and the
// webhook, and a payment to the bank, each in the trace of the request.
func TestTrace_follows_an_order_to_the_webhook_and_a_payment_to_the_bank(t *testing.T) {
	t.Parallel()
	seen := &spans{}
	at := httptest.NewServer(seen)
	t.Cleanup(at.Close)
	came := make(chan http.Header, 100)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.Header
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(shop.Close)
	p := startProgram(t, map[string]string{"TRACKER_OTLP_URL": at.URL, "OTEL_BSP_SCHEDULE_DELAY": "50", "TRACKER_WEBHOOK_ALLOW_PRIVATE": "true"})
	endpoint := p.must(201, "POST", "/v1/webhook_endpoints", object{"url": shop.URL + "/hook?key=hunter2", "events": []string{"order.created"}})
	o := p.must(201, "POST", "/v1/orders", object{"reference": "7", "currency": "EUR", "items": []object{
		{"sku": "mug", "name": "Mug", "quantity": 1, "unit_amount": 100}}})
	request := seen.await(p, "the order", func(s seenSpan) bool { return s.name == "POST /v1/orders" })
	seen.await(p, "its publication", func(s seenSpan) bool { return s.name == "publish order" && s.parent == request.id })
	heard := seen.await(p, "what webhooks made of it", func(s seenSpan) bool {
		return s.name == "process order.created" && s.parent == request.id && s.attributes["messaging.consumer.group.name"] == "webhooks-orders"
	})
	sent := seen.await(p, "the webhook", func(s seenSpan) bool { return s.name == "POST webhook" })
	if sent.trace != request.trace || sent.parent != heard.id || sent.attributes["tracker.resource"] != o["id"] || sent.attributes["tracker.endpoint"] != endpoint["id"] || sent.attributes["server.address"] != "127.0.0.1" {
		t.Errorf("the webhook is not in the order's trace: %+v", sent)
	}
	if header := <-came; strings.Contains(fmt.Sprint(header), request.trace) {
		t.Errorf("the shop is told of the trace: %v", header)
	}
	p.must(201, "POST", "/v1/payments", object{"order_id": o["id"]})
	pay := seen.await(p, "the payment", func(s seenSpan) bool { return s.name == "POST /v1/payments" })
	seen.await(p, "the call to the bank", func(s seenSpan) bool {
		return s.name == "POST bank" && s.trace == pay.trace && s.parent == pay.id && s.attributes["server.address"] == "127.0.0.1"
	})
	if _, found := seen.find(func(s seenSpan) bool { return strings.Contains(fmt.Sprint(s.attributes), "hunter2") }); found {
		t.Error("a span holds a secret of an address")
	}
}
