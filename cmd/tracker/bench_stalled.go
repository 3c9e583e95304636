package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// benchStalled lets one client in ten stop reading under a steady load.
type benchStalled struct {
	benchFlags
	Clients int           `default:"10000" help:"Connections, at most 19000. One in ten stalls. Default: 10000."`
	Rate    int           `default:"200" help:"Events per second. Default: 200."`
	For     time.Duration `default:"20s" help:"How long. Default: 20s."`
	Hot     int           `default:"20" help:"Orders that the events are on. Default: 20."`
}

// Help is the longer help of the command.
func (benchStalled) Help() string {
	return `The feed behind its embedded stream. Events come on a few hot orders, which all
stalled and a tenth of the healthy clients watch; the other healthy clients watch
quiet orders. First without stalled clients, then with them.`
}

// Run measures.
func (c *benchStalled) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	if c.Hot < 1 || c.Rate < 1 {
		return errors.New("--hot and --rate must be at least 1")
	}
	return c.run(ctx, out, "stalled", c)
}

func (c *benchStalled) setting() string {
	return fmt.Sprintf("%d connections, %d of them stalled, %d events per second on %d orders", c.Clients, c.Clients/10, c.Rate, c.Hot)
}

func (c *benchStalled) measure(ctx context.Context, out *console, r *report) error {
	p99 := map[int]float64{}
	stalled := c.Clients / 10
	for _, n := range []int{0, stalled} {
		progress(out, "stalled: %d stall", n)
		err := on(ctx, laneParked, nil, func(s subject, crowd *crowd) (err error) {
			p99[n], err = c.load(ctx, r, s, crowd, n)
			return err
		})
		if err != nil {
			return err
		}
	}
	if alone := p99[0]; alone > 0 && stalled > 0 {
		r.atMost("stalled", "p99 of the healthy, times that without stalled ones", 1.2, p99[stalled]/alone, "×")
	}
	return nil
}

func (c *benchStalled) load(ctx context.Context, r *report, s subject, crowd *crowd, stalled int) (float64, error) {
	if err := c.seat(ctx, s, crowd, stalled); err != nil {
		return 0, err
	}
	before, err := settledPSS(ctx, s)
	if err != nil {
		return 0, err
	}
	crowd.fresh()
	keeping, stop := context.WithCancel(ctx)
	defer stop()
	go crowd.keep(keeping)
	events := int(c.For.Seconds() * float64(c.Rate))
	if err := s.change(ctx, crowd.book, changes{Feeds: c.Hot, Events: events, Rate: c.Rate}); err != nil {
		return 0, err
	}
	if _, err := crowd.caughtUp(ctx); err != nil {
		return 0, err
	}
	after, err := settledPSS(ctx, s)
	if err != nil {
		return 0, err
	}
	lane := fmt.Sprintf("%d stalled", stalled)
	r.delays("stalled", lane, "delay of the healthy", &crowd.delay)
	r.add("stalled", lane, "memory grew by", float64(after-before)/(1<<20), "MB")
	r.add("stalled", lane, "healthy cut", float64(crowd.lost.Load()), "times")
	if stalled > 0 {
		cut := float64(crowd.ended(stalled))
		r.add("stalled", lane, "stalled cut", cut, "clients")
		r.atLeast("stalled", "stalled clients cut", float64(stalled), cut, "")
	}
	return crowd.delay.percentile(99).Seconds(), crowd.faults(ctx, r, "stalled", lane)
}

// seat gives everybody a place: the stalled first, on the hot orders.
func (c *benchStalled) seat(ctx context.Context, s subject, crowd *crowd, stalled int) error {
	healthy := c.Clients - c.Clients/10
	quiet := min(max(healthy, 1), 1000)
	book, err := s.orders(ctx, c.Hot+quiet)
	if err != nil {
		return err
	}
	crowd.book = book
	crowd.receive, crowd.deaf = 4096, true
	if err := crowd.join(ctx, stalled, func(i int) string { return book.ids[i%c.Hot] }); err != nil {
		return err
	}
	crowd.receive, crowd.deaf = 0, false
	err = crowd.join(ctx, healthy, func(i int) string {
		if i%10 == 0 {
			return book.ids[i/10%c.Hot]
		}
		return book.ids[c.Hot+i%quiet]
	})
	if err != nil {
		return err
	}
	_, err = crowd.caughtUp(ctx)
	return err
}

// ended counts the first n members whose connection the server has ended. What is
// left in their buffers is read first.
func (c *crowd) ended(n int) int {
	var count atomic.Int64
	_ = parallel(context.Background(), n, dialers, func(i int) error { // it has no error
		m := c.members[i]
		_ = m.conn.SetReadDeadline(time.Now().Add(time.Second)) // then the read ends by itself
		if _, err := io.Copy(io.Discard, m.conn); !errors.Is(err, os.ErrDeadlineExceeded) {
			count.Add(1)
		}
		return nil
	})
	return int(count.Load())
}
