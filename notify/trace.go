package notify

import (
	"time"

	"tracker/notify/eventwire"
)

// traceBegins is now, where anybody asks.
func (n *Notifier) traceBegins() (begun time.Time) {
	if n.opt.Delivered != nil {
		begun = time.Now()
	}
	return begun
}

// traced reports what was sent of an event that belongs to a trace.
func (n *Notifier) traced(e eventwire.Event, begun time.Time, clients int64) {
	if n.opt.Delivered != nil && e.Trace != "" && clients > 0 {
		n.opt.Delivered(e, begun, clients)
	}
}
