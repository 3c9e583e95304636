package dbconn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
)

// road is the only way to a database, and can be cut.
type road struct {
	ln   net.Listener
	mu   sync.Mutex
	open []net.Conn
}

// behind puts a road before the database of o.
func behind(t *testing.T, o *dbconn.Options) *road {
	t.Helper()
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := &road{}
	if r.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.cut)
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	go func() {
		for {
			here, err := r.ln.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial(network, address)
			if err != nil {
				_ = here.Close()
				continue
			}
			r.mu.Lock()
			r.open = append(r.open, here, there)
			r.mu.Unlock()
			go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
			go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
		}
	}()
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Del("host")
	u.Host, u.RawQuery = r.ln.Addr().String(), q.Encode()
	o.URL = u.String()
	return r
}

func (r *road) cut() {
	_ = r.ln.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		_ = c.Close()
	}
}

func wantAway(t *testing.T, what string, err error) {
	t.Helper()
	var gone interface{ Unavailable() bool }
	if !errors.As(err, &gone) || !gone.Unavailable() {
		t.Errorf("%s: %v does not say that the database is away", what, err)
	}
}

// A server that is away is told apart from a mistake of ours, wherever it is
// noticed.
func TestPostgres_that_is_away_says_so(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	r := behind(t, &o)
	o.MaxConns = 2
	db := migratedPostgres(t, o)
	write(t, db, 1)
	read := func() error { var n int; return db.Read(t.Context()).Raw("SELECT count(*) FROM notes").Scan(&n).Error }
	err := db.Read(t.Context()).Exec("SELECT nothing").Error
	var gone interface{ Unavailable() bool }
	if err == nil || errors.As(err, &gone) {
		t.Errorf("a mistake of ours says of itself: %v", err)
	}
	asleep := make(chan error)
	go func() { asleep <- db.Read(t.Context()).Exec("SELECT pg_sleep(60)").Error }()
	untilTrue(t, "a query runs", func() bool {
		var n int
		err := db.Read(t.Context()).Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)' AND state = 'active'").Scan(&n).Error
		return err == nil && n > 0
	})
	r.cut()
	wantAway(t, "a query that had begun", <-asleep)
	wantAway(t, "a query on a connection that was cut", read())
	wantAway(t, "a query without a connection", read())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	wantAway(t, "a write", db.Write(ctx, func(_ context.Context, tx *gorm.DB) error { return insert(tx, 2, "b") }))
}

func TestDB_that_is_closed_says_so(t *testing.T) {
	t.Parallel()
	db, err := dbconn.Open(t.Context(), dbtest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return insert(tx, 1, "a") })
	wantAway(t, "a write", err)
}
