package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tracker/config"
	"tracker/config/dbconn"
	"tracker/notify/natsbus"
)

// process is one running tracker. What it opens is closed in reverse; what it
// runs is told to end and waited for.
type process struct {
	cfg config.Config
	log *slog.Logger
	now func() time.Time

	db    *dbconn.DB
	bus   *natsbus.Bus
	trace *tracing // nil: no traces

	public, admin, bank *door // bank is nil where this process runs none

	locked  bool // the data directory is ours
	ready   atomic.Bool
	ending  atomic.Bool
	closers []func()
	runners []runner // what runs in the background
	servers []server // what answers requests
	drain   func(ctx context.Context) error
	wake    func() // looks at the clock now, for those who move it
}

// runner is a part that runs until its ctx ends.
type runner struct {
	name string
	run  func(ctx context.Context) error
}

// server is an HTTP server and its listener.
type server struct {
	name string
	http *http.Server
	on   *door
	tls  bool
}

// start opens everything and begins to serve. When it fails, nothing is left
// open. On success the caller ends the process with wait.
func start(ctx context.Context, cfg config.Config, log *slog.Logger, now func() time.Time) (_ *process, err error) {
	p := &process{cfg: cfg, log: log, now: now, drain: func(context.Context) error { return nil }}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	// What is on this machine comes first, all of it: whoever started it twice, or
	// with two mistakes, learns both at once.
	if err := errors.Join(p.listen(), checkSettings(cfg), p.claimData()); err != nil {
		return nil, p.surveyed(ctx, err)
	}
	for _, doubt := range doubts(cfg) {
		p.log.WarnContext(ctx, doubt.Error())
	}
	if err := p.observe(ctx); err != nil {
		return nil, err
	}
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	if err := p.wire(ctx); err != nil {
		return nil, err
	}
	return p, p.openDoors()
}

func (p *process) listen() error {
	var failed []error
	open := func(variable, addr string) *door {
		d, err := newDoor(variable, addr)
		if err != nil {
			failed = append(failed, err)
			return nil
		}
		p.onClose(func() { d.Close() })
		return d
	}
	p.public = open("TRACKER_ADDR", p.cfg.Addr)
	p.admin = open("TRACKER_ADMIN_ADDR", p.cfg.AdminAddr)
	if p.runsBank() {
		p.bank = open("TRACKER_BANK_ADDR", p.cfg.BankAddr)
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if p.cfg.PublicURL == "" {
		scheme := "http"
		if p.cfg.TLSCert != "" {
			scheme = "https"
		}
		p.cfg.PublicURL = linkTo(scheme, p.public.Addr())
	}
	if p.runsBank() {
		p.cfg.BankURL = linkTo("http", p.bank.Addr())
	}
	return nil
}

// runsBank reports whether this process is the sandbox bank as well.
func (p *process) runsBank() bool {
	return p.cfg.Sandbox && p.cfg.Has(config.RolePayments) && (p.cfg.BankURL == "" || p.bank != nil)
}

// observe begins to trace, where a collector is named. It comes before anything
// that could be traced, and so ends after all of it.
func (p *process) observe(ctx context.Context) (err error) {
	p.trace, err = newTracing(ctx, p.cfg, p.log)
	if p.trace != nil {
		p.log = slog.New(tracedLog{p.log.Handler()})
		p.onClose(func() { p.trace.close(p.log) })
	}
	return err
}

// open connects to the database and the bus, which may both be inside.
func (p *process) open(ctx context.Context) error {
	if err := p.lock(); err != nil {
		return err
	}
	db, failed := openDatabase(ctx, p.cfg, p.log, p.now)
	if failed == nil {
		p.db = db
		p.onClose(func() { p.report("close the database", db.Close()) })
	}
	bus, err := openBus(ctx, p.cfg, p.log)
	if err == nil {
		p.bus = bus
		p.onClose(func() { p.report("close the bus", bus.Close()) })
	}
	return errors.Join(failed, err)
}

func openDatabase(ctx context.Context, cfg config.Config, log *slog.Logger, now func() time.Time) (*dbconn.DB, error) {
	db, err := connectDatabase(ctx, cfg, log, now)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, migrations(db.Dialect())...); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func connectDatabase(ctx context.Context, cfg config.Config, log *slog.Logger, now func() time.Time) (*dbconn.DB, error) {
	if cfg.DatabaseURL == "" {
		if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
			return nil, fmt.Errorf("TRACKER_DATA_DIR cannot be made: %w", err)
		}
	}
	db, err := dbconn.Open(ctx, dbconn.Options{
		URL: cfg.DatabaseURL.Reveal(), ListenURL: cfg.DatabaseListenURL.Reveal(), ListenName: "TRACKER_DATABASE_LISTEN_URL", Path: filepath.Join(cfg.DataDir, databaseFile), Logger: log, Now: now,
	})
	switch {
	case err != nil && cfg.DatabaseURL == "":
		return nil, fmt.Errorf("TRACKER_DATA_DIR: %w", err)
	case err != nil:
		return nil, fmt.Errorf("TRACKER_DATABASE_URL: %w", err)
	}
	return db, nil
}

// databaseFile is the embedded database, in the data directory.
const databaseFile = "tracker.db"

func openBus(ctx context.Context, cfg config.Config, log *slog.Logger) (*natsbus.Bus, error) {
	bus, err := natsbus.Open(ctx, natsbus.Options{
		URL: cfg.NATSURL.Reveal(), StoreDir: filepath.Join(cfg.DataDir, "nats"), Logger: log,
		CredentialsFile: cfg.NATSCredentials, RootCAFile: cfg.NATSCA, CertFile: cfg.NATSCert, KeyFile: cfg.NATSKey, Replicas: cfg.NATSReplicas,
		MaxAge: cfg.StreamMaxAge, MaxBytes: cfg.StreamMaxBytes,
	})
	if err != nil {
		return nil, explainBus(cfg, err)
	}
	return bus, nil
}

// wait serves until ctx ends or a part fails, then ends everything in order:
// streams are let go over the drain window while nobody new is let in, then the
// background work ends, then what it used is closed.
func (p *process) wait(ctx context.Context) error {
	background, stop := context.WithCancel(context.Background())
	defer stop()
	group, failed := errgroup.WithContext(background)
	for _, r := range p.runners {
		group.Go(func() error {
			if err := r.run(failed); err != nil && failed.Err() == nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			return nil
		})
	}
	for _, s := range p.servers {
		group.Go(func() error {
			if err := s.serve(p.cfg); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
	}
	p.ready.Store(true)
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	p.ending.Store(true)
	p.ready.Store(false)
	p.shutDown()
	stop()
	err := group.Wait()
	p.close()
	return err
}

func (s server) serve(cfg config.Config) error {
	if s.tls {
		return s.http.ServeTLS(s.on, cfg.TLSCert, cfg.TLSKey)
	}
	return s.http.Serve(s.on)
}

// farewell is what requests that are not streams get to finish, beyond the
// drain window.
const farewell = 2 * time.Second

// shutDown closes the doors at once and lets the streams go over the window. The
// admin door is the last: operators are to see how the process drains, and an
// orchestrator that finds nobody there takes it for dead.
func (p *process) shutDown() {
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Drain+farewell)
	defer cancel()
	var group errgroup.Group
	group.Go(func() error { return p.drain(ctx) })
	for _, s := range p.servers {
		if s.name != adminName {
			group.Go(func() error { return s.http.Shutdown(ctx) })
		}
	}
	if err := group.Wait(); err != nil {
		p.log.Warn("some connections were cut", "reason", err)
	}
	for _, s := range p.servers {
		s.http.Close()
	}
}

// adminName is the name of the admin listener's server.
const adminName = "admin"

func (p *process) onClose(fn func()) { p.closers = append(p.closers, fn) }

func (p *process) runs(name string, run func(ctx context.Context) error) {
	p.runners = append(p.runners, runner{name, run})
}

func (p *process) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
	p.closers = nil
}

func (p *process) report(what string, err error) {
	if err != nil {
		p.log.Error(what, "error", err)
	}
}

// newLogger writes JSON, which machines read, one line per event.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
