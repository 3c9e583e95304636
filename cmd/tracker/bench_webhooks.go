package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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

// measure measures first without hanging endpoints and then with them.
func (c *benchWebhooks) measure(ctx context.Context, out *console, r *report) error {
	var p99 []float64
	for _, hang := range []int{0, c.Hang} {
		lane := fmt.Sprintf("%d %% hang", hang)
		progress(out, "webhooks: %s", lane)
		run, err := c.deliver(ctx, hang)
		if err != nil {
			return err
		}
		r.delays("webhooks", lane, "delay of the others", &run.delay)
		r.none("webhooks", lane, "not delivered to them", run.expected-run.delay.count.Load(), "deliveries")
		p99 = append(p99, run.delay.percentile(99).Seconds())
	}
	if p99[0] > 0 {
		r.add("webhooks", fmt.Sprintf("%d %% hang", c.Hang), "p99, times as long", p99[1]/p99[0], "")
	}
	return nil
}

// hookRun is one run: a receiver for all endpoints, some of which hang.
type hookRun struct {
	delay    histogram
	expected int64
	over     chan struct{}
	queued   []atomic.Int64 // by event, unix nanoseconds
}

func (c *benchWebhooks) deliver(ctx context.Context, hang int) (*hookRun, error) {
	dir, err := os.MkdirTemp("", "tracker-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	quiet := slog.New(slog.DiscardHandler)
	db, err := dbconn.Open(ctx, dbconn.Options{Path: filepath.Join(dir, "hooks.db"), Logger: quiet})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := db.Migrate(ctx, dbconn.MigrationSet{Name: webhooksdb.Name, FS: webhooksdb.Migrations(db.Dialect())}); err != nil {
		return nil, err
	}
	run := &hookRun{over: make(chan struct{}), queued: make([]atomic.Int64, c.Endpoints*c.Events)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	receiver := &http.Server{Handler: run}
	go receiver.Serve(listener)
	defer receiver.Close()
	defer close(run.over)
	service := webhooks.NewService(webhooksdb.New(db), webhooks.Options{Logger: quiet, AllowPrivate: true, Grace: 100 * time.Millisecond})
	if err := c.endpoints(ctx, service, "http://"+listener.Addr().String(), hang); err != nil {
		return nil, err
	}
	sending, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- service.Run(sending) }()
	defer func() { stop(); <-ended }()
	return run, c.load(ctx, service, run, hang)
}

func hookMerchant(n int) string { return fmt.Sprintf("mer_%026d", n) }

func (c *benchWebhooks) hangs(endpoint, percent int) bool {
	return percent > 0 && endpoint%100 < percent
}

func (c *benchWebhooks) endpoints(ctx context.Context, s *webhooks.Service, base string, hang int) error {
	return parallel(ctx, c.Endpoints, 16, func(i int) error {
		target := base + "/fine"
		if c.hangs(i, hang) {
			target = base + "/hang"
		}
		_, err := s.Create(ctx, hookMerchant(i), webhooks.NewEndpoint{URL: target})
		return err
	})
}

// load queues the events at the rate and waits for the deliveries that must come.
func (c *benchWebhooks) load(ctx context.Context, s *webhooks.Service, run *hookRun, hang int) error {
	began := time.Now()
	for i := range c.Endpoints * c.Events {
		if err := pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(c.Rate)))); err != nil {
			return err
		}
		endpoint := i % c.Endpoints
		if !c.hangs(endpoint, hang) {
			run.expected++
		}
		run.queued[i].Store(time.Now().UnixNano())
		if err := s.OnEvent(ctx, hookEvent(hookMerchant(endpoint), i)); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(30 * time.Second); run.delay.count.Load() < run.expected && time.Now().Before(deadline); {
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
