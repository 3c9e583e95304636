package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// benchOrders measures how many orders per second can be made.
type benchOrders struct {
	benchFlags
	Clients     int           `default:"64" help:"Clients that make one order after the other. Default: 64."`
	For         time.Duration `default:"12s" help:"How long each way is measured, in all rounds. Default: 12s."`
	Rounds      int           `default:"3" help:"In how many rounds: the ways take turns. Default: 3."`
	DatabaseURL string        `name:"database-url" placeholder:"URL" help:"An empty PostgreSQL database to use. Default: SQLite."`
}

// Help is the longer help of the command.
func (benchOrders) Help() string {
	return `POST /v1/orders through the whole program: HTTP, key, limits, idempotency,
transaction, outbox, and behind it relay, stream and feed. Beside it the very
statements of such a call, committing by themselves with the same concurrency
on the same kind of database: through the program's own connections, one commit
for each (SQLite), and by pgbench where it is installed (PostgreSQL). CPU is that
of the program and of its clients, without that of PostgreSQL.

The ways take turns, so that a machine that does something else meanwhile slows
all of them. The program gets time to finish what a round left behind.`
}

// Run measures.
func (c *benchOrders) Run(ctx context.Context, out *console) error {
	if c.Clients < 1 || c.For <= 0 || c.Rounds < 1 {
		return errors.New("--clients and --rounds must be at least 1, and --for longer than nothing")
	}
	return c.run(ctx, out, "orders", c)
}

func (c *benchOrders) setting() string {
	database := "SQLite"
	if c.DatabaseURL != "" {
		database = "PostgreSQL"
	}
	return fmt.Sprintf("%d clients for %s in %d rounds, %s", c.Clients, c.For, max(c.Rounds, 1), database)
}

// The ways of making orders.
const (
	wayAPI       = "POST /v1/orders"
	wayAlone     = "the statements"
	wayOneByOne  = "one commit each"
	wayByPgbench = "pgbench"
)

// orderWay is one way of making orders, and what it came to.
type orderWay struct {
	name  string
	slice func(ctx context.Context, w *orderWay, d time.Duration) error
	rest  func(ctx context.Context) error // until nothing is left to do; may be nil
	pids  []int                           // the servers that work for it, beside this process

	made int64
	took histogram
	time time.Duration
	cpu  time.Duration
}

func (w *orderWay) rate() float64 { return float64(w.made) / max(w.time.Seconds(), 1e-9) }

func (c *benchOrders) measure(ctx context.Context, out *console, r *report) (err error) {
	var ways []*orderWay
	for _, open := range []func(context.Context) (*orderWay, func() error, error){c.throughAPI, c.alone, c.oneByOne, c.byPgbench} {
		w, end, err := open(ctx)
		if err != nil {
			return err
		}
		if w == nil {
			continue // not with this database
		}
		defer func() { err = errors.Join(err, end()) }()
		ways = append(ways, w)
	}
	for range max(c.Rounds, 1) {
		for _, w := range ways {
			progress(out, "orders: %s", w.name)
			if err := c.round(ctx, w); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	c.tell(r, ways)
	return nil
}

func (c *benchOrders) tell(r *report, ways []*orderWay) {
	rate := map[string]float64{}
	for _, w := range ways {
		rate[w.name] = w.rate()
		r.add("orders", w.name, "orders per second", w.rate(), "")
		if w.took.count.Load() > 0 { // what pgbench does is not seen so closely
			r.delays("orders", w.name, "took", &w.took)
			r.add("orders", w.name, "CPU per order", float64(w.cpu.Microseconds())/float64(max(w.made, 1)), "µs")
		}
	}
	r.atLeast("orders", "rate, times that of the same statements by themselves", 0.6, rate[wayAPI]/max(rate[wayAlone], 1), "×")
	if one := rate[wayOneByOne]; one > 0 {
		r.atLeast("orders", "the statements, times as many as with one commit each", 3, rate[wayAlone]/one, "×")
		r.atLeast("orders", "rate, times that of the statements with one commit each", 3, rate[wayAPI]/one, "×")
	}
	if bench := rate[wayByPgbench]; bench > 0 {
		r.atLeast("orders", "rate, times that of pgbench with the same statements", 0.6, rate[wayAPI]/bench, "×")
	}
}

// round is one turn of a way.
func (c *benchOrders) round(ctx context.Context, w *orderWay) error {
	before, err := w.computed()
	if err != nil {
		return err
	}
	if err := w.slice(ctx, w, c.For/time.Duration(max(c.Rounds, 1))); err != nil {
		return err
	}
	if w.rest != nil {
		if err := w.rest(ctx); err != nil {
			return err
		}
	}
	after, err := w.computed()
	w.cpu += after - before
	return err
}

// computed is the CPU time of this process and of the way's servers.
func (w *orderWay) computed() (time.Duration, error) {
	return familyCPU(append([]int{os.Getpid()}, w.pids...))
}

// load calls do for a while, with as many clients at once.
func (c *benchOrders) load(do func(i int64) error) func(context.Context, *orderWay, time.Duration) error {
	var next atomic.Int64
	return func(ctx context.Context, w *orderWay, d time.Duration) error {
		end := time.Now().Add(d)
		var made atomic.Int64
		err := parallel(ctx, c.Clients, c.Clients, func(int) error {
			for time.Now().Before(end) && ctx.Err() == nil {
				start := time.Now()
				if err := do(next.Add(1)); err != nil {
					return err
				}
				w.took.add(time.Since(start))
				made.Add(1)
			}
			return nil
		})
		w.made += made.Load()
		w.time += d
		return err
	}
}

func (c *benchOrders) throughAPI(ctx context.Context) (*orderWay, func() error, error) {
	s, err := startWhole(ctx, c.DatabaseURL)
	if err != nil {
		return nil, nil, err
	}
	idle := make(chan *caller, c.Clients)
	for range c.Clients {
		idle <- newCaller(s)
	}
	end := func() error {
		for range len(idle) {
			(<-idle).close()
		}
		s.stop()
		return nil
	}
	w := &orderWay{name: wayAPI, pids: s.pids(), rest: func(ctx context.Context) error { return calm(ctx, s.pids()) }}
	w.slice = c.load(func(i int64) error {
		one := <-idle
		defer func() { idle <- one }()
		return one.create(ctx, int(i))
	})
	return w, end, nil
}

// calm returns when the processes have little left to do.
func calm(ctx context.Context, pids []int) error {
	const look, most = 200 * time.Millisecond, 15 * time.Second
	for begin := time.Now(); time.Since(begin) < most; {
		before, err := familyCPU(pids)
		if err != nil {
			return err
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
		after, err := familyCPU(pids)
		if err != nil || after-before <= look/10 {
			return err
		}
	}
	return nil
}
