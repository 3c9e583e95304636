package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tracker/config"
	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
	"tracker/orders"
	"tracker/orders/ordersdb"
	"tracker/payments"
	"tracker/payments/paymentsdb"
)

// migrateCommand brings the database's schema up to date and ends.
type migrateCommand struct {
	settings
}

// Run migrates. Serving processes migrate by themselves when they start; the
// command is for deployments that want it to happen before.
func (c *migrateCommand) Run(ctx context.Context, out *console) error {
	p, err := openToMaintain(ctx, c.settings, out)
	if err != nil {
		return err
	}
	defer p.close()
	db, err := openDatabase(ctx, p.cfg, p.log, p.now)
	if err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "The %s schema is up to date.\n", db.Dialect())
	return db.Close()
}

// rebuildCommand makes the stream again from the database.
type rebuildCommand struct {
	settings
}

// Help is the longer help of the command.
func (rebuildCommand) Help() string {
	return `The database is the truth and the stream a feed of it. This throws the stream
away and publishes the newest event of every order and payment again, under
the ids they had. Watchers and reactors ignore what they have seen; cursors of
the merchant's firehose start anew. With an embedded stream, stop the tracker
first.`
}

// Run rebuilds.
func (c *rebuildCommand) Run(ctx context.Context, out *console) error {
	p, err := openToMaintain(ctx, c.settings, out)
	if err != nil {
		return err
	}
	defer p.close()
	if err := haveDatabase(p.cfg); err != nil {
		return err
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	if err := p.bus.Reset(ctx); err != nil {
		return err
	}
	o := orders.NewService(ordersdb.New(p.db), orders.Options{Logger: p.log})
	pay := payments.NewService(paymentsdb.New(p.db), nil, orderBook{p.bus}, payments.Options{Logger: p.log})
	n, err := rebuild(ctx, p.bus, o, pay)
	if err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "The stream was rebuilt: %d orders and payments.\n", n)
	return nil
}

func openToMaintain(ctx context.Context, s settings, out *console) (*process, error) {
	s.Sandbox = "true" // maintenance signs nothing, so it needs no secret
	cfg, err := s.load(out.getenv)
	if err != nil {
		return nil, err
	}
	log := newLogger(out.stderr, slog.LevelWarn)
	warnOfUnknown(ctx, log)
	if err := checkReach(cfg); err != nil {
		return nil, err
	}
	return &process{cfg: cfg, log: log, now: time.Now}, nil
}

// haveDatabase refuses to work on a database that is not there: a file would be
// made in a directory that nobody meant, and what was done be done in vain.
func haveDatabase(cfg config.Config) error {
	if cfg.DatabaseURL != "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, databaseFile)); err != nil {
		return fmt.Errorf("TRACKER_DATA_DIR holds no database, and TRACKER_DATABASE_URL names none; tracker migrate or serve makes one: %w", err)
	}
	return nil
}

// rebuildWidth is how many events are on their way to the stream at once.
const rebuildWidth = 64

// rebuild puts the newest event of every order and payment into the stream
// where it has none or an older one, and says how many it put. Others may
// publish meanwhile: an event never gets behind a newer one.
func rebuild(ctx context.Context, bus *natsbus.Bus, o *orders.Service, p *payments.Service) (int64, error) {
	var restored atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(rebuildWidth)
	restore := func(e eventwire.Event) error {
		group.Go(func() error {
			done, err := bus.Restore(ctx, e)
			if done {
				restored.Add(1)
			}
			return err
		})
		return ctx.Err()
	}
	err := errors.Join(o.EachNewest(ctx, restore), p.EachNewest(ctx, restore))
	if first := group.Wait(); first != nil {
		err = first // what it interrupted is only its consequence
	}
	if err != nil {
		return restored.Load(), fmt.Errorf("rebuild the stream: %w", err)
	}
	return restored.Load(), nil
}
