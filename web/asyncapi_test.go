package web_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"tracker/notify/eventwire"
	"tracker/web"
)

type document struct {
	Channels   map[string]struct{ Address string }
	Components struct {
		Schemas  map[string]map[string]any
		Messages map[string]struct{ Payload map[string]any }
	}
}

func read(t *testing.T, text []byte) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAsyncAPI_its_own_parser_accepts_it(t *testing.T) {
	t.Parallel()
	judge(t, "testdata/js/asyncapi.cjs", "asyncapi.json")
}

// What both documents describe they describe alike.
func TestAsyncAPI_shares_the_schemas_of_openapi(t *testing.T) {
	t.Parallel()
	events, requests := read(t, web.AsyncAPI()).Components.Schemas, read(t, web.OpenAPI()).Components.Schemas
	shared := 0
	for name, schema := range events {
		if _, ok := requests[name]; !ok {
			continue
		}
		shared++
		if diff := cmp.Diff(requests[name], schema); diff != "" {
			t.Errorf("%s (-openapi +asyncapi):\n%s", name, diff)
		}
	}
	if shared < 8 {
		t.Errorf("they share %d schemas", shared)
	}
}

func TestAsyncAPI_names_every_event_type(t *testing.T) {
	t.Parallel()
	schemas := read(t, web.AsyncAPI()).Components.Schemas
	var named []string
	for _, kind := range []string{"OrderEvent", "PaymentEvent"} {
		for _, v := range schemas[kind]["properties"].(map[string]any)["type"].(map[string]any)["enum"].([]any) {
			named = append(named, v.(string))
		}
	}
	if diff := cmp.Diff(eventwire.Types(), named); diff != "" {
		t.Errorf("(-there are +named):\n%s", diff)
	}
}

func TestAsyncAPI_names_the_subjects_in_use(t *testing.T) {
	t.Parallel()
	var named, used []string
	for _, c := range read(t, web.AsyncAPI()).Channels {
		if c.Address != "" && !strings.HasPrefix(c.Address, "/") {
			named = append(named, c.Address)
		}
	}
	for _, k := range eventwire.Kinds() {
		used = append(used, eventwire.Key{Merchant: "{merchant}", Kind: k, ID: "{" + string(k) + "}"}.Subject(), eventwire.AskSubject(k))
	}
	slices.Sort(named)
	slices.Sort(used)
	if diff := cmp.Diff(used, named); diff != "" {
		t.Errorf("(-used +named):\n%s", diff)
	}
}

// eventSchemas are the document's, in the hands of the validator of the REST
// tests. change may alter them first.
func eventSchemas(t *testing.T, change func(map[string]map[string]any)) openapi3.Schemas {
	t.Helper()
	schemas := read(t, web.AsyncAPI()).Components.Schemas
	change(schemas)
	text := must(json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "events", "version": "1"}, "paths": map[string]any{},
		"components": map[string]any{"schemas": schemas},
	}))
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Components.Schemas
}

func valid(t *testing.T, schemas openapi3.Schemas, name string, text []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if err := schemas[name].Value.VisitJSON(v, openapi3.MultiErrors()); err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
	}
}

// The golden files fix the envelope; the summaries within are made up.
func TestAsyncAPI_describes_the_golden_events(t *testing.T) {
	t.Parallel()
	schemas := eventSchemas(t, func(all map[string]map[string]any) {
		maps.DeleteFunc(all, func(name string, _ map[string]any) bool { return strings.HasSuffix(name, "Summary") })
		summary := map[string]any{"type": "object", "required": []string{"id", "status", "sequence"}}
		all["OrderSummary"], all["PaymentSummary"] = summary, summary
	})
	files := must(filepath.Glob("../notify/eventwire/testdata/*.json"))
	if len(files) < len(eventwire.Types()) {
		t.Fatalf("there are %d golden files", len(files))
	}
	for _, file := range files {
		name := "StreamedPaymentEvent"
		if strings.HasPrefix(filepath.Base(file), "order.") {
			name = "StreamedOrderEvent"
		}
		valid(t, schemas, name, must(os.ReadFile(file)))
	}
	var broken map[string]any
	if err := json.Unmarshal(must(os.ReadFile(files[0])), &broken); err != nil {
		t.Fatal(err)
	}
	delete(broken["data"].(map[string]any), "timeline")
	if schemas["StreamedOrderEvent"].Value.VisitJSON(broken) == nil {
		t.Error("an event without its timeline is accepted as one of the stream")
	}
}

// And what orders really announce is what the document says, to the last member.
func TestAsyncAPI_describes_real_events(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t)
	id := s.createOrder()["id"].(string)
	s.pay(id)
	s.do("POST", "/v1/orders/"+id+"/shipments", `{"carrier":"DHL","tracking_number":"1"}`, nil)
	e := must(s.orders.Newest(t.Context(), s.merchant.ID, id))
	if e.Type != "order.shipment_created" || len(e.Timeline) < 3 {
		t.Fatalf("%+v", e)
	}
	strictly := eventSchemas(t, func(all map[string]map[string]any) { closeObjects(asAny(all)) })
	valid(t, strictly, "OrderEvent", must(json.Marshal(e.Public())))
	valid(t, eventSchemas(t, func(map[string]map[string]any) {}), "StreamedOrderEvent", must(json.Marshal(e)))
}

func asAny(m map[string]map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}
