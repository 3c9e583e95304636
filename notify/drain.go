package notify

import (
	"context"
	"time"
)

const drainSteps = 50

// Drain refuses new connections and says goodbye to those that are open, spread
// evenly over the configured window: streams with a fresh reconnection time,
// waiting polls with what there is, WebSockets with 1001. It returns nil when
// nobody is left, or ctx's error when its time is over first.
func (n *Notifier) Drain(ctx context.Context) error {
	n.gate.close()
	pace := time.NewTicker(max(time.Millisecond, n.opt.DrainWindow/drainSteps))
	defer pace.Stop()
	list := n.everyone()
	for step := range drainSteps {
		from, to := len(list)*step/drainSteps, len(list)*(step+1)/drainSteps
		for _, w := range list[from:to] {
			n.end(w, drained)
		}
		if to == from {
			continue
		}
		if err := wait(ctx, pace.C); err != nil {
			return err
		}
	}
	for !n.gate.idle() { // who was on the way in when the gate closed
		for _, w := range n.everyone() {
			n.end(w, drained)
		}
		if err := wait(ctx, pace.C); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-tick:
		return nil
	}
}
