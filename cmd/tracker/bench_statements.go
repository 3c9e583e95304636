package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	orm "gorm.io/gorm" // the test of the import table has a gorm of its own

	"tracker/config/dbconn"
	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/orders/ordersdb"
	"tracker/web/idempotency"
	"tracker/web/idempotency/idempotencydb"
)

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

// Read implements [txoutbox.Database]: what is executed in a transaction counts.
func (r *recorder) Read(ctx context.Context) *orm.DB {
	tx := r.DB.Read(ctx)
	if _, inside := tx.Statement.ConnPool.(orm.TxCommitter); inside {
		tx.Statement.ConnPool = &recordingPool{tx.Statement.ConnPool, r}
	}
	return tx
}

type recordingPool struct {
	orm.ConnPool
	r *recorder
}

// Commit and Rollback make it a transaction to whoever looks; Write ends it.
func (p *recordingPool) Commit() error   { return errRecorded }
func (p *recordingPool) Rollback() error { return errRecorded }

var errRecorded = errors.New("a recorded transaction is ended by Write")

func (p *recordingPool) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	p.r.list = append(p.r.list, statement{false, text, args})
	return p.ConnPool.ExecContext(ctx, text, args...)
}

func (p *recordingPool) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	p.r.list = append(p.r.list, statement{true, text, args})
	return p.ConnPool.QueryContext(ctx, text, args...)
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

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
