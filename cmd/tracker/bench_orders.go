package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	orm "gorm.io/gorm" // the test of the import table has a gorm of its own

	"tracker/config/dbconn"
)

// benchOrders measures how many orders per second can be made.
type benchOrders struct {
	benchFlags
	Clients     int           `default:"64" help:"Clients that make one order after the other. Default: 64."`
	For         time.Duration `default:"10s" help:"How long each load lasts. Default: 10s."`
	DatabaseURL string        `name:"database-url" placeholder:"URL" help:"An empty PostgreSQL database to use. Default: SQLite."`
}

// Help is the longer help of the command.
func (benchOrders) Help() string {
	return `POST /v1/orders through the whole program: HTTP, key, limits, idempotency,
transaction, outbox, and behind it relay, stream and feed. Beside it the very
statements of such a call, committing by themselves with the same concurrency
on the same kind of database.`
}

// Run measures.
func (c *benchOrders) Run(ctx context.Context, out *console) error {
	if c.Clients < 1 || c.For <= 0 {
		return errors.New("--clients must be at least 1, and --for longer than nothing")
	}
	return c.run(ctx, out, "orders", c)
}

func (c *benchOrders) setting() string {
	database := "SQLite"
	if c.DatabaseURL != "" {
		database = "PostgreSQL"
	}
	return fmt.Sprintf("%d clients for %s, %s", c.Clients, c.For, database)
}

func (c *benchOrders) measure(ctx context.Context, out *console, r *report) error {
	progress(out, "orders: the whole program")
	api, err := c.throughAPI(ctx, r)
	if err != nil {
		return err
	}
	progress(out, "orders: the statements by themselves")
	alone, err := c.alone(ctx, r)
	if err != nil {
		return err
	}
	r.atLeast("orders", "rate, times that of the same statements by themselves", 0.6, api/max(alone, 1), "×")
	return nil
}

func (c *benchOrders) throughAPI(ctx context.Context, r *report) (float64, error) {
	s, err := startWhole(ctx, c.DatabaseURL)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	idle := make(chan *caller, c.Clients)
	for range c.Clients {
		one, err := newCaller(ctx, s)
		if err != nil {
			return 0, err
		}
		defer one.conn.Close()
		idle <- one
	}
	var rate float64
	spent, err := usage(s, func() (err error) {
		rate, err = c.load(ctx, r, "POST /v1/orders", func(i int) error {
			one := <-idle
			defer func() { idle <- one }()
			return one.create(i)
		})
		return err
	})
	r.add("orders", "POST /v1/orders", "CPU per order", float64(spent.Microseconds())/max(rate*c.For.Seconds(), 1), "µs")
	return rate, err
}

// caller makes orders over one connection, and costs little beside the server.
type caller struct {
	conn net.Conn
	r    *bufio.Reader
	head string
}

func newCaller(ctx context.Context, s *whole) (*caller, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, err
	}
	head := "POST /v1/orders HTTP/1.1\r\nHost: " + s.address() + "\r\nContent-Type: application/json\r\nAuthorization: Bearer " + s.key() + "\r\n"
	return &caller{conn, bufio.NewReader(conn), head}, nil
}

func (o *caller) create(i int) error {
	body, err := json.Marshal(newOrder(i))
	if err != nil {
		return err
	}
	_ = o.conn.SetDeadline(time.Now().Add(requestTimeout)) // then the write fails
	if _, err := fmt.Fprintf(o.conn, "%sIdempotency-Key: bench-%d\r\nContent-Length: %d\r\n\r\n%s", o.head, i, len(body), body); err != nil {
		return err
	}
	status, err := skipAnswer(o.r)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("answered %d, not %d", status, http.StatusCreated)
	}
	return err
}

// alone commits the statements of one creation, recorded from a real one and
// repeated with fresh ids, with nothing else around them.
func (c *benchOrders) alone(ctx context.Context, r *report) (_ float64, err error) {
	dir, err := os.MkdirTemp("", "tracker-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	quiet := slog.New(slog.DiscardHandler)
	db, err := dbconn.Open(ctx, dbconn.Options{URL: c.DatabaseURL, Path: filepath.Join(dir, "tracker.db"), Logger: quiet})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx, migrations(db.Dialect())...); err != nil {
		return 0, err
	}
	rec := &recorder{DB: db}
	ids, err := rec.record(ctx)
	if err != nil {
		return 0, err
	}
	return c.load(ctx, r, "the statements", func(i int) error {
		fresh := ids.fresh(int64(i))
		return db.Write(ctx, func(ctx context.Context, tx *orm.DB) error { return rec.repeat(ctx, tx.Statement.ConnPool, fresh) })
	})
}

// load calls do until the time is over, and reports the rate per second.
func (c *benchOrders) load(ctx context.Context, r *report, lane string, do func(i int) error) (float64, error) {
	var next, done atomic.Int64
	var took histogram
	end := time.Now().Add(c.For)
	err := parallel(ctx, c.Clients, c.Clients, func(int) error {
		for time.Now().Before(end) && ctx.Err() == nil {
			start := time.Now()
			if err := do(int(next.Add(1))); err != nil {
				return err
			}
			took.add(time.Since(start))
			done.Add(1)
		}
		return nil
	})
	rate := float64(done.Load()) / c.For.Seconds()
	r.add("orders", lane, "orders per second", rate, "")
	r.delays("orders", lane, "took", &took)
	return rate, err
}
