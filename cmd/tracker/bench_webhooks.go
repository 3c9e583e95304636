package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"tracker/config/dbconn"
	"tracker/notify/eventwire"
	"tracker/notify/webhooks"
	"tracker/notify/webhooks/webhooksdb"
)

// benchWebhooks measures whether hanging endpoints delay the others.
type benchWebhooks struct {
	benchFlags
	Endpoints int `default:"1000" help:"Endpoints, each with a merchant of its own. Default: 1000."`
	Events    int `default:"5" help:"Events for each. Default: 5."`
	Rate      int `default:"100" help:"Events per second. Default: 100."`
	Hang      int `default:"10" help:"How many in a hundred hang in the second run. Default: 10."`
}

// Run measures.
func (c *benchWebhooks) Run(ctx context.Context, out *console) error {
	if c.Endpoints < 1 || c.Events < 1 || c.Rate < 1 {
		return errors.New("--endpoints, --events and --rate must be at least 1")
	}
	return c.run(ctx, out, "webhooks", c)
}

func (c *benchWebhooks) setting() string {
	return fmt.Sprintf("%d endpoints, %d events per second, SQLite", c.Endpoints, c.Rate)
}

// Help is the longer help of the command.
func (benchWebhooks) Help() string {
	return `Two senders with as many endpoints, each on a database of its own. In one of them
some endpoints accept requests and never answer. The two take turns, twice a
second, so that a machine that does something else meanwhile slows both. What
hangs in the second goes on hanging all the time.`
}

// measure lets the two take turns.
func (c *benchWebhooks) measure(ctx context.Context, out *console, r *report) (err error) {
	var runs []*hookRun
	for _, hang := range []int{0, c.Hang} {
		run, end, err := c.start(ctx, hang)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		runs = append(runs, run)
	}
	total, turn := c.Endpoints*c.Events, max(c.Rate/2, 1)
	for from := 0; from < total; from += turn {
		if from%c.Endpoints < turn {
			progress(out, "webhooks: event %d of %d", from/c.Endpoints+1, c.Events)
		}
		for _, run := range runs {
			if err := c.load(ctx, run, from, min(from+turn, total)); err != nil {
				return err
			}
		}
	}
	var p99 []float64
	for _, run := range runs {
		if err := run.await(ctx); err != nil {
			return err
		}
		r.delays("webhooks", run.lane(), "delay of the others", &run.delay)
		r.none("webhooks", run.lane(), "not delivered to them", run.expected-run.delay.count.Load(), "deliveries")
		p99 = append(p99, run.delay.percentile(99).Seconds())
	}
	if c.Hang > 0 && p99[0] > 0 {
		r.atMost("webhooks", "p99 of the others while some hang, times as long", 1.2, p99[1]/p99[0], "×")
	}
	return nil
}

// hookRun is one sender and a receiver for all its endpoints, some of which hang.
type hookRun struct {
	hang     int // in a hundred
	service  *webhooks.Service
	delay    histogram
	expected int64
	over     chan struct{}
	queued   []atomic.Int64 // by event, unix nanoseconds
}

func (run *hookRun) lane() string { return fmt.Sprintf("%d %% hang", run.hang) }

// hangs reports whether an endpoint does. They are spread evenly.
func (run *hookRun) hangs(endpoint int) bool { return endpoint*run.hang%100 < run.hang && run.hang > 0 }

// start begins to send; end stops that.
func (c *benchWebhooks) start(ctx context.Context, hang int) (_ *hookRun, end func() error, err error) {
	db, drop, err := hookDatabase(ctx)
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	run := &hookRun{hang: hang, over: make(chan struct{}), queued: make([]atomic.Int64, c.Endpoints*c.Events)}
	run.service = webhooks.NewService(webhooksdb.New(db), webhooks.Options{Logger: silent(), AllowPrivate: true, Grace: 100 * time.Millisecond})
	receiver := &http.Server{Handler: run}
	go receiver.Serve(listener)
	sending, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run.service.Run(sending) // it returns only that it was told to
	}()
	all := func() error {
		close(run.over)
		stop()
		<-ended
		return errors.Join(receiver.Close(), drop())
	}
	if err := c.endpoints(ctx, run, "http://"+listener.Addr().String()); err != nil {
		return nil, nil, errors.Join(err, all())
	}
	return run, all, nil
}

func hookDatabase(ctx context.Context) (*dbconn.DB, func() error, error) {
	dir, err := os.MkdirTemp("", "tracker-bench-")
	if err != nil {
		return nil, nil, err
	}
	db, err := dbconn.Open(ctx, dbconn.Options{Path: filepath.Join(dir, "hooks.db"), Logger: silent()})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	end := func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }
	if err := db.Migrate(ctx, dbconn.MigrationSet{Name: webhooksdb.Name, FS: webhooksdb.Migrations(db.Dialect())}); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return db, end, nil
}

func hookMerchant(n int) string { return fmt.Sprintf("mer_%026d", n) }

func (c *benchWebhooks) endpoints(ctx context.Context, run *hookRun, base string) error {
	return parallel(ctx, c.Endpoints, 16, func(i int) error {
		target := base + "/fine"
		if run.hangs(i) {
			target = base + "/hang"
		}
		_, err := run.service.Create(ctx, hookMerchant(i), webhooks.NewEndpoint{URL: target})
		return err
	})
}

// load queues some events at the rate, each for the next endpoint.
func (c *benchWebhooks) load(ctx context.Context, run *hookRun, from, to int) error {
	began := time.Now()
	for n := from; n < to; n++ {
		if err := pause(ctx, time.Until(began.Add(time.Duration(n-from)*time.Second/time.Duration(c.Rate)))); err != nil {
			return err
		}
		endpoint := n % c.Endpoints
		if !run.hangs(endpoint) {
			run.expected++
		}
		run.queued[n].Store(time.Now().UnixNano())
		if err := run.service.OnEvent(ctx, hookEvent(hookMerchant(endpoint), n)); err != nil {
			return err
		}
	}
	return nil
}

// await waits for the deliveries that must come.
func (run *hookRun) await(ctx context.Context) error {
	for deadline := time.Now().Add(catchUpTime); run.delay.count.Load() < run.expected && time.Now().Before(deadline); {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// hookEvent is the first event of an order of its own; its number is in its id.
func hookEvent(merchant string, n int) eventwire.Event {
	order, now := benchOrder(n), time.Now().UTC()
	t := eventwire.Transition{Seq: 1, Type: "order.created", To: "pending_payment", At: now, Cause: "merchant"}
	return eventwire.Event{ID: fmt.Sprintf("evt_%026d", n), Kind: eventwire.Orders, Type: t.Type, Subject: order, Time: now, Seq: 1, Merchant: merchant,
		Owner: order, Epoch: 1, Transition: t, Resource: []byte(`{"id":"` + order + `"}`)}
}

// ServeHTTP is the receiver.
func (run *hookRun) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // its content is known
	if r.URL.Path == "/hang" {
		select {
		case <-run.over:
		case <-r.Context().Done():
		}
		return
	}
	var n int
	_, err := fmt.Sscan(strings.TrimLeft(strings.TrimPrefix(r.Header.Get("Webhook-Id"), "evt_"), "0")+" ", &n)
	if err != nil {
		n = 0 // all zeros
	}
	run.delay.add(time.Duration(time.Now().UnixNano() - run.queued[n].Load()))
	w.WriteHeader(http.StatusNoContent)
}
