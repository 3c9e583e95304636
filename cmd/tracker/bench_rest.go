package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	orm "gorm.io/gorm" // the test of the import table has a gorm of its own

	"tracker/config/dbconn"
	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/orders/ordersdb"
	"tracker/web/idempotency"
	"tracker/web/idempotency/idempotencydb"
)

// benchRest compares creating orders by the API with committing the same SQL
// statements and nothing else.
type benchRest struct {
	benchFlags
	Width    int           `default:"32" help:"Requests, and commits, at once. Default: 32."`
	For      time.Duration `default:"5s" help:"How long each. Default: 5s."`
	Postgres string        `placeholder:"URL" help:"Also on this PostgreSQL database, which should be empty and is not cleaned up."`
}

// Run measures.
func (c *benchRest) Run(ctx context.Context, out *console) error {
	raise()
	r := newReport("tracker bench rest", fmt.Sprintf("POST /v1/orders, %d at once", c.Width))
	for _, d := range []struct{ name, url string }{{dbconn.SQLite, ""}, {dbconn.Postgres, c.Postgres}} {
		if d.name == dbconn.Postgres && d.url == "" {
			continue
		}
		progress(out, "%s: the statements", d.name)
		statements, err := c.statements(ctx, d.url)
		if err != nil {
			return err
		}
		progress(out, "%s: the API", d.name)
		api, err := c.api(ctx, d.url)
		if err != nil {
			return err
		}
		r.add("rest", d.name, "the same statements", statements, "per second")
		r.add("rest", d.name, "POST /v1/orders", api, "per second")
		r.add("rest", d.name, "ratio", api/statements, "")
	}
	return c.finish(out, r)
}

// api is the rate at which the whole program creates orders.
func (c *benchRest) api(ctx context.Context, database string) (float64, error) {
	dir, remove, err := tempDir()
	if err != nil {
		return 0, err
	}
	defer remove()
	s, err := startWhole(ctx, dir, "TRACKER_DATABASE_URL="+database)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	idle := make(chan *bareClient, c.Width)
	for range c.Width {
		client, err := newBareClient(ctx, s.api.base.Host)
		if err != nil {
			return 0, err
		}
		defer client.conn.Close()
		idle <- client
	}
	head := "POST /v1/orders HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer " + s.api.key + "\r\n"
	return c.rate(ctx, func(i int64) error {
		body, err := json.Marshal(benchOrderBody(int(i)))
		if err != nil {
			return err
		}
		client := <-idle
		defer func() { idle <- client }()
		return client.ask(fmt.Sprintf("%sIdempotency-Key: bench-%d\r\nContent-Length: %d\r\n\r\n%s", head, i, len(body), body), "201")
	})
}

func benchOrderBody(i int) map[string]any {
	return map[string]any{"reference": fmt.Sprintf("bench-%d", i), "currency": "EUR",
		"items": []itemView{{SKU: "cup", Name: "Cup", Quantity: 1, UnitAmount: 1999}}}
}

// rate does something over and over and returns how often per second.
func (c *benchRest) rate(ctx context.Context, do func(i int64) error) (float64, error) {
	var n atomic.Int64
	var group sync.WaitGroup
	failed := make(chan error, c.Width)
	began := time.Now()
	for range c.Width {
		group.Go(func() {
			for ctx.Err() == nil && time.Since(began) < c.For {
				if err := do(n.Add(1)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(n.Load()) / time.Since(began).Seconds(), ctx.Err()
	}
}

// statements is the rate at which the statements of one creation commit. They
// are recorded from a real one, and repeated with fresh ids.
func (c *benchRest) statements(ctx context.Context, database string) (float64, error) {
	dir, remove, err := tempDir()
	if err != nil {
		return 0, err
	}
	defer remove()
	db, err := dbconn.Open(ctx, dbconn.Options{URL: database, Path: filepath.Join(dir, "tracker.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if err := db.Migrate(ctx, migrations(db.Dialect())...); err != nil {
		return 0, err
	}
	rec := &recorder{DB: db}
	ids, err := rec.record(ctx)
	if err != nil {
		return 0, err
	}
	return c.rate(ctx, func(i int64) error {
		fresh := ids.fresh(i)
		return db.Write(ctx, func(ctx context.Context, tx *orm.DB) error { return rec.repeat(ctx, tx.Statement.ConnPool, fresh) })
	})
}

// recorder is a database that writes down what is executed in transactions.
type recorder struct {
	*dbconn.DB
	list []statement
}

type statement struct {
	query bool
	text  string
	args  []any
}

// Write implements [txoutbox.Database].
func (r *recorder) Write(ctx context.Context, fn func(context.Context, *orm.DB) error) error {
	return r.DB.Write(ctx, func(ctx context.Context, tx *orm.DB) error {
		tx.Statement.ConnPool = &recordingPool{tx.Statement.ConnPool, r}
		return fn(ctx, tx)
	})
}

type recordingPool struct {
	orm.ConnPool
	r *recorder
}

func (p *recordingPool) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	p.r.list = append(p.r.list, statement{false, text, args})
	return p.ConnPool.ExecContext(ctx, text, args...)
}

func (p *recordingPool) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	p.r.list = append(p.r.list, statement{true, text, args})
	return p.ConnPool.QueryContext(ctx, text, args...)
}

// known are the ids in the recorded statements; each repetition needs its own.
type known struct{ order, event, key string }

func (k known) fresh(i int64) *strings.Replacer {
	order := eventwire.NewID(eventwire.PrefixOrder, time.Now())
	return strings.NewReplacer(k.order, order, k.event, eventwire.EventID(order, 1), k.key, fmt.Sprintf("%064x", i))
}

// record creates one order as the API does, in one transaction with its
// idempotency key.
func (r *recorder) record(ctx context.Context) (known, error) {
	service := orders.NewService(ordersdb.New(r), orders.Options{})
	once := idempotency.NewService(idempotencydb.New(r), idempotency.Options{})
	merchant := eventwire.NewID(eventwire.PrefixMerchant, time.Now())
	var order orders.Order
	_, _, err := once.InOne(ctx, idempotency.Request{Owner: merchant, Key: "bench", Content: []byte("bench")}, func(ctx context.Context) ([]byte, error) {
		var err error
		order, err = service.Create(ctx, merchant, orders.NewOrder{Reference: "bench", Currency: "EUR",
			Items: []orders.Item{{SKU: "cup", Name: "Cup", Quantity: 1, UnitAmount: 1999}}})
		return make([]byte, 1200), err // about as large as the stored answer
	})
	if err != nil {
		return known{}, err
	}
	// The entry of a key is stored under its hash.
	key := sha256.Sum256([]byte(merchant + "\x00bench"))
	return known{order.ID, eventwire.EventID(order.ID, 1), hex.EncodeToString(key[:])}, nil
}

func (r *recorder) repeat(ctx context.Context, pool orm.ConnPool, fresh *strings.Replacer) error {
	for _, s := range r.list {
		args := make([]any, len(s.args))
		for i, a := range s.args {
			switch v := a.(type) {
			case string:
				a = fresh.Replace(v)
			case []byte:
				a = []byte(fresh.Replace(string(v)))
			}
			args[i] = a
		}
		if !s.query {
			if _, err := pool.ExecContext(ctx, s.text, args...); err != nil {
				return fmt.Errorf("%s: %w", s.text, err)
			}
			continue
		}
		rows, err := pool.QueryContext(ctx, s.text, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	return nil
}
