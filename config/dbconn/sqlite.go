package dbconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	engine3 "modernc.org/sqlite"
)

// lite is the engine of SQLite: one connection that writes and a pool that reads.
type lite struct {
	options Options
	writers *sql.DB
	readers *sql.DB
	writer  *writer
}

func openSQLite(ctx context.Context, o Options) (*DB, error) {
	if o.Path == "" {
		return nil, errors.New("dbconn: neither a URL nor a path of a database")
	}
	l := &lite{options: o}
	if err := private(o.Path); err != nil {
		return nil, fmt.Errorf("dbconn: open %s: %w", o.Path, err)
	}
	var err error
	if l.writers, err = sql.Open("sqlite", dsn(o.Path, "_txlock", "immediate")); err != nil {
		return nil, fmt.Errorf("dbconn: open %s: %w", o.Path, err)
	}
	l.writers.SetMaxOpenConns(1)
	conn, err := l.writers.Conn(ctx) // first, because it makes the file and its WAL
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dbconn: open %s: %w", o.Path, err), l.writers.Close())
	}
	if l.readers, err = sql.Open("sqlite", dsn(o.Path, "_query_only", "1")); err != nil {
		return nil, errors.Join(fmt.Errorf("dbconn: open %s: %w", o.Path, err), conn.Close(), l.writers.Close())
	}
	l.readers.SetMaxOpenConns(o.Readers)
	l.readers.SetMaxIdleConns(o.Readers)
	d := &DB{options: o, dialect: SQLite, engine: l, wake: newWake()}
	l.writer = startWriter(conn, o, d.wake.signal)
	d.gorm, err = gorm.Open(translating{sqlite.New(sqlite.Config{Conn: l.readers}).(*sqlite.Dialector)}, gormConfig(o))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dbconn: open %s: %w", o.Path, err), l.close())
	}
	return d, nil
}

// private makes the file for its owner alone, if there is none: SQLite would let
// everybody read it, and gives its WAL the mode of the file.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// dsn is the address of a SQLite file. FULL, because NORMAL may lose the last
// commits when the power goes, and what was announced must not be lost. What a
// savepoint needs to undo is kept in memory: a file for it cost a tenth of a write.
// The WAL is carried over every 8,000 pages (32 MB) instead of 1,000: it holds up
// whoever commits, and most pages are by then written several times.
func dsn(path string, more ...string) string {
	q := url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_busy_timeout": {"5000"},
		"_foreign_keys": {"1"},
		"_time_format":  {"sqlite"},
		"_pragma":       {"journal_size_limit(67108864)", "cache_size(-16384)", "temp_store(memory)", "wal_autocheckpoint(8000)"},
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (l *lite) write(ctx context.Context, fn func(txPool) error) error {
	return l.writer.write(ctx, fn)
}

func (l *lite) ping(ctx context.Context) error {
	var one int
	if err := l.readers.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("dbconn: ping: %w", err)
	}
	return nil
}

func (l *lite) close() error {
	l.writer.close()
	return errors.Join(l.readers.Close(), l.writers.Close())
}

// migrate uses a connection of its own, since the writing one belongs to the
// writer. Another process that migrates at the same moment makes the slower one
// fail on a table that is there already; tried again, it finds nothing to do.
func (l *lite) migrate(ctx context.Context, sets []MigrationSet) error {
	pool, err := sql.Open("sqlite", dsn(l.options.Path, "_txlock", "immediate"))
	if err != nil {
		return fmt.Errorf("dbconn: migrate: %w", err)
	}
	defer func() { _ = pool.Close() }() // nothing is pending on it
	pool.SetMaxOpenConns(1)
	for range 3 {
		if err = migrateSets(ctx, goose.DialectSQLite3, pool, sets); err == nil {
			return nil
		}
	}
	return err
}

// translating is gorm's dialector for SQLite with the errors of the engine that
// we use, which gorm's own does not know.
type translating struct{ *sqlite.Dialector }

const (
	uniqueViolated     = 2067
	primaryKeyViolated = 1555
	rowIDViolated      = 2579
	foreignKeyViolated = 787
	checkViolated      = 275
)

func (translating) Translate(err error) error {
	var e *engine3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case uniqueViolated, primaryKeyViolated, rowIDViolated:
		return fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, err)
	case foreignKeyViolated:
		return fmt.Errorf("%w: %w", gorm.ErrForeignKeyViolated, err)
	case checkViolated:
		return fmt.Errorf("%w: %w", gorm.ErrCheckConstraintViolated, err)
	}
	return err
}
