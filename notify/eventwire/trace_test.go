package eventwire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tracker/notify/eventwire"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestTrace_travels_in_the_envelope_and_reaches_nobody_outside(t *testing.T) {
	t.Parallel()
	e := sample(t, "order.confirmed")
	e.Resource = json.RawMessage(`{"id":"x","metadata":{"traceparent":"mine"}}`)
	plain, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := eventwire.TraceIn(plain); got != "" {
		t.Errorf("an event without a trace has %q", got)
	}
	e.Trace = parent
	message, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := eventwire.Decode(message)
	if err != nil || back.Trace != parent || eventwire.TraceIn(message) != parent {
		t.Errorf("%q, %q, %v", back.Trace, eventwire.TraceIn(message), err)
	}
	older, _ := back.At(2)
	for _, public := range []eventwire.Event{back.Public(), older} {
		text, err := public.Encode()
		if err != nil || strings.Contains(string(text), parent) {
			t.Errorf("it is told to everybody: %s, %v", text, err)
		}
	}
}

func TestTrace_of_a_context(t *testing.T) {
	t.Parallel()
	if got := eventwire.TraceOf(eventwire.WithTrace(t.Context(), parent)); got != parent {
		t.Errorf("%q", got)
	}
	if ctx := t.Context(); eventwire.WithTrace(ctx, "") != ctx || eventwire.TraceOf(ctx) != "" {
		t.Error("no trace is one")
	}
}
