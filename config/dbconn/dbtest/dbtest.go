package dbtest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tracker/config/dbconn"
)

// Each runs fn on a fresh, migrated database of each kind, as the parallel
// subtests "sqlite" and "postgres". sets may be nil.
func Each(t *testing.T, sets func(dialect string) []dbconn.MigrationSet, fn func(t *testing.T, db *dbconn.DB)) {
	t.Helper()
	t.Run(dbconn.SQLite, func(t *testing.T) {
		t.Parallel()
		fn(t, migrated(t, Open(t, SQLite(t)), sets))
	})
	t.Run(dbconn.Postgres, func(t *testing.T) {
		t.Parallel()
		fn(t, migrated(t, Open(t, Postgres(t)), sets))
	})
}

// SQLite is the address of a SQLite file that does not exist yet.
func SQLite(tb testing.TB) dbconn.Options {
	tb.Helper()
	return quiet(dbconn.Options{Path: filepath.Join(tb.TempDir(), "tracker.db")})
}

// Postgres is the address of a new, empty PostgreSQL database. It is dropped with
// the test.
func Postgres(tb testing.TB) dbconn.Options {
	tb.Helper()
	server := os.Getenv("TRACKER_TEST_POSTGRES")
	if server == "" {
		own, err := cluster()
		if err != nil {
			tb.Fatalf("no PostgreSQL to test on (set TRACKER_TEST_POSTGRES or install it): %v", err)
		}
		server = own.address
	}
	name := "test_" + strings.ToLower(rand.Text())
	admin(tb, server, "CREATE DATABASE "+name)
	tb.Cleanup(func() { admin(tb, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	address, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("TRACKER_TEST_POSTGRES is not a URL")
	}
	address.Path = "/" + name
	return quiet(dbconn.Options{URL: address.String()})
}

// Open opens the database and closes it with the test.
func Open(tb testing.TB, options dbconn.Options) *dbconn.DB {
	tb.Helper()
	db, err := dbconn.Open(tb.Context(), options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close the database: %v", err)
		}
	})
	return db
}

func migrated(tb testing.TB, db *dbconn.DB, sets func(string) []dbconn.MigrationSet) *dbconn.DB {
	tb.Helper()
	if sets == nil {
		return db
	}
	if err := db.Migrate(tb.Context(), sets(db.Dialect())...); err != nil {
		tb.Fatal(err)
	}
	return db
}

func quiet(o dbconn.Options) dbconn.Options {
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

func admin(tb testing.TB, server, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		tb.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }() // it is done
	if _, err := conn.Exec(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}
