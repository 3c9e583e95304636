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
collection, and its growth from a tenth of the connections to all of them. Give
GOGC=… to see what it is with another setting; every lane gets it, too.`
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
			cost[lane], err = c.slope(ctx, r, s, crowd)
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

// slope is the growth of the server's memory per connection. The first tenth
// grows pools and tables to their size and does not count.
func (c *benchIdle) slope(ctx context.Context, r *report, s subject, crowd *crowd) (float64, error) {
	book, err := s.orders(ctx, max(c.Orders, 1))
	if err != nil {
		return 0, err
	}
	crowd.book = book
	of := func(i int) string { return book.ids[i%len(book.ids)] }
	first := max(c.Clients/10, 1)
	if err := crowd.join(ctx, first, of); err != nil {
		return 0, err
	}
	before, err := settledPSS(ctx, s)
	if err != nil {
		return 0, err
	}
	if err := crowd.join(ctx, c.Clients-first, of); err != nil {
		return 0, err
	}
	after, err := settledPSS(ctx, s)
	if err != nil {
		return 0, err
	}
	perClient := float64(after-before) / 1024 / float64(max(c.Clients-first, 1))
	r.add("idle", s.name(), "memory per connection", perClient, "KB")
	r.add("idle", s.name(), "whole process", float64(after)/(1<<20), "MB")
	r.none("idle", s.name(), "connections lost", crowd.lost.Load(), "")
	return perClient, nil
}
