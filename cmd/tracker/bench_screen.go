package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// benchScreen measures the whole program: a REST call changes an order, and a
// client that watches the order reads the event.
type benchScreen struct {
	benchFlags
	Orders int           `default:"1000" help:"Orders, each watched by one SSE client. Default: 1000."`
	Rate   int           `default:"100" help:"Changes per second. Default: 100."`
	For    time.Duration `default:"10s" help:"How long. Default: 10s."`
}

// Run measures.
func (c *benchScreen) Run(ctx context.Context, out *console) error {
	if c.Orders < 1 || c.Orders > mostClients || c.Rate < 1 {
		return fmt.Errorf("--orders must be 1 to %d and --rate at least 1", mostClients)
	}
	raise()
	dir, remove, err := tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := startWhole(ctx, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	r := newReport("tracker bench screen", fmt.Sprintf("%d watched orders, %d changes per second, embedded NATS and SQLite", c.Orders, c.Rate))
	if err := c.measure(ctx, out, r, s); err != nil {
		return err
	}
	return c.finish(out, r)
}

// whole is `tracker serve` in a process of its own, in an empty directory.
type whole struct {
	api *apiClient
	cmd *exec.Cmd
}

// tempDir is an empty directory, and how to be rid of it.
func tempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "tracker-bench-")
	return dir, func() { _ = os.RemoveAll(dir) }, err // what stays behind stays in the system's folder for such things
}

// startWhole starts it; env adds to its environment.
func startWhole(ctx context.Context, dir string, env ...string) (*whole, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	key := "sk_test_" + rand.Text()
	addr, admin, bank := freePort(), freePort(), freePort()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, self, "serve")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "TRACKER_SANDBOX=true", "TRACKER_SANDBOX_KEY="+key, "TRACKER_DATA_DIR="+filepath.Join(dir, "data"),
		"TRACKER_ADDR="+addr, "TRACKER_ADMIN_ADDR="+admin, "TRACKER_BANK_ADDR="+bank, "TRACKER_LOG_LEVEL=error", "TRACKER_DRAIN=100ms",
		"TRACKER_DATABASE_URL=", "TRACKER_NATS_URL=", "TRACKER_PUBLIC_URL=", "TRACKER_BANK_URL=",
		"TRACKER_BANK_SECRET=whsec_"+base64.StdEncoding.EncodeToString([]byte(rand.Text())), "TRACKER_TOKEN_SECRET="+rand.Text()+rand.Text(),
		"TRACKER_LIMIT_READS=0", "TRACKER_LIMIT_WRITES=0", "TRACKER_LIMIT_CONNECTS=0", "TRACKER_MAX_WATCHERS=0", "TRACKER_MAX_WATCHERS_PER_ADDRESS=0", "TRACKER_MAX_WATCHERS_PER_ORDER=0")
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.DisableCompression = dialers, true
	s := &whole{cmd: cmd, api: &apiClient{base: &url.URL{Scheme: "http", Host: addr}, key: key, http: &http.Client{Transport: transport}}}
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := s.api.call(ctx, "GET", "/v1/merchant", nil, nil)
		if err == nil {
			return s, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.stop()
			text, _ := os.ReadFile(log.Name()) // best effort, for the message
			return nil, fmt.Errorf("tracker serve does not answer: %w\n%s", err, text)
		}
		_ = pause(ctx, 50*time.Millisecond) // the condition above sees the end
	}
}

// freePort is a loopback address that was free a moment ago.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *whole) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait() // it was told to end
}

// measure creates and watches the orders, then puts them on hold and releases
// them, in turn.
func (c *benchScreen) measure(ctx context.Context, out *console, r *report, s *whole) error {
	progress(out, "creating %d orders", c.Orders)
	began := time.Now()
	ids, err := s.createOrders(ctx, c.Orders)
	if err != nil {
		return err
	}
	r.add("rest", "POST /v1/orders", "rate", float64(c.Orders)/time.Since(began).Seconds(), "per second")
	progress(out, "watching them")
	w := &watching{started: map[string]time.Time{}, answered: map[string]time.Time{}}
	following, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	for _, id := range ids {
		f := &feedReader{client: s.api, path: "/v1/orders/" + id + "/events", event: func(f frame) error { w.see(id, f); return nil }}
		group.Go(func() { _ = f.run(following) }) // a watcher that fails is counted as missing
	}
	for w.joined.Load() < int64(len(ids)) {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	progress(out, "changing %d per second for %s", c.Rate, c.For)
	sent, err := c.change(ctx, s, ids, w)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); w.arrived.count.Load() < sent && time.Now().Before(deadline); {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	r.delays("screen", "REST call", "answered after", &w.answer)
	r.delays("screen", "event in the client", "after the call began", &w.arrived)
	r.delays("screen", "event in the client", "after the answer", &w.after)
	r.add("screen", "event in the client", "missed", float64(sent-w.arrived.count.Load()), "")
	return nil
}

func (s *whole) createOrders(ctx context.Context, n int) ([]string, error) {
	ids := make([]string, n)
	err := parallel(ctx, n, 32, func(i int) error {
		var o orderView
		err := s.api.call(ctx, "POST", "/v1/orders", benchOrderBody(i), &o)
		ids[i] = o.ID
		return err
	})
	return ids, err
}

// parallel calls do for 0 … n-1, a few at a time, and returns the first error.
func parallel(ctx context.Context, n, width int, do func(i int) error) error {
	var next atomic.Int64
	var once sync.Once
	var failed error
	var group sync.WaitGroup
	for range width {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					once.Do(func() { failed = err })
					return
				}
			}
		})
	}
	group.Wait()
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}

// change puts one order after the other on hold, and releases it in the next
// round.
func (c *benchScreen) change(ctx context.Context, s *whole, ids []string, w *watching) (sent int64, err error) {
	var group sync.WaitGroup
	var failed atomic.Pointer[error]
	began := time.Now()
	for i := 0; time.Since(began) < c.For && failed.Load() == nil && ctx.Err() == nil; i++ {
		if err := pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(c.Rate)))); err != nil {
			break
		}
		id, verb := ids[i%len(ids)], "/hold"
		if i/len(ids)%2 == 1 {
			verb = "/release"
		}
		sent++
		group.Go(func() {
			start := time.Now()
			w.begin(id, start)
			if err := s.api.call(ctx, "POST", "/v1/orders/"+id+verb, map[string]any{}, nil); err != nil {
				failed.Store(&err)
				return
			}
			w.end(id, start, time.Now())
		})
	}
	group.Wait()
	if e := failed.Load(); e != nil {
		return sent, *e
	}
	return sent, ctx.Err()
}

// watching brings calls and events together. The event may come before the
// answer to the call.
type watching struct {
	joined                  atomic.Int64
	answer, arrived, after  histogram
	mu                      sync.Mutex
	started, answered, seen map[string]time.Time
}

func (w *watching) begin(id string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started[id] = at
	delete(w.answered, id)
}

func (w *watching) end(id string, start, now time.Time) {
	w.answer.add(now.Sub(start))
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waiting := w.started[id]; waiting {
		w.answered[id] = now
		return
	}
	w.after.add(0) // the event was there before the answer
}

func (w *watching) see(id string, f frame) {
	now := time.Now()
	var e struct {
		Seq int64 `json:"seq"`
	}
	if json.Unmarshal(f.Data, &e) != nil || e.Seq == 1 {
		w.joined.Add(1)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	start, ok := w.started[id]
	if !ok {
		return
	}
	w.arrived.add(now.Sub(start))
	if answered, ok := w.answered[id]; ok {
		w.after.add(now.Sub(answered))
	}
	delete(w.started, id)
}
