package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// benchStalled lets clients stop reading under a steady load.
type benchStalled struct {
	benchFlags
	Clients int           `default:"10000" help:"Connections, at most 19000. One in ten stalls. Default: 10000."`
	Rate    int           `default:"200" help:"Events per second. Default: 200."`
	For     time.Duration `default:"5s" help:"How long each load lasts. Default: 5s."`
	Hot     int           `default:"20" help:"Orders that the events are on. Default: 20."`
	Runs    int           `default:"3" help:"Pairs of loads, without and with stalled clients, of which the median counts. Default: 3."`
}

// Help is the longer help of the command.
func (benchStalled) Help() string {
	return `The feed behind its embedded stream. Each load has a few hot orders of its own, which
all stalled and a tenth of the healthy clients watch; the other healthy clients watch
what is quiet. The loads take turns: without stalled clients, then with as many new
ones as were cut before. "Written" is the server's part of a delay: from the first
watcher's turn to the last one's socket.`
}

// stallSize is that of the events, in bytes: a load must be more than the kernel's
// buffers take for somebody who does not read.
const stallSize = 8000

// mostStalledRuns have two loads each, with a tenth of the clients for each load.
const mostStalledRuns = 4

// Run measures.
func (c *benchStalled) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	if c.Hot < 1 || c.Rate < 1 || c.Runs < 1 || c.Runs > mostStalledRuns {
		return fmt.Errorf("--hot and --rate must be at least 1, and --runs 1 to %d", mostStalledRuns)
	}
	return c.run(ctx, out, "stalled", c)
}

func (c *benchStalled) stalled() int { return c.Clients / 10 }

func (c *benchStalled) setting() string {
	return fmt.Sprintf("%d connections, %d of them stalled, %d events per second on %d orders", c.Clients, c.stalled(), c.Rate, c.Hot)
}

func (c *benchStalled) measure(ctx context.Context, out *console, r *report) error {
	return on(ctx, laneParked, nil, func(s subject, crowd *crowd) error {
		s.(*laneProcess).size = stallSize
		if err := c.seat(ctx, s, crowd); err != nil {
			return err
		}
		keeping, stop := context.WithCancel(ctx)
		defer stop()
		go crowd.keep(keeping, crowd.members)
		var all stalledRuns
		for run := range c.Runs {
			progress(out, "stalled: run %d", run+1)
			if err := c.pair(ctx, s, crowd, run, &all); err != nil {
				return err
			}
		}
		stop()
		all.report(r, c.stalled())
		r.add("stalled", "with stalled ones", "healthy cut", float64(crowd.lost.Load()), "times")
		return crowd.faults(ctx, r, "stalled", "with stalled ones")
	})
}

// stalledRuns are what the pairs of loads showed.
type stalledRuns struct {
	alone, beside     stalledLoad
	times, grown, cut []float64
}

// stalledLoad are the figures of one kind of load, in milliseconds.
type stalledLoad struct{ p50, p99, written []float64 }

func (c *benchStalled) pair(ctx context.Context, s subject, crowd *crowd, run int, all *stalledRuns) error {
	if err := c.load(ctx, s, crowd, 2*run, &all.alone); err != nil {
		return err
	}
	before, err := settledPSS(ctx, s)
	if err != nil {
		return err
	}
	here := len(crowd.members)
	crowd.receive, crowd.deaf = 4096, true
	err = crowd.join(ctx, c.stalled(), func(i int) string { return crowd.book.ids[(2*run+1)*c.Hot+i%c.Hot] })
	crowd.receive, crowd.deaf = 0, false
	if err != nil {
		return err
	}
	if err := c.load(ctx, s, crowd, 2*run+1, &all.beside); err != nil {
		return err
	}
	after, err := settledPSS(ctx, s)
	if err != nil {
		return err
	}
	last := func(list []float64) float64 { return list[len(list)-1] }
	if alone := last(all.alone.p99); alone > 0 {
		all.times = append(all.times, last(all.beside.p99)/alone)
	}
	all.grown = append(all.grown, float64(after-before)/(1<<20))
	all.cut = append(all.cut, float64(ended(crowd.members[here:])))
	return nil
}

// load brings events for a while and measures how late the healthy have them. Each
// has orders of its own: an event carries all that happened to its order, and would
// be larger in every load.
func (c *benchStalled) load(ctx context.Context, s subject, crowd *crowd, number int, into *stalledLoad) error {
	before := lagsOf(ctx, s)
	crowd.fresh()
	crowd.delay.clear()
	events := int(c.For.Seconds() * float64(c.Rate))
	if err := s.change(ctx, crowd.book, changes{From: number * c.Hot, Feeds: c.Hot, Events: events, Rate: c.Rate}); err != nil {
		return err
	}
	if _, err := crowd.caughtUp(ctx); err != nil {
		return err
	}
	into.p50 = append(into.p50, crowd.delay.percentile(50).Seconds()*1000)
	into.p99 = append(into.p99, crowd.delay.percentile(99).Seconds()*1000)
	into.written = append(into.written, lagsOf(ctx, s)[stageSocket].since(before[stageSocket]).percentile(99)*1000)
	return nil
}

func (all *stalledRuns) report(r *report, stalled int) {
	for _, kind := range []struct {
		lane string
		load stalledLoad
	}{{"without stalled ones", all.alone}, {"with stalled ones", all.beside}} {
		r.add("stalled", kind.lane, "delay of the healthy p50", median(kind.load.p50), "ms")
		r.add("stalled", kind.lane, "delay of the healthy p99", median(kind.load.p99), "ms")
		r.add("stalled", kind.lane, "written p99", median(kind.load.written), "ms")
	}
	r.add("stalled", "with stalled ones", "memory grew by", median(all.grown), "MB")
	r.add("stalled", "with stalled ones", "stalled cut", median(all.cut), "clients of "+strconv.Itoa(stalled))
	if stalled > 0 {
		r.atLeast("stalled", "stalled clients cut", float64(stalled), median(all.cut), "")
		r.atMost("stalled", "p99 of the healthy, times that without stalled ones", 1.2, median(all.times), "×")
	}
}

// seat gives the healthy their places.
func (c *benchStalled) seat(ctx context.Context, s subject, crowd *crowd) error {
	healthy := c.Clients - c.stalled()
	quiet := min(max(healthy, 1), 1000)
	hot := 2 * c.Runs * c.Hot
	book, err := s.orders(ctx, hot+quiet)
	if err != nil {
		return err
	}
	crowd.book = book
	err = crowd.join(ctx, healthy, func(i int) string {
		if load := i % 10; load < 2*c.Runs {
			return book.ids[load*c.Hot+i/10%c.Hot]
		}
		return book.ids[hot+i%quiet]
	})
	if err != nil {
		return err
	}
	_, err = crowd.caughtUp(ctx)
	return err
}

// ended counts the members whose connection the server has ended. What is left in
// their buffers is read first.
func ended(members []*member) int {
	var count atomic.Int64
	_ = parallel(context.Background(), len(members), dialers, func(i int) error { // it has no error
		m := members[i]
		_ = m.conn.SetReadDeadline(time.Now().Add(time.Second)) // then the read ends by itself
		if _, err := io.Copy(io.Discard, m.conn); !errors.Is(err, os.ErrDeadlineExceeded) {
			count.Add(1)
		}
		_ = m.conn.Close() // its part is played
		return nil
	})
	return int(count.Load())
}
