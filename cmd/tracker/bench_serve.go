package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	weak "math/rand/v2" // only for ports
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const laneTracker = "tracker"

// whole is `tracker serve` in a process of its own, in an empty directory.
type whole struct {
	api        *apiClient
	admin      string
	bankSecret string
	dir        string
	cmd        *exec.Cmd
	ended      chan struct{}
}

var _ subject = (*whole)(nil)

// callers is how many requests a load has under way at most.
const callers = 64

// startWhole starts the program; database is a URL, or empty for SQLite.
func startWhole(ctx context.Context, database string) (*whole, error) {
	return startServe(ctx, "TRACKER_DATABASE_URL="+database)
}

// startServe starts the program with everything inside, but for what the variables
// say.
func startServe(ctx context.Context, vars ...string) (_ *whole, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tracker-bench-")
	if err != nil {
		return nil, err
	}
	started := false
	defer func() {
		if !started { // else stop does it
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	key, addr, admin := "sk_test_"+rand.Text(), freePort(), freePort()
	for _, v := range vars {
		if given, ok := strings.CutPrefix(v, "TRACKER_SANDBOX_KEY="); ok {
			key = given
		}
	}
	bankSecret := newBankSecret()
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
		"TRACKER_ADDR="+addr, "TRACKER_ADMIN_ADDR="+admin, "TRACKER_BANK_ADDR="+freePort(), "TRACKER_LOG_LEVEL=error", "TRACKER_DRAIN=1ms",
		"TRACKER_DATABASE_URL=", "TRACKER_NATS_URL=", "TRACKER_PUBLIC_URL=", "TRACKER_BANK_URL=", "TRACKER_ROLES=orders,payments,notify,web",
		"TRACKER_BANK_SECRET="+bankSecret, "TRACKER_TOKEN_SECRET="+rand.Text()+rand.Text(),
		"TRACKER_LIMIT_READS=0", "TRACKER_LIMIT_WRITES=0", "TRACKER_LIMIT_CONNECTS=0", "TRACKER_MAX_WATCHERS=0", "TRACKER_MAX_WATCHERS_PER_ADDRESS=0", "TRACKER_MAX_WATCHERS_PER_ORDER=0")
	cmd.Env = append(cmd.Env, vars...) // the last one of a name counts
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	started = true
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.DisableCompression = callers, true
	s := &whole{cmd: cmd, dir: dir, admin: admin, bankSecret: bankSecret, ended: make(chan struct{}),
		api: &apiClient{base: &url.URL{Scheme: "http", Host: addr}, key: key, http: &http.Client{Transport: transport}}}
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	if err := s.await(ctx); err != nil {
		text, _ := os.ReadFile(log.Name()) // best effort, for the message
		s.stop()
		return nil, fmt.Errorf("tracker serve does not answer: %w\n%s", err, text)
	}
	return s, nil
}

// await returns when the program is ready.
func (s *whole) await(ctx context.Context) error {
	deadline := time.Now().Add(catchUpTime)
	for {
		err := s.get(ctx, "/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return err
		case <-time.After(20 * time.Millisecond):
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
	}
}

// get asks the admin listener for its status.
func (s *whole) get(ctx context.Context, path string) error {
	_, err := s.page(ctx, path)
	return err
}

func (s *whole) metrics(ctx context.Context) ([]byte, error) { return s.page(ctx, "/metrics") }

// page asks the admin listener.
func (s *whole) page(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return text, err
}

// freePort is a loopback address that was free a moment ago, below the range from
// which systems give ports to outgoing connections: of those there are many in a
// measurement.
func freePort() string {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+weak.IntN(20000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	return "127.0.0.1:0"
}

func (s *whole) name() string    { return laneTracker }
func (s *whole) address() string { return s.api.base.Host }
func (s *whole) key() string     { return s.api.key }
func (s *whole) pids() []int     { return []int{s.cmd.Process.Pid} }

func (s *whole) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	<-s.ended
	_ = os.RemoveAll(s.dir) // what is left is in the system's folder for it
}

// collect runs the garbage collector, by way of the heap profile.
func (s *whole) collect(ctx context.Context) error { return s.get(ctx, "/debug/pprof/heap?gc=1") }

// newOrder is what a benched order is made of.
func newOrder(n int) map[string]any {
	return map[string]any{"reference": fmt.Sprintf("bench-%d", n), "currency": "EUR", "items": []itemView{{SKU: "cup", Name: "Cup", Quantity: 1, UnitAmount: 1999}}}
}

func (s *whole) orders(ctx context.Context, n int) (*ledger, error) {
	ids := make([]string, n)
	err := parallel(ctx, n, callers, func(i int) error {
		var o orderView
		err := s.api.call(ctx, "POST", "/v1/orders", newOrder(i), &o)
		ids[i] = o.ID
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create %d orders: %w", n, err)
	}
	return newLedger(ids), nil
}

// change puts the orders on hold and releases them, over the API.
func (s *whole) change(ctx context.Context, book *ledger, work changes) error {
	return s.changeTimed(ctx, book, work, nil)
}

// changeTimed is change, and the time that each call took, unless that is nil.
func (s *whole) changeTimed(ctx context.Context, book *ledger, work changes, took *histogram) error {
	began, width := time.Now(), callers
	if work.Rate == 0 {
		width = 1
	}
	return parallel(ctx, work.Events, width, func(i int) error {
		if work.Rate > 0 {
			if err := pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(work.Rate)))); err != nil {
				return err
			}
		}
		return s.toggle(ctx, book, book.ids[work.From+i%work.Feeds], took)
	})
}

func (s *whole) toggle(ctx context.Context, book *ledger, id string, took *histogram) error {
	p := book.pages[id]
	p.making.Lock()
	defer p.making.Unlock()
	verb := "/hold"
	if p.held {
		verb = "/release"
	}
	p.held = !p.held
	start := time.Now()
	seq := p.begin(start)
	var o orderView
	if err := s.api.call(ctx, "POST", "/v1/orders/"+id+verb, map[string]any{}, &o); err != nil {
		return err
	}
	if o.Sequence != seq {
		return fmt.Errorf("%s%s led to sequence %d, not %d", id, verb, o.Sequence, seq)
	}
	answered := time.Now()
	if took != nil {
		took.add(answered.Sub(start))
	}
	p.made(seq, answered)
	return nil
}

// parallel calls do for 0 … n-1, a few at a time, and returns the first error.
func parallel(ctx context.Context, n, width int, do func(i int) error) error {
	var next atomic.Int64
	var once sync.Once
	var failed error
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range width {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					once.Do(func() { failed = err })
					cancel()
					return
				}
			}
		})
	}
	group.Wait()
	if failed == nil && int(next.Load()) < n {
		failed = ctx.Err()
	}
	return failed
}
