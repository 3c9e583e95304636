package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// seenSpan is a span as the collector got it.
type seenSpan struct {
	name, trace, parent, id, roles string
	links                          []string // traces
	attributes                     map[string]string
}

// spans is an OTLP collector that remembers.
type spans struct {
	mu   sync.Mutex
	list []seenSpan
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if r.URL.Path != "/v1/traces" || err != nil || proto.Unmarshal(body, &sent) != nil {
		http.Error(w, "not what a collector takes", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, process := range sent.ResourceSpans {
		roles := ""
		for _, a := range process.Resource.Attributes {
			if a.Key == "tracker.roles" {
				roles = a.Value.GetStringValue()
			}
		}
		for _, scope := range process.ScopeSpans {
			for _, one := range scope.Spans {
				seen := seenSpan{one.Name, hex.EncodeToString(one.TraceId), hex.EncodeToString(one.ParentSpanId), hex.EncodeToString(one.SpanId), roles, nil, map[string]string{}}
				for _, l := range one.Links {
					seen.links = append(seen.links, hex.EncodeToString(l.TraceId))
				}
				for _, a := range one.Attributes {
					seen.attributes[a.Key] = a.Value.GetStringValue()
				}
				s.list = append(s.list, seen)
			}
		}
	}
}

// find is the span that fits; ok is false while there is none.
func (s *spans) find(fits func(seenSpan) bool) (found seenSpan, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.list {
		if fits(one) {
			return one, true
		}
	}
	return seenSpan{}, false
}

// TestTrace_follows_one_order_through_two_processes creates an order in one
// process and watches it in another; a collector finds every step in one trace.
func TestTrace_follows_one_order_through_two_processes(t *testing.T) {
	t.Parallel()
	seen := &spans{}
	at := httptest.NewServer(seen)
	t.Cleanup(at.Close)
	shared := map[string]string{
		"TRACKER_DATABASE_URL": postgresURL(t), "TRACKER_NATS_URL": natsServer(t), "TRACKER_TOKEN_SECRET": strings.Repeat("token", 8),
		"TRACKER_BANK_SECRET": "whsec_" + strings.Repeat("YmFuaw", 6), "TRACKER_BANK_URL": "http://" + freeAddr(t),
		"TRACKER_OTLP_URL": at.URL, "OTEL_BSP_SCHEDULE_DELAY": "50",
	}
	start := func(roles string) *program {
		env := map[string]string{"TRACKER_ROLES": roles}
		for name, value := range shared {
			env[name] = value
		}
		return startProgram(t, env)
	}
	shop, feeds := start("orders,payments,web"), start("notify")
	openStream(t, http.DefaultClient, feeds.public+"/v1/events", feeds.key)
	const stranger = "0af7651916cd43dd8448eb211c80319c"
	o := shop.must(201, "POST", "/v1/orders", object{"reference": "7", "currency": "EUR", "items": []object{
		{"sku": "mug", "name": "Mug", "quantity": 1, "unit_amount": 100}}}, "traceparent", "00-"+stranger+"-b7ad6b7169203331-01")

	request := seen.await(shop, "the request", func(s seenSpan) bool { return s.name == "POST /v1/orders" })
	if request.trace == stranger || len(request.links) != 1 || request.links[0] != stranger || request.parent != "" || request.roles != "orders, payments, web" {
		t.Errorf("a stranger's trace was taken over: %+v", request)
	}
	for _, step := range []struct{ name, group, roles string }{
		{"publish order", "", ""}, {"process order.created", "webhooks-orders", "notify"}, {"deliver order.created", "", "notify"},
	} {
		seen.await(shop, step.name+" "+step.group, func(s seenSpan) bool {
			return s.name == step.name && s.trace == request.trace && s.parent == request.id && s.attributes["tracker.resource"] == o["id"] &&
				s.attributes["messaging.consumer.group.name"] == step.group && (step.roles == "" || s.roles == step.roles)
		})
	}
	shop.must(200, "POST", "/v1/orders/"+o["id"].(string)+"/cancel", object{})
	cancelled := seen.await(shop, "the cancellation", func(s seenSpan) bool { return s.name == "POST /v1/orders/:id/cancel" })
	seen.await(shop, "what payments made of it", func(s seenSpan) bool {
		return s.name == "process order.cancelled" && s.trace == cancelled.trace && s.attributes["messaging.consumer.group.name"] == "payments"
	})
	if !strings.Contains(shop.log.String(), `"trace_id":"`+request.trace+`"`) {
		t.Errorf("the log does not name the trace:\n%s", shop.log)
	}
	if _, text := feeds.raw("GET", "/v1/orders/"+o["id"].(string)+"/events?after=0", nil); strings.Contains(string(text), request.trace) {
		t.Errorf("people are told of the trace: %s", text)
	}
}

// await is find, until there is one.
func (s *spans) await(p *program, what string, fits func(seenSpan) bool) (found seenSpan) {
	p.t.Helper()
	p.until("the collector has "+what, func() (ok bool) {
		found, ok = s.find(fits)
		return ok
	})
	return found
}

func TestTrace_of_a_proxy_of_ours_goes_on_and_a_lost_collector_harms_nobody(t *testing.T) {
	t.Parallel()
	seen := &spans{}
	at := httptest.NewServer(seen)
	p := startProgram(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at.URL, "OTEL_BSP_SCHEDULE_DELAY": "50", "TRACKER_TRUSTED_PROXIES": "127.0.0.1"})
	const ours = "4bf92f3577b34da6a3ce929d0e0e4736"
	place := func(name string) {
		p.must(201, "POST", "/v1/orders", object{"reference": name, "currency": "EUR", "items": []object{
			{"sku": "mug", "name": "Mug", "quantity": 1, "unit_amount": 100}}}, "traceparent", "00-"+ours+"-00f067aa0ba902b7-01")
	}
	place("first")
	seen.await(p, "the request", func(s seenSpan) bool {
		return s.name == "POST /v1/orders" && s.trace == ours && s.parent == "00f067aa0ba902b7"
	})
	seen.await(p, "the publication", func(s seenSpan) bool { return s.name == "publish order" && s.trace == ours })
	addr := []string{p.env["TRACKER_ADDR"]}
	edge := startEdge(t, upstreams{addr, addr, addr, addr})
	const stranger = "0af7651916cd43dd8448eb211c80319c"
	answer, _ := visit(t, http.DefaultClient, edge.plain+"/v1/orders", "traceparent", "00-"+stranger+"-b7ad6b7169203331-01", "X-Request-Id", "through-nginx")
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("through nginx: %d", answer.StatusCode)
	}
	if passed := seen.await(p, "the request through nginx", func(s seenSpan) bool { return s.name == "GET /v1/orders" }); passed.trace == stranger || len(passed.links) != 0 {
		t.Errorf("nginx passes a stranger's trace on: %+v", passed)
	}
	at.Close()
	place("second")
	p.until("the log says that nobody takes the traces", func() bool { return strings.Contains(p.log.String(), "traces were not exported") })
	place("third")
}
