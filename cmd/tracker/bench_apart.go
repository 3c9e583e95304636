package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"tracker/config/dbconn"
)

// benchApart measures what it adds to the way of a change that the process that
// makes it and the process that serves the watcher are not the same.
type benchApart struct {
	benchFlags
	Orders      int           `default:"100" help:"Orders, each watched by one SSE client. Default: 100."`
	Rate        int           `default:"50" help:"Changes per second. Default: 50."`
	For         time.Duration `default:"30s" help:"How long each way is measured, in all rounds. Default: 30s."`
	Rounds      int           `default:"5" help:"In how many rounds: the ways take turns. Default: 5."`
	DatabaseURL string        `name:"database-url" placeholder:"URL" help:"A PostgreSQL whose user may create databases; two are made there, and dropped."`
}

// Help is the longer help of the command.
func (benchApart) Help() string {
	return `The same changes in two deployments on one PostgreSQL: everything in one process
with NATS inside, and the roles in processes of their own with a NATS server
outside, as a cluster has them: orders and payments, which relay, and notify, which
serves the watchers. The answer to a call comes when the change is committed; what
counts is how much later than its answer each event was read by its client, which
is nothing where the event was first.

SQLite cannot be shared by processes of different roles: --database-url is needed.`
}

// Run measures.
func (c *benchApart) Run(ctx context.Context, out *console) error {
	switch {
	case c.Orders < 1 || c.Orders > mostClients || c.Rate < 1 || c.Rounds < 1 || c.For <= 0:
		return fmt.Errorf("--orders must be 1 to %d, --rate and --rounds at least 1, and --for longer than nothing", mostClients)
	case c.DatabaseURL == "":
		return errors.New("--database-url is needed: processes of different roles cannot share SQLite")
	}
	return c.run(ctx, out, "apart", c)
}

func (c *benchApart) setting() string {
	return fmt.Sprintf("%d watched orders, %d changes per second for %s in %d rounds, PostgreSQL", c.Orders, c.Rate, c.For, c.Rounds)
}

// way is one of the deployments, and what it came to.
type way struct {
	name     string
	writes   *whole // where changes are made
	crowd    *crowd // at the process that serves watchers
	book     *ledger
	began    time.Time // what was answered before does not count
	answered histogram
}

func (c *benchApart) measure(ctx context.Context, out *console, r *report) error {
	var ways []*way
	for _, open := range []func(context.Context) (*way, func(), error){c.together, c.apart} {
		w, end, err := open(ctx)
		if err != nil {
			return err
		}
		defer end()
		if err := c.prepare(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		ways = append(ways, w)
	}
	for range c.Rounds {
		for _, w := range ways {
			progress(out, "apart: %s", w.name)
			events := int(c.For.Seconds() * float64(c.Rate) / float64(c.Rounds))
			if err := w.writes.changeTimed(ctx, w.book, changes{Feeds: c.Orders, Events: max(events, 1), Rate: c.Rate}, &w.answered); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	for _, w := range ways {
		if err := w.crowd.faults(ctx, r, "apart", w.name); err != nil {
			return err
		}
		r.delays("apart", w.name, "answer to the call", &w.answered)
		r.delays("apart", w.name, "event after the call began", &w.crowd.delay)
		r.delays("apart", w.name, "event after the answer", w.book.behind(w.began))
	}
	later := ways[1].book.behind(ways[1].began).percentile(99) - ways[0].book.behind(ways[0].began).percentile(99)
	r.atMost("apart", "p99 of the event after its answer, later across processes than in one", 10, later.Seconds()*1000, "ms")
	return nil
}

// prepare makes the orders, has them watched, and makes a few changes that do not
// count.
func (c *benchApart) prepare(ctx context.Context, w *way) (err error) {
	if w.book, err = w.writes.orders(ctx, c.Orders); err != nil {
		return err
	}
	w.crowd.book, w.crowd.tells = w.book, true
	if err := w.crowd.join(ctx, c.Orders, func(i int) string { return w.book.ids[i] }); err != nil {
		return err
	}
	if err := w.writes.change(ctx, w.book, changes{Feeds: c.Orders, Events: c.Orders, Rate: c.Rate}); err != nil {
		return err
	}
	if _, err := w.crowd.caughtUp(ctx); err != nil {
		return err
	}
	w.crowd.fresh()
	w.began = time.Now()
	return nil
}

// together is everything in one process.
func (c *benchApart) together(ctx context.Context) (*way, func(), error) {
	database, drop, err := c.newDatabase(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := startWhole(ctx, database)
	if err != nil {
		drop()
		return nil, nil, err
	}
	w := &way{name: "one process", writes: s, crowd: newCrowd(s.address(), s.key())}
	return w, func() { w.crowd.leave(); s.stop(); drop() }, nil
}

// apart is a process for each side, with the broker between them.
func (c *benchApart) apart(ctx context.Context) (_ *way, _ func(), err error) {
	var ends []func()
	end := func() {
		for i := len(ends) - 1; i >= 0; i-- {
			ends[i]()
		}
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	database, drop, err := c.newDatabase(ctx)
	if err != nil {
		return nil, nil, err
	}
	ends = append(ends, drop)
	broker, stop, err := startOutsideNATS(ctx)
	if err != nil {
		return nil, nil, err
	}
	ends = append(ends, stop)
	secrets := madeSecrets()
	shared := []string{"TRACKER_DATABASE_URL=" + database, "TRACKER_NATS_URL=" + broker,
		"TRACKER_SANDBOX_KEY=" + secrets.SandboxKey, "TRACKER_TOKEN_SECRET=" + secrets.TokenSecret, "TRACKER_BANK_SECRET=" + secrets.BankSecret}
	writes, err := startServe(ctx, append([]string{"TRACKER_ROLES=orders,payments"}, shared...)...)
	if err != nil {
		return nil, nil, err
	}
	ends = append(ends, writes.stop)
	serves, err := startServe(ctx, append([]string{"TRACKER_ROLES=notify"}, shared...)...)
	if err != nil {
		return nil, nil, err
	}
	w := &way{name: "by role", writes: writes, crowd: newCrowd(serves.address(), serves.key())}
	ends = append(ends, serves.stop, w.crowd.leave)
	return w, end, nil
}

// newDatabase makes an empty database beside the one of the URL.
func (c *benchApart) newDatabase(ctx context.Context) (at string, drop func(), err error) {
	u, err := url.Parse(c.DatabaseURL)
	if err != nil {
		return "", nil, errors.New("--database-url is not a URL") // its text may show the password
	}
	name := "tracker_bench_" + strings.ToLower(rand.Text())
	if err := c.ask(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func() { _ = c.ask(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)") }, nil // else it stays, empty of meaning
}

func (c *benchApart) ask(ctx context.Context, statement string) error {
	db, err := dbconn.Open(ctx, dbconn.Options{URL: c.DatabaseURL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return errors.Join(db.Read(ctx).Exec(statement).Error, db.Close())
}

// startOutsideNATS runs a NATS server of its own until stop, and returns its URL once it
// answers.
func startOutsideNATS(ctx context.Context) (at string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "tracker-bench-")
	if err != nil {
		return "", nil, err
	}
	server, at, err := startFeed(ctx, dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() {
		server.end()
		_ = os.RemoveAll(dir) // what is left is in the system's folder for it
	}
	bus, err := openFeed(ctx, at)
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the NATS server does not answer: %w", err)
	}
	return at, stop, bus.Close()
}
