package dbconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
)

// The dialects, as the stores' migrations name them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// ErrClosed is what a Write gets once the database is being closed.
var ErrClosed error = away{errors.New("dbconn: the database is closed")}

// away is the error of a database that cannot be reached, for callers that must
// tell this from a mistake of ours and may not know whose error it is.
type away struct{ error }

// Unavailable reports that the same call may succeed later.
func (away) Unavailable() bool { return true }

func (e away) Unwrap() error { return e.error }

// Options say which database, and how. Only URL or Path is needed.
type Options struct {
	URL  string // postgres://…; empty is SQLite at Path
	Path string // the SQLite file; its directory must exist

	Logger *slog.Logger     // default slog.Default
	Now    func() time.Time // default time.Now; gorm's NowFunc, in UTC

	// SQLite
	Readers int           // connections for queries, default 4
	Gather  time.Duration // how long a commit may wait for writers that are due, default 1 ms
	Group   int           // most writes in one commit, default 256

	// PostgreSQL
	MaxConns         int           // default 16
	StatementTimeout time.Duration // default 10 s
	LockTimeout      time.Duration // default 5 s
	IdleInTx         time.Duration // default 10 s
	ListenURL        string        // a direct address for LISTEN where URL is a PgBouncer; default URL
	ListenName       string        // what errors call that address; default "the direct address"
	Poll             time.Duration // how often Commits fires while LISTEN is away, default 250 ms
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ListenURL == "" {
		o.ListenURL = o.URL
	}
	setDefault(&o.ListenName, "the direct address")
	setDefault(&o.Readers, 4)
	setDefault(&o.Group, 256)
	setDefault(&o.Gather, time.Millisecond)
	setDefault(&o.MaxConns, 16)
	setDefault(&o.StatementTimeout, 10*time.Second)
	setDefault(&o.LockTimeout, 5*time.Second)
	setDefault(&o.IdleInTx, 10*time.Second)
	setDefault(&o.Poll, 250*time.Millisecond)
	return o
}

// direct says of an error that it is about the address for LISTEN, where that is
// one of its own.
func (o Options) direct(err error) error {
	if err == nil || o.ListenURL == o.URL {
		return err
	}
	return fmt.Errorf("%s: %w", o.ListenName, err)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// engine is what SQLite and PostgreSQL do differently.
type engine interface {
	// write runs fn in a transaction of its own.
	write(ctx context.Context, fn func(pool txPool) error) error
	migrate(ctx context.Context, sets []MigrationSet) error
	ping(ctx context.Context) error
	close() error
}

// DB is an open database. Safe for concurrent use.
type DB struct {
	options Options
	dialect string
	gorm    *gorm.DB // queries go to its pool
	engine  engine
	wake    *wake
}

// Open connects to the database that the options name and checks that it
// answers. Close it in the end.
func Open(ctx context.Context, options Options) (*DB, error) {
	options = options.withDefaults()
	if options.URL != "" {
		return openPostgres(ctx, options)
	}
	return openSQLite(ctx, options)
}

// Dialect is [SQLite] or [Postgres].
func (d *DB) Dialect() string { return d.dialect }

// Ping reports whether the database answers a query.
func (d *DB) Ping(ctx context.Context) error { return d.engine.ping(ctx) }

// Commits receives after a commit that appended to the outbox, here or (on
// PostgreSQL) in any process: soon after, at least once, and not once each. It is
// also received when nothing happened, so that a lost signal costs only time.
// There is one channel, for one receiver.
func (d *DB) Commits() <-chan struct{} { return d.wake.ch }

// Migrate brings the schema of every set up to date, each in a version table of
// its own. Processes that start together wait for each other.
func (d *DB) Migrate(ctx context.Context, sets ...MigrationSet) error {
	return d.engine.migrate(ctx, sets)
}

// Close ends what Open began, after the writes that have begun. A Write after
// that gets [ErrClosed].
func (d *DB) Close() error { return d.engine.close() }

// Read returns a session for queries. In the ctx of a Write it is that
// transaction.
func (d *DB) Read(ctx context.Context) *gorm.DB {
	if c, ok := d.carried(ctx); ok {
		return d.session(ctx, c.pool)
	}
	return d.gorm.WithContext(ctx)
}

// Write runs fn in a transaction that is durable when Write returns nil. fn may
// run more than once and must touch nothing but tx. An error or a panic of fn
// undoes all that fn did, and nothing else.
//
// A Write whose ctx carries a transaction of this database joins it: it is
// durable when the outer one is, and its error undoes only its own part. Never
// call Write from fn with another ctx than fn's: on SQLite that waits for itself.
func (d *DB) Write(ctx context.Context, fn func(ctx context.Context, tx *gorm.DB) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c, ok := d.carried(ctx); ok {
		return d.join(ctx, c, fn)
	}
	return d.engine.write(ctx, func(pool txPool) error {
		inside := context.WithValue(ctx, carrierKey{d}, &carrier{pool: pool})
		return fn(inside, d.session(inside, pool))
	})
}

// carrier is the transaction that a ctx carries.
type carrier struct {
	pool  txPool
	joins int // savepoints made so far, for names that never repeat
}

type carrierKey struct{ db *DB }

func (d *DB) carried(ctx context.Context) (*carrier, bool) {
	c, ok := ctx.Value(carrierKey{d}).(*carrier)
	return c, ok
}

// session is a gorm session whose statements go to pool.
func (d *DB) session(ctx context.Context, pool gorm.ConnPool) *gorm.DB {
	tx := d.gorm.Session(&gorm.Session{NewDB: true, Context: ctx})
	tx.Statement.ConnPool = pool
	return tx
}

// join runs fn within a transaction that has begun, behind a savepoint: an outer
// fn may go on after the error of an inner one. Where nothing has happened in the
// transaction yet, its beginning is savepoint enough.
func (d *DB) join(ctx context.Context, c *carrier, fn func(context.Context, *gorm.DB) error) error {
	back := c.pool.Beginning()
	if back == "" {
		c.joins++
		point := fmt.Sprintf("j%d", c.joins)
		if _, err := c.pool.ExecContext(ctx, "SAVEPOINT "+point); err != nil {
			return fmt.Errorf("dbconn: join: %w", err)
		}
		back = "ROLLBACK TO SAVEPOINT " + point
	}
	err := fn(ctx, d.session(ctx, c.pool))
	if err == nil || c.pool.Beginning() != "" { // nothing to undo
		return err
	}
	if _, undo := c.pool.ExecContext(context.WithoutCancel(ctx), back); undo != nil {
		return errors.Join(err, fmt.Errorf("dbconn: undo a joined write: %w", undo))
	}
	return err
}
