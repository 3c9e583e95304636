package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// benchPublish measures whether an event costs more the more other orders are
// watched.
type benchPublish struct {
	benchFlags
	Watched []int `default:"1000,5000,10000,19000" help:"Watched orders, each by one client, smallest first. Default: 1000,5000,10000,19000."`
	Events  int   `default:"3000" help:"Events in a run, on as many orders as the smallest number has. Default: 3000."`
	Rate    int   `default:"1000" help:"Events per second. Default: 1000."`
	Runs    int   `default:"3" help:"Runs, of which the median counts. Default: 3."`
}

// Help is the longer help of the command.
func (benchPublish) Help() string {
	return `The feed behind its embedded stream: CPU from the NATS message to the socket,
less what the process takes in the same time without events, which is heartbeats.`
}

// Run measures.
func (c *benchPublish) Run(ctx context.Context, out *console) error {
	if len(c.Watched) == 0 || slices.Min(c.Watched) < 1 || slices.Max(c.Watched) > mostClients || c.Rate < 1 {
		return fmt.Errorf("--watched must be 1 to %d, and --rate at least 1", mostClients)
	}
	return c.run(ctx, out, "publish", c)
}

func (c *benchPublish) setting() string {
	return fmt.Sprintf("%d events on %v watched orders", c.Events, c.Watched)
}

func (c *benchPublish) measure(ctx context.Context, out *console, r *report) error {
	var costs []float64
	for _, watched := range c.Watched {
		progress(out, "publish: %d watched orders", watched)
		err := on(ctx, laneParked, nil, func(s subject, crowd *crowd) error {
			cost, err := c.perEvent(ctx, r, s, crowd, watched)
			costs = append(costs, cost)
			return err
		})
		if err != nil {
			return err
		}
	}
	if least := slices.Min(costs); least > 0 {
		r.atMost("publish", "CPU per event, dearest to cheapest (flat)", 1.25, slices.Max(costs)/least, "×")
	}
	return nil
}

// perEvent returns the CPU time of one event in microseconds.
func (c *benchPublish) perEvent(ctx context.Context, r *report, s subject, crowd *crowd, watched int) (float64, error) {
	book, err := s.orders(ctx, watched)
	if err != nil {
		return 0, err
	}
	crowd.book = book
	if err := crowd.join(ctx, watched, func(i int) string { return book.ids[i] }); err != nil {
		return 0, err
	}
	if _, err := crowd.caughtUp(ctx); err != nil {
		return 0, err
	}
	crowd.fresh()
	quiet, err := usage(s, func() error { return pause(ctx, time.Duration(c.Events)*time.Second/time.Duration(c.Rate)) })
	if err != nil {
		return 0, err
	}
	var costs []float64
	for range max(c.Runs, 1) {
		spent, err := usage(s, func() error {
			if err := s.change(ctx, book, changes{Feeds: min(watched, slices.Min(c.Watched)), Events: c.Events, Rate: c.Rate}); err != nil {
				return err
			}
			_, err := crowd.caughtUp(ctx)
			return err
		})
		if err != nil {
			return 0, err
		}
		costs = append(costs, float64((spent-quiet).Microseconds())/float64(c.Events))
	}
	lane := fmt.Sprintf("%d watched", watched)
	r.add("publish", lane, "CPU per event", median(costs), "µs")
	r.delays("publish", lane, "delay", &crowd.delay)
	return median(costs), crowd.faults(ctx, r, "publish", lane)
}
