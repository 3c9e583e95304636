package dbconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	maxAttempts  = 12 // some three seconds: a restart of the server
	firstBackoff = 5 * time.Millisecond
	maxBackoff   = 500 * time.Millisecond
	closing      = 5 * time.Second
)

// pg is the engine of PostgreSQL. Its connections are pooled by pgx and not by
// database/sql, which hands a connection that a cancelled query has broken to the
// next one who waits.
type pg struct {
	options Options
	log     *slog.Logger
	conns   *pgxpool.Pool
	pool    *sql.DB // a view of conns
	news    *news
	cleared atomic.Int64 // when the pool was emptied last, unix milliseconds
}

func openPostgres(ctx context.Context, o Options) (*DB, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, errors.New("dbconn: the URL of the database is not valid") // pgx's text may show the password
	}
	p := &pg{options: o, log: o.Logger}
	config.AfterConnect = p.prepare
	config.MaxConns = int32(o.MaxConns)
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute
	config.MaxConnIdleTime = 5 * time.Minute
	setDefault(&config.ConnConfig.ConnectTimeout, 5*time.Second)
	if p.conns, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("dbconn: connect to %s: %w", config.ConnConfig.Host, err)
	}
	p.pool = stdlib.OpenDBFromPool(p.conns)
	if err := p.pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("dbconn: connect to %s: %w", config.ConnConfig.Host, err), p.closePool())
	}
	d := &DB{options: o, dialect: Postgres, engine: p, wake: newWake()}
	d.gorm, err = gorm.Open(telling{postgres.New(postgres.Config{Conn: p.pool}).(*postgres.Dialector)}, gormConfig(o))
	if err == nil {
		err = d.gorm.Callback().Row().After("gorm:row").Register("dbconn:told", func(tx *gorm.DB) { tx.Error = told(tx.Error) })
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dbconn: open: %w", err), p.closePool())
	}
	p.news = startNews(p.pool, o, d.wake.signal)
	return d, nil
}

// prepare sets the time-outs of a connection. A SET and not a start-up parameter,
// because PgBouncer refuses those that it does not know.
func (p *pg) prepare(ctx context.Context, conn *pgx.Conn) error {
	set := fmt.Sprintf("SET statement_timeout = %d; SET lock_timeout = %d; SET idle_in_transaction_session_timeout = %d",
		p.options.StatementTimeout.Milliseconds(), p.options.LockTimeout.Milliseconds(), p.options.IdleInTx.Milliseconds())
	_, err := conn.PgConn().Exec(ctx, set).ReadAll()
	return err
}

// write runs fn in a transaction and again when PostgreSQL asks for that, or when
// the connection broke before the commit was sent.
func (p *pg) write(ctx context.Context, fn func(txPool) error) error {
	pause := firstBackoff
	for attempt := 1; ; attempt++ {
		again, err := p.attempt(ctx, fn)
		if err == nil || !again || attempt == maxAttempts || ctx.Err() != nil {
			return told(err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return told(err)
		}
		pause = min(2*pause, maxBackoff)
	}
}

// attempt reports besides the error whether the transaction is known to have had
// no effect and may succeed when it is run again.
func (p *pg) attempt(ctx context.Context, fn func(txPool) error) (again bool, err error) {
	conn, err := p.pool.Conn(ctx)
	if err != nil {
		return refused(err), fmt.Errorf("dbconn: connect: %w", err)
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return p.broken(ctx, conn), fmt.Errorf("dbconn: begin: %w", err)
	}
	ended := false
	defer func() {
		if !ended { // fn failed or panicked
			_ = tx.Rollback() // a broken connection rolls back by itself
		}
	}()
	pool := &pgTx{Tx: tx}
	if err := fn(pool); err != nil {
		return conflicted(err) || p.broken(ctx, conn), err
	}
	ended = true
	if err := tx.Commit(); err != nil {
		// When ctx ends, database/sql rolls back, and Commit says only that it did.
		return conflicted(err), fmt.Errorf("dbconn: commit: %w", errors.Join(err, ctx.Err()))
	}
	if pool.announced {
		p.news.committed()
	}
	return false, nil
}

// conflicted reports a serialization failure or a deadlock.
func conflicted(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// refused reports that there was no connection to be had, which may change: the
// server is away, or starting, or full.
func refused(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "08")
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// told marks an error of a server that is not there, before, during or at the end
// of what it was asked.
func told(err error) error {
	if err == nil {
		return nil
	}
	var network *net.OpError
	if refused(err) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) {
		return away{err}
	}
	return err
}

// telling is gorm's dialector with such errors marked, for queries. gorm does not
// ask it about those of Rows, for which there is a callback.
type telling struct{ *postgres.Dialector }

func (t telling) Translate(err error) error { return told(t.Dialector.Translate(err)) }

// broken reports that the connection is gone, whatever the error said. If it was
// not us who ended it, the others of the pool are likely gone too: it is emptied,
// so that the next attempt does not meet one of them.
func (p *pg) broken(ctx context.Context, conn *sql.Conn) bool {
	gone := true
	err := conn.Raw(func(driver any) error {
		gone = driver.(*stdlib.Conn).Conn().IsClosed()
		return nil
	})
	if !gone && err == nil {
		return false
	}
	now, last := time.Now().UnixMilli(), p.cleared.Load()
	if ctx.Err() == nil && now-last > firstBackoff.Milliseconds() && p.cleared.CompareAndSwap(last, now) {
		p.conns.Reset()
	}
	return true
}

func (p *pg) ping(ctx context.Context) error {
	if err := p.pool.PingContext(ctx); err != nil {
		return fmt.Errorf("dbconn: ping: %w", err)
	}
	return nil
}

func (p *pg) close() error {
	p.news.close()
	return p.closePool()
}

// closePool closes the pool, and does not wait for ever for a query that nobody
// closed.
func (p *pg) closePool() error {
	err := p.pool.Close()
	closed := make(chan struct{})
	go func() { defer close(closed); p.conns.Close() }()
	select {
	case <-closed:
		return err
	case <-time.After(closing):
		return errors.Join(err, errors.New("dbconn: a query was still open when the database was closed"))
	}
}

// migrationLock is what processes that migrate at the same moment wait for: an
// arbitrary number that is nobody else's.
const migrationLock = 7_301_944_012_881

// migrate holds its lock in a transaction of its own, which a PgBouncer in
// transaction mode leaves alone, as it does not a lock of a session.
func (p *pg) migrate(ctx context.Context, sets []MigrationSet) error {
	config, err := pgx.ParseConfig(p.options.ListenURL)
	if err != nil {
		return p.options.direct(errors.New("dbconn: the direct URL of the database is not valid")) // pgx's text may show the password
	}
	pool := stdlib.OpenDB(*config)      // without our time limits: a migration may take long
	defer func() { _ = pool.Close() }() // nothing is pending on it
	lock, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return p.options.direct(fmt.Errorf("dbconn: migrate: %w", err))
	}
	defer func() { _ = lock.Rollback() }() // it has written nothing
	if err := p.sameAs(ctx, lock); err != nil {
		return err
	}
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("dbconn: migrate: %w", err)
	}
	return migrateSets(ctx, goose.DialectPostgres, pool, sets)
}

// sameAs makes sure that the direct address leads to the database that the pool is
// on: another one would be migrated, and never be heard of again. A lock that is
// held there must be held here. It belongs to one database of one server, which
// names and ports do not prove, and every user may take it.
func (p *pg) sameAs(ctx context.Context, direct *sql.Tx) error {
	if p.options.ListenURL == p.options.URL {
		return nil
	}
	tx, err := p.pool.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("dbconn: compare the addresses: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it has written nothing
	key := rand.Int64()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", key); err != nil {
		return fmt.Errorf("dbconn: compare the addresses: %w", err)
	}
	var free bool
	if err := direct.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", key).Scan(&free); err != nil {
		return p.options.direct(fmt.Errorf("dbconn: compare the addresses: %w", err))
	}
	if free {
		return p.options.direct(errors.New("dbconn: it leads to another database, or to another server"))
	}
	return nil
}
