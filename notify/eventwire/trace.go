package eventwire

import (
	"context"
	"encoding/json"
)

type traceKey struct{}

// WithTrace returns a context whose changes belong to a trace: parent is a W3C
// traceparent, and every event that is appended under the context carries it. An
// empty parent returns ctx as it is.
func WithTrace(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, parent)
}

// TraceOf is the traceparent of the context, or "". It allocates nothing.
func TraceOf(ctx context.Context) string {
	parent, _ := ctx.Value(traceKey{}).(string)
	return parent
}

// TraceIn is the traceparent of an encoded event, or "". It reads the envelope
// alone.
func TraceIn(message []byte) string {
	if e, ok := Peek(message); ok {
		return e.Trace
	}
	var e struct {
		Trace string `json:"traceparent"`
	}
	if json.Unmarshal(message, &e) != nil {
		return ""
	}
	return e.Trace
}
