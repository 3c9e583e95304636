package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"tracker/config"
	"tracker/payments/sandboxbank"
)

// movedClock stands still until a scenario moves it: an hour passes at once,
// and nothing happens in between that nobody asked for.
type movedClock struct {
	mu sync.Mutex
	at time.Time
}

func newMovedClock() *movedClock {
	return &movedClock{at: time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)}
}

func (c *movedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *movedClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.at) {
		c.at = at
	}
}

// host runs the tracker that scenarios play against.
type host interface {
	// start brings it up on its own data: the first time empty, later as it was
	// left. env are the TRACKER_ variables.
	start(ctx context.Context, env map[string]string, at time.Time) (addresses, error)
	// moved tells it what time it is now.
	moved(ctx context.Context, at time.Time) error
	// stop ends it. How gently is the host's own affair.
	stop() error
}

// addresses are where a tracker listens, as host:port.
type addresses struct{ Public, Admin string }

// insideHost runs the tracker in this process.
type insideHost struct {
	log   *slog.Logger
	clock *movedClock

	running *process
	end     context.CancelFunc
	ended   chan error
}

func (h *insideHost) start(ctx context.Context, env map[string]string, at time.Time) (addresses, error) {
	cfg, err := config.Load(func(name string) string { return env[name] })
	if err != nil {
		return addresses{}, err
	}
	h.clock.set(at)
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	p, err := start(ctx, cfg, h.log, h.clock.now)
	if err != nil {
		end()
		return addresses{}, err
	}
	h.running, h.end, h.ended = p, end, make(chan error, 1)
	go func() { h.ended <- p.wait(ctx) }()
	return addresses{p.public.Addr().String(), p.admin.Addr().String()}, nil
}

func (h *insideHost) moved(_ context.Context, at time.Time) error {
	h.clock.set(at)
	h.running.wake()
	return nil
}

func (h *insideHost) stop() error {
	if h.running == nil {
		return nil
	}
	h.end()
	h.running = nil
	return <-h.ended
}

// sandbox is a tracker and its bank, two houses that share a secret and a clock.
// The bank outlives the tracker, as banks do.
type sandbox struct {
	host  host
	clock *movedClock
	env   map[string]string
	at    addresses

	bank     *sandboxbank.Bank
	bankURL  string
	endBank  func() error
	old, new string // the bank's secret before and after a rotation; both are live
}

// newSandbox starts a bank and a tracker with empty data in dir. env adds to the
// tracker's environment.
func newSandbox(ctx context.Context, h host, dir string, log *slog.Logger, env map[string]string) (_ *sandbox, err error) {
	b := &sandbox{host: h, clock: newMovedClock(), endBank: func() error { return nil }, old: newBankSecret(), new: newBankSecret()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := b.openBank(dir, log); err != nil {
		return nil, err
	}
	b.env = map[string]string{
		"TRACKER_SANDBOX": "true", "TRACKER_SANDBOX_KEY": "sk_test_scenarios", "TRACKER_TOKEN_SECRET": "scenarios-scenarios-scenarios-scenarios",
		"TRACKER_ADDR": freePort(), "TRACKER_ADMIN_ADDR": freePort(), "TRACKER_DATA_DIR": filepath.Join(dir, "tracker"),
		"TRACKER_BANK_URL": b.bankURL, "TRACKER_BANK_SECRET": b.new + "," + b.old, "TRACKER_DRAIN": "10ms",
		// The clock stands still, and so would every budget that time refills.
		"TRACKER_LIMIT_READS": "0", "TRACKER_LIMIT_WRITES": "0", "TRACKER_LIMIT_CONNECTS": "0",
	}
	maps.Copy(b.env, env)
	return b, b.startTracker(ctx)
}

func newBankSecret() string { return madeSecrets().BankSecret }

func (b *sandbox) openBank(dir string, log *slog.Logger) error {
	bank, err := sandboxbank.New(sandboxbank.Options{
		Secrets: []string{b.new}, Path: filepath.Join(dir, "bank.journal"), Now: b.clock.now, Logger: log,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, bank.Close())
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveBank(ctx, bank, listener) }()
	b.bank, b.bankURL = bank, "http://"+listener.Addr().String()
	b.endBank = func() error {
		end()
		return errors.Join(<-ended, bank.Close())
	}
	return nil
}

// startTracker starts it, the second time where it was: the bank keeps the
// address that it calls back.
func (b *sandbox) startTracker(ctx context.Context) error {
	at, err := b.host.start(ctx, b.env, b.clock.now())
	if err != nil {
		return err
	}
	b.at = at
	b.env["TRACKER_ADDR"] = at.Public
	return nil
}

// pass lets time pass and wakes what sleeps.
func (b *sandbox) pass(ctx context.Context, d time.Duration) error {
	b.clock.set(b.clock.now().Add(d))
	b.bank.Wake()
	return b.host.moved(ctx, b.clock.now())
}

// restart ends the tracker and starts it again on the same data; env changes
// its environment.
func (b *sandbox) restart(ctx context.Context, env map[string]string) error {
	if err := b.host.stop(); err != nil {
		return fmt.Errorf("the tracker did not end well: %w", err)
	}
	maps.Copy(b.env, env)
	// Somebody's connection may have got the port that was free for a moment.
	var err error
	for range 50 {
		if err = b.startTracker(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		err = errors.Join(err, b.host.stop())
	}
	return err
}

func (b *sandbox) close() error {
	return errors.Join(b.host.stop(), b.endBank())
}

// ready reports whether the tracker takes requests.
func (b *sandbox) ready(client *http.Client) bool {
	answer, err := client.Get("http://" + b.at.Admin + "/readyz")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
