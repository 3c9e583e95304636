package main

import (
	"context"
	"fmt"
	"slices"
)

// benchIdle measures what a connection costs that nothing happens on.
type benchIdle struct {
	benchFlags
	peerFlags
	Clients int      `default:"10000" help:"Connections, at most 19000. Default: 10000."`
	Orders  int      `default:"1" help:"Orders that they watch, in turn. Default: 1."`
	Only    []string `placeholder:"LANE" help:"Only these: tracker, parked, r3labs, plain, r3labs-as-is, and peers."`
}

// Help is the longer help of the command.
func (benchIdle) Help() string {
	return `Memory is the kernel's count (PSS) of the whole server process after a garbage
collection, and its growth from no connection to all of them. The slope leaves out
the first tenth, which grows pools and tables to their size. Give GOGC=… to see
what it is with another setting; every lane gets it, too.`
}

// Run measures.
func (c *benchIdle) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	return c.run(ctx, out, "idle", c)
}

func (c *benchIdle) setting() string {
	return fmt.Sprintf("%d connections, %d orders, HTTP/1.1", c.Clients, c.Orders)
}

func (c *benchIdle) measure(ctx context.Context, out *console, r *report) error {
	cost := map[string]float64{}
	for _, lane := range c.with(laneTracker, laneParked, laneR3, lanePlain, laneR3AsIs) {
		if len(c.Only) > 0 && !slices.Contains(c.Only, lane) {
			continue
		}
		progress(out, "idle: %s", lane)
		err := on(ctx, lane, c.Peer, func(s subject, crowd *crowd) (err error) {
			cost[lane], err = c.growth(ctx, r, s, crowd)
			return err
		})
		if err != nil {
			return err
		}
	}
	if own := cost[laneTracker]; own > 0 {
		r.atMost("idle", "memory of a connection, the whole program", 2.5, own, "KB")
		if theirs, ok := cost[laneR3AsIs]; ok {
			r.atLeast("idle", "r3labs as it is, times as much", 10, theirs/own, "×")
		}
	}
	return nil
}

// growth is what the server's memory grew by per connection: from none to all,
// and, beside it, over the last nine tenths.
func (c *benchIdle) growth(ctx context.Context, r *report, s subject, crowd *crowd) (float64, error) {
	book, err := s.orders(ctx, max(c.Orders, 1))
	if err != nil {
		return 0, err
	}
	crowd.book = book
	steps := []int{0, max(c.Clients/10, 1), c.Clients}
	var memory []int64
	for _, n := range steps {
		err := crowd.join(ctx, n-len(crowd.members), func(i int) string { return book.ids[i%len(book.ids)] })
		if err != nil {
			return 0, err
		}
		now, err := settledPSS(ctx, s)
		if err != nil {
			return 0, err
		}
		memory = append(memory, now)
	}
	per := func(from, to int) float64 {
		return float64(memory[to]-memory[from]) / 1024 / float64(max(steps[to]-steps[from], 1))
	}
	r.add("idle", s.name(), "memory per connection", per(0, 2), "KB")
	r.add("idle", s.name(), "slope over the last 90 %", per(1, 2), "KB")
	r.add("idle", s.name(), "whole process", float64(memory[2])/(1<<20), "MB")
	r.none("idle", s.name(), "connections lost", crowd.lost.Load(), "")
	return per(0, 2), nil
}
