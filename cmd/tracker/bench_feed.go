package main

import (
	"context"
	"math/rand/v2"
	"time"
)

// stage is a lane with a crowd before it.
type stage struct {
	lane  *laneProcess
	crowd *crowd
}

func newStage(ctx context.Context, lane string) (*stage, error) {
	raise()
	p, err := startLane(ctx, lane)
	if err != nil {
		return nil, err
	}
	return &stage{lane: p, crowd: newCrowd(p.feed)}, nil
}

func (s *stage) close() {
	s.crowd.leave()
	s.lane.stop()
}

func sameOrder(int) string  { return benchOrder(0) }
func ownOrder(i int) string { return benchOrder(i) }

func (s *stage) settle(ctx context.Context) error { return pause(ctx, 300*time.Millisecond) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// with runs fn on a fresh lane.
func with(ctx context.Context, lane string, fn func(*stage) error) error {
	s, err := newStage(ctx, lane)
	if err != nil {
		return err
	}
	defer s.close()
	return fn(s)
}

// seed gives every order its first event, as an order always has one.
func (s *stage) seed(ctx context.Context, orders int) error {
	return s.lane.publish(ctx, publishing{Feeds: orders, Events: orders})
}

// idle measures the server's memory per connection. A first crowd comes and
// goes, so that what is made once is there before.
func (c *benchFeed) idle(ctx context.Context, _ *console, r *report, lane string) error {
	return with(ctx, lane, func(s *stage) error {
		if err := s.seed(ctx, 1); err != nil {
			return err
		}
		warm := newCrowd(s.lane.feed)
		if err := warm.join(ctx, min(c.Clients, 100), sameOrder); err != nil {
			return err
		}
		warm.leave()
		none, err := s.atRest(ctx)
		if err != nil {
			return err
		}
		some, err := s.after(ctx, max(c.Clients/10, 1))
		if err != nil {
			return err
		}
		all, err := s.after(ctx, c.Clients-c.Clients/10)
		if err != nil {
			return err
		}
		n, rest := float64(len(s.crowd.members)), float64(c.Clients-c.Clients/10)
		r.add("idle", lane, "memory per connection", float64(all.PSS-none.PSS)/n/1024, "KB")
		r.add("idle", lane, "slope over the last 90 %", float64(all.PSS-some.PSS)/rest/1024, "KB")
		r.add("idle", lane, "goroutines per connection", float64(all.Goroutines-none.Goroutines)/n, "")
		return nil
	})
}

// after adds n clients and measures once they rest.
func (s *stage) after(ctx context.Context, n int) (usage, error) {
	if err := s.crowd.join(ctx, n, sameOrder); err != nil {
		return usage{}, err
	}
	return s.atRest(ctx)
}

func (s *stage) atRest(ctx context.Context) (usage, error) {
	if err := s.settle(ctx); err != nil {
		return usage{}, err
	}
	return s.lane.usage(ctx, true)
}

// deliver measures one order that everybody watches.
func (c *benchFeed) deliver(ctx context.Context, _ *console, r *report, lane string) error {
	return with(ctx, lane, func(s *stage) error {
		if err := s.seed(ctx, 1); err != nil {
			return err
		}
		if err := s.crowd.join(ctx, c.Clients, sameOrder); err != nil {
			return err
		}
		// The first events fill the caches and are not counted.
		if err := s.lane.publish(ctx, publishing{Events: 3, Rate: 20}); err != nil {
			return err
		}
		if _, err := s.crowd.caughtUp(ctx, func(*member) int64 { return 4 }); err != nil {
			return err
		}
		s.crowd.fresh()
		before, err := s.lane.usage(ctx, false)
		if err != nil {
			return err
		}
		if err := s.lane.publish(ctx, publishing{Events: c.Events, Rate: min(c.Rate, 20)}); err != nil {
			return err
		}
		last := int64(4 + c.Events)
		behind, err := s.crowd.caughtUp(ctx, func(*member) int64 { return last })
		if err != nil {
			return err
		}
		after, err := s.lane.usage(ctx, false)
		if err != nil {
			return err
		}
		delivered := float64(c.Clients) * float64(c.Events)
		r.add("deliver", lane, "CPU per delivery", float64((after.CPU-before.CPU).Nanoseconds())/delivered/1000, "µs")
		r.delays("deliver", lane, "delay", &s.crowd.delay)
		s.faults(r, "deliver", lane, behind)
		return nil
	})
}

func (s *stage) faults(r *report, group, lane string, behind int) {
	r.add(group, lane, "missed", float64(s.crowd.missed.Load()), "events")
	r.add(group, lane, "doubled", float64(s.crowd.doubled.Load()), "events")
	r.add(group, lane, "never caught up", float64(behind), "clients")
}

// spread measures what an event costs when many orders are watched, each by one.
func (c *benchFeed) spread(ctx context.Context, _ *console, r *report, lane string) error {
	for _, orders := range []int{max(c.Clients/10, 1), c.Clients} {
		err := with(ctx, lane, func(s *stage) error {
			if err := s.seed(ctx, orders); err != nil {
				return err
			}
			if err := s.crowd.join(ctx, orders, ownOrder); err != nil {
				return err
			}
			if err := s.settle(ctx); err != nil {
				return err
			}
			before, err := s.lane.usage(ctx, false)
			if err != nil {
				return err
			}
			events := max(5*orders, 1000) / orders * orders
			if err := s.lane.publish(ctx, publishing{Feeds: orders, Events: events, Rate: 5000}); err != nil {
				return err
			}
			if err := s.settle(ctx); err != nil {
				return err
			}
			after, err := s.lane.usage(ctx, false)
			if err != nil {
				return err
			}
			r.add("spread", lane, "CPU per event, "+short(float64(orders))+" orders", float64((after.CPU-before.CPU).Nanoseconds())/float64(events)/1000, "µs")
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// storm cuts everybody at once. They return within a few seconds with their
// cursors, while events go on.
func (c *benchFeed) storm(ctx context.Context, _ *console, r *report, lane string) error {
	return with(ctx, lane, func(s *stage) error {
		if err := s.seed(ctx, 1); err != nil {
			return err
		}
		if err := s.crowd.join(ctx, c.Clients, sameOrder); err != nil {
			return err
		}
		if _, err := s.crowd.caughtUp(ctx, func(*member) int64 { return 1 }); err != nil {
			return err
		}
		events := int(c.For.Seconds()*float64(min(c.Rate, 100))) + 1
		published := make(chan error, 1)
		go func() { published <- s.lane.publish(ctx, publishing{Events: events, Rate: min(c.Rate, 100)}) }()
		if err := pause(ctx, c.For/5); err != nil {
			return err
		}
		began := time.Now()
		if err := s.lane.ask(ctx, "POST", "/cut", nil, nil); err != nil {
			return err
		}
		if err := s.crowd.returnWithin(ctx, c.For*3/5); err != nil {
			return err
		}
		back := time.Since(began)
		keeping, stop := context.WithCancel(ctx)
		defer stop()
		go s.crowd.keep(keeping)
		if err := <-published; err != nil {
			return err
		}
		behind, err := s.crowd.caughtUp(ctx, func(*member) int64 { return int64(1 + events) })
		if err != nil {
			return err
		}
		r.add("storm", lane, "cut connections", float64(s.crowd.lost.Load()), "")
		r.add("storm", lane, "all back after", back.Seconds(), "s")
		s.faults(r, "storm", lane, behind)
		return nil
	})
}

// returnWithin connects every member again, at a moment of its own.
func (c *crowd) returnWithin(ctx context.Context, window time.Duration) error {
	moments := make([]time.Duration, len(c.members))
	for i := range moments {
		moments[i] = rand.N(window)
	}
	began, parts := time.Now(), 50
	for part := range parts {
		from, to := window*time.Duration(part)/time.Duration(parts), window*time.Duration(part+1)/time.Duration(parts)
		var due []*member
		for i, m := range c.members {
			if moments[i] >= from && moments[i] < to {
				due = append(due, m)
			}
		}
		if err := c.connect(ctx, due); err != nil {
			return err
		}
		if err := pause(ctx, max(0, to-time.Since(began))); err != nil {
			return err
		}
	}
	return nil
}

// stalled lets one client in ten stop reading in the middle of a steady load.
func (c *benchFeed) stalled(ctx context.Context, out *console, r *report, lane string) error {
	for _, share := range []int{0, 10} {
		err := with(ctx, lane, func(s *stage) error { return c.withStalled(ctx, s, r, lane, share) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *benchFeed) withStalled(ctx context.Context, s *stage, r *report, lane string, percent int) error {
	if err := s.seed(ctx, 1); err != nil {
		return err
	}
	if err := s.crowd.join(ctx, c.Clients, sameOrder); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	for i, m := range s.crowd.members {
		m.stall.Store(percent > 0 && i%(100/percent) == 0)
	}
	before, err := s.lane.usage(ctx, true)
	if err != nil {
		return err
	}
	s.crowd.fresh()
	keeping, stop := context.WithCancel(ctx)
	defer stop()
	go s.crowd.keep(keeping)
	rate := max(1, min(c.Rate, 400_000/c.Clients)) // deliveries per second that two cores can make
	events := int(c.For.Seconds() * float64(rate))
	if err := s.lane.publish(ctx, publishing{Events: events, Rate: rate}); err != nil {
		return err
	}
	behind, err := s.crowd.caughtUp(ctx, func(*member) int64 { return int64(1 + events) })
	if err != nil {
		return err
	}
	after, err := s.lane.usage(ctx, true)
	if err != nil {
		return err
	}
	name := "none stalled"
	if percent > 0 {
		name = short(float64(percent)) + " % stalled"
	}
	r.add("stalled", lane, name+", delay p99", s.crowd.delay.percentile(99).Seconds()*1000, "ms")
	r.add("stalled", lane, name+", never caught up", float64(behind), "clients")
	r.add("stalled", lane, name+", others cut", float64(s.crowd.lost.Load()), "times")
	if percent > 0 {
		r.add("stalled", lane, "memory grew by", float64(after.PSS-before.PSS)/(1<<20), "MB")
	}
	return nil
}
