package main

import (
	"context"
	"fmt"
	"time"
)

// benchLatency measures the whole way: a REST call changes an order, and a client
// that watches the order reads the event.
type benchLatency struct {
	benchFlags
	Orders int           `default:"10000" help:"Orders, each watched by one SSE client, at most 19000. Default: 10000."`
	Rate   int           `default:"200" help:"Changes per second. Default: 200."`
	For    time.Duration `default:"20s" help:"How long. Default: 20s."`
}

// Help is the longer help of the command.
func (benchLatency) Help() string {
	return `The whole program. Both times count from when the call began: until its answer,
which comes when the change is on disk, and until the event was read by the client
that watches the order. The stages between are the program's own figures
(tracker_lag_seconds): each counts from where the one before it ended, the first from
the change's own time, which is in whole milliseconds.`
}

// Run measures.
func (c *benchLatency) Run(ctx context.Context, out *console) error {
	if c.Orders < 1 || c.Orders > mostClients || c.Rate < 1 {
		return fmt.Errorf("--orders must be 1 to %d and --rate at least 1", mostClients)
	}
	return c.run(ctx, out, "latency", c)
}

func (c *benchLatency) setting() string {
	return fmt.Sprintf("%d watched orders, %d changes per second for %s", c.Orders, c.Rate, c.For)
}

func (c *benchLatency) measure(ctx context.Context, out *console, r *report) error {
	return on(ctx, laneTracker, nil, func(s subject, crowd *crowd) error {
		progress(out, "latency: %d orders", c.Orders)
		book, err := s.orders(ctx, c.Orders)
		if err != nil {
			return err
		}
		crowd.book = book
		if err := crowd.join(ctx, c.Orders, func(i int) string { return book.ids[i] }); err != nil {
			return err
		}
		if _, err := crowd.caughtUp(ctx); err != nil {
			return err
		}
		crowd.fresh()
		progress(out, "latency: %d changes per second", c.Rate)
		var answered histogram
		before := lagsOf(ctx, s)
		events := int(c.For.Seconds() * float64(c.Rate))
		spent, err := usage(s, func() error {
			return s.(*whole).changeTimed(ctx, book, changes{Feeds: c.Orders, Events: events, Rate: c.Rate}, &answered)
		})
		if err != nil {
			return err
		}
		if err := crowd.faults(ctx, r, "latency", "event at the client"); err != nil {
			return err
		}
		r.delays("latency", "answer to the call", "after the call began", &answered)
		r.stages("latency", before, lagsOf(ctx, s), stages()...)
		r.delays("latency", "event at the client", "after the call began", &crowd.delay)
		r.add("latency", "event at the client", "CPU per change", float64(spent.Microseconds())/float64(max(events, 1)), "µs")
		later := crowd.delay.percentile(50) - answered.percentile(50)
		r.atMost("latency", "p50 of the event, later than the answer's", 1, later.Seconds()*1000, "ms")
		return nil
	})
}
