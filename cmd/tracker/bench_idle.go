package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// benchIdle measures what a connection costs that nothing happens on.
type benchIdle struct {
	benchFlags
	peerFlags
	Clients int      `default:"10000" help:"Connections, at most 19000. Default: 10000."`
	Orders  int      `default:"1" help:"Orders that they watch, in turn. Default: 1."`
	Most    int      `default:"19000" help:"Where the whole program goes on to, for the slope, at most 19000. Default: 19000."`
	Only    []string `placeholder:"LANE" help:"Only these: tracker, tracker-each (an order for each client), parked, r3labs, plain, r3labs-as-is, and peers."`
}

// Help is the longer help of the command.
func (benchIdle) Help() string {
	return `Memory is the kernel's count (PSS) of the whole server process after a garbage
collection, and its growth from no connection to all of them. The slope leaves out
the first tenth, which grows pools and tables to their size: it is from there to all,
and for the whole program to --most. Give GOGC=… to see what it is with another setting;
every lane gets it, too.`
}

// Run measures.
func (c *benchIdle) Run(ctx context.Context, out *console) error {
	if err := errors.Join(checkClients(c.Clients), checkClients(c.Most)); err != nil {
		return err
	}
	return c.run(ctx, out, "idle", c)
}

func (c *benchIdle) setting() string {
	return fmt.Sprintf("%d connections, %d orders, HTTP/1.1", c.Clients, c.Orders)
}

// laneEach is the whole program where each client watches an order of its own.
const laneEach = "tracker-each"

func (c *benchIdle) measure(ctx context.Context, out *console, r *report) error {
	cost := map[string]float64{}
	for _, name := range c.with(laneTracker, laneEach, laneParked, laneR3, lanePlain, laneR3AsIs) {
		if len(c.Only) > 0 && !slices.Contains(c.Only, name) {
			continue
		}
		progress(out, "idle: %s", name)
		load := idleLoad{name: name, orders: max(c.Orders, 1), steps: []int{max(c.Clients/10, 1), c.Clients}}
		lane := name
		if name == laneEach || name == laneTracker {
			lane = laneTracker
			load.steps = append(load.steps, max(c.Most, c.Clients))
		}
		if name == laneEach {
			load.orders = max(c.Most, c.Clients)
		}
		err := on(ctx, lane, c.Peer, func(s subject, crowd *crowd) (err error) {
			cost[name], err = load.growth(ctx, r, s, crowd)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, lane := range []string{laneTracker, laneEach} {
		own, theirs := cost[lane], cost[laneR3AsIs]
		if own > 0 {
			r.atMost("idle", "memory of a connection, "+lane, 2.5, own, "KB")
		}
		if own > 0 && theirs > 0 {
			r.atLeast("idle", "r3labs as it is, times "+lane, 10, theirs/own, "×")
		}
	}
	return nil
}

// idleLoad is how many connections come to one server.
type idleLoad struct {
	name   string
	orders int
	steps  []int // connections: a few, all, and where the slope ends
}

// growth is what the server's memory grew by per connection, from none to all.
func (l idleLoad) growth(ctx context.Context, r *report, s subject, crowd *crowd) (float64, error) {
	book, err := s.orders(ctx, l.orders)
	if err != nil {
		return 0, err
	}
	crowd.book = book
	steps := append([]int{0}, l.steps...)
	var memory []int64
	for _, n := range steps {
		here := len(crowd.members)
		err := crowd.join(ctx, max(n-here, 0), func(i int) string { return book.ids[(here+i)%len(book.ids)] })
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
	end := len(steps) - 1
	r.add("idle", l.name, "memory per connection", per(0, 2), "KB")
	r.add("idle", l.name, "slope", per(1, end), "KB")
	r.add("idle", l.name, "whole process", float64(memory[2])/(1<<20), "MB")
	r.none("idle", l.name, "connections lost", crowd.lost.Load(), "")
	if end > 2 {
		r.atMost("idle", "slope, "+l.name, 2.5, per(1, end), "KB")
	}
	return per(0, 2), nil
}
