package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// benchFanout measures one order that everybody watches.
type benchFanout struct {
	benchFlags
	peerFlags
	Clients int      `default:"10000" help:"Connections, at most 19000. Default: 10000."`
	Events  int      `default:"12" help:"Events in a run. Default: 12."`
	Rate    int      `default:"4" help:"Events per second. Default: 4: the clients are on the same cores, and more than those can read queues up before them."`
	Runs    int      `default:"3" help:"Runs, of which the median counts. Default: 3."`
	Only    []string `placeholder:"LANE" help:"Only these: tracker, parked, r3labs, write-loop, plain, r3labs-as-is, and peers."`
}

// Help is the longer help of the command.
func (benchFanout) Help() string {
	return `CPU is the server process's, user and kernel, less what the same events cost
without a watcher. All lanes send events of the same size. Delay is until the
client has read the event: for tracker from the REST call that made it, for a lane
from its making. "Written" is the server's part of it: from the event's arrival at the
feed to the last client's socket. What is more is the clients' own time.`
}

// Run measures.
func (c *benchFanout) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	return c.run(ctx, out, "fanout", c)
}

func (c *benchFanout) setting() string {
	return fmt.Sprintf("%d connections on one order, %d events", c.Clients, c.Events)
}

func (c *benchFanout) measure(ctx context.Context, out *console, r *report) error {
	cost, size := map[string]float64{}, 0
	for _, lane := range c.with(laneTracker, laneWriteLoop, laneParked, laneR3, lanePlain, laneR3AsIs) {
		if len(c.Only) > 0 && !slices.Contains(c.Only, lane) {
			continue
		}
		progress(out, "fanout: %s", lane)
		err := on(ctx, lane, c.Peer, func(s subject, crowd *crowd) (err error) {
			if p, ok := s.(*laneProcess); ok {
				p.size = size
			}
			cost[lane], err = c.deliveries(ctx, r, s, crowd)
			if lane == laneTracker {
				size = int(crowd.frame.Load())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if bare := cost[laneWriteLoop]; bare > 0 && cost[laneTracker] > 0 {
		r.atMost("fanout", "CPU per delivery, times a write(2) loop", 1.15, cost[laneTracker]/bare, "×")
	}
	for name := range c.Peer {
		if cost[name] > 0 {
			r.atMost("fanout", "CPU per delivery, times "+name, 1, cost[laneTracker]/cost[name], "×")
		}
	}
	return nil
}

// deliveries returns the CPU time of one delivery in microseconds.
func (c *benchFanout) deliveries(ctx context.Context, r *report, s subject, crowd *crowd) (float64, error) {
	book, err := s.orders(ctx, 1)
	if err != nil {
		return 0, err
	}
	crowd.book = book
	load := func() error { return s.change(ctx, book, changes{Feeds: 1, Events: c.Events, Rate: c.Rate}) }
	unwatched, err := usage(s, load)
	if err != nil {
		return 0, err
	}
	if err := crowd.join(ctx, c.Clients, func(int) string { return book.ids[0] }); err != nil {
		return 0, err
	}
	if err := pause(ctx, 300*time.Millisecond); err != nil {
		return 0, err
	}
	crowd.fresh()
	before := lagsOf(ctx, s)
	var costs []float64
	for range max(c.Runs, 1) {
		spent, err := usage(s, func() error {
			if err := load(); err != nil {
				return err
			}
			_, err := crowd.caughtUp(ctx)
			return err
		})
		if err != nil {
			return 0, err
		}
		costs = append(costs, float64((spent-unwatched).Microseconds())/float64(c.Clients*c.Events))
	}
	r.add("fanout", s.name(), "CPU per delivery", median(costs), "µs")
	r.add("fanout", s.name(), "event", float64(crowd.frame.Load()), "bytes")
	written := lagsOf(ctx, s)[stageSocket].since(before[stageSocket])
	for _, p := range []float64{50, 99} {
		if written.total() > 0 {
			r.add("fanout", s.name(), fmt.Sprintf("written p%g", p), written.percentile(p)*1000, "ms")
		}
	}
	r.delays("fanout", s.name(), "delay", &crowd.delay)
	return median(costs), crowd.faults(ctx, r, "fanout", s.name())
}
