package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// benchStorm cuts everybody at once. They return with their cursors, while
// events go on.
type benchStorm struct {
	benchFlags
	Clients int           `default:"10000" help:"Connections, at most 19000. Default: 10000."`
	Rate    int           `default:"100" help:"Events per second, through the API. Default: 100."`
	Within  time.Duration `default:"5s" help:"In which all reconnect, each at a moment of its own. Default: 5s."`
	For     time.Duration `default:"10s" help:"How long events go on. Default: 10s."`
}

// Help is the longer help of the command.
func (benchStorm) Help() string {
	return `The whole program. Ten clients watch each order. A fifth into the load every
connection is reset. At the end each client must have every event of its order
once: anything else is a fault.`
}

// Run measures.
func (c *benchStorm) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	return c.run(ctx, out, "storm", c)
}

func (c *benchStorm) setting() string {
	return fmt.Sprintf("%d connections cut at once, back within %s, %d events per second", c.Clients, c.Within, c.Rate)
}

func (c *benchStorm) measure(ctx context.Context, out *console, r *report) error {
	return on(ctx, laneTracker, nil, func(s subject, crowd *crowd) error {
		book, err := s.orders(ctx, max(c.Clients/10, 1))
		if err != nil {
			return err
		}
		crowd.book = book
		progress(out, "storm: %d join", c.Clients)
		if err := crowd.join(ctx, c.Clients, func(i int) string { return book.ids[i%len(book.ids)] }); err != nil {
			return err
		}
		if _, err := crowd.caughtUp(ctx); err != nil {
			return err
		}
		return c.storm(ctx, out, r, s, crowd)
	})
}

func (c *benchStorm) storm(ctx context.Context, out *console, r *report, s subject, crowd *crowd) error {
	events := int(c.For.Seconds() * float64(c.Rate))
	made := make(chan error, 1)
	go func() {
		made <- s.change(ctx, crowd.book, changes{Feeds: len(crowd.book.ids), Events: events, Rate: c.Rate})
	}()
	if err := pause(ctx, c.For/5); err != nil {
		return err
	}
	progress(out, "storm: all are cut")
	var back time.Duration
	spent, err := usage(s, func() error {
		began := time.Now()
		crowd.cut()
		err := crowd.returnWithin(ctx, c.Within)
		back = time.Since(began)
		return err
	})
	if err != nil {
		return err
	}
	keeping, stop := context.WithCancel(ctx)
	defer stop()
	go crowd.keep(keeping, crowd.members)
	if err := <-made; err != nil {
		return err
	}
	r.add("storm", s.name(), "cut", float64(c.Clients), "clients")
	r.add("storm", s.name(), "all back after", back.Seconds(), "s")
	r.add("storm", s.name(), "CPU per return, with the events", float64(spent.Microseconds())/float64(c.Clients), "µs")
	r.add("storm", s.name(), "events", float64(events), "")
	if err := crowd.faults(ctx, r, "storm", s.name()); err != nil {
		return err
	}
	lacking := crowd.missed.Load() + crowd.doubled.Load()
	r.atMost("storm", "events missed or doubled", 0, float64(lacking), "")
	return nil
}

// returnWithin connects every member again, at a moment of its own.
func (c *crowd) returnWithin(ctx context.Context, window time.Duration) error {
	const parts = 50
	due := make([][]*member, parts)
	for _, m := range c.members {
		part := rand.IntN(parts)
		due[part] = append(due[part], m)
	}
	began := time.Now()
	for part, members := range due {
		if err := c.connect(ctx, members); err != nil {
			return err
		}
		if err := pause(ctx, time.Until(began.Add(window*time.Duration(part+1)/parts))); err != nil {
			return err
		}
	}
	return nil
}
