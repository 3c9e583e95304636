package dbconn_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
)

// An address for LISTEN that leads elsewhere is refused before anything is made
// there.
func TestPostgres_Migrate_refuses_another_database(t *testing.T) {
	t.Parallel()
	o, elsewhere := dbtest.Postgres(t), dbtest.Postgres(t)
	o.ListenURL, o.ListenName = elsewhere.URL, "THE_SETTING"
	db := dbtest.Open(t, o)
	err := db.Migrate(t.Context(), notes(db.Dialect())...)
	if err == nil || !strings.HasPrefix(err.Error(), "THE_SETTING: ") || !contains(err.Error(), "another database") {
		t.Errorf("got %v", err)
	}
	for _, o := range []dbconn.Options{{URL: o.URL}, {URL: elsewhere.URL}} {
		var tables int
		err := dbtest.Open(t, o).Read(t.Context()).Raw("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables).Error
		if err != nil || tables != 0 {
			t.Errorf("%d tables were made, %v", tables, err)
		}
	}
}

// Another way to the same database is none: by another name, and as somebody who
// may do little.
func TestPostgres_Migrate_takes_another_way_to_the_same_database(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	o.ListenURL = o.URL + "&application_name=direct"
	migratedPostgres(t, o)
	o.URL = bouncer(t, o.URL)
	migratedPostgres(t, o)
}

func TestPostgres_Open_takes_several_hosts(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	o.URL = strings.Replace(o.URL, u.Host, "127.0.0.1:1,"+u.Host, 1)
	migratedPostgres(t, o)
}

// shared is a log that two goroutines use.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), what)
}

// An outage is said when it begins and when it ends, whatever is tried meanwhile.
func TestPostgres_listener_says_once_that_it_is_away(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	gate, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tried atomic.Int64
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			in, err := gate.Accept()
			if err != nil {
				return
			}
			if tried.Add(1) <= 4 {
				_ = in.Close() // that is the outage
				continue
			}
			passing.Go(func() { pass(in, server) })
		}
	})
	t.Cleanup(passing.Wait)
	t.Cleanup(func() { _ = gate.Close() }) // nobody comes any more
	u.Host = gate.Addr().String()
	log := &shared{}
	o.ListenURL, o.ListenName, o.Logger = u.String(), "THE_SETTING", slog.New(slog.NewTextHandler(log, nil))
	dbtest.Open(t, o)
	untilTrue(t, "it listens again", func() bool { return log.count("listening for commits of other processes again") == 1 })
	if n := log.count("not listening for commits"); n != 1 || tried.Load() < 4 || log.count("THE_SETTING: ") != 1 {
		t.Errorf("said %d times in %d tries: %s", n, tried.Load(), log.text.String())
	}
}

// pass carries one connection to the server.
func pass(in net.Conn, server string) {
	defer func() { _ = in.Close() }() // both directions have ended
	out, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(out, in) // ends when the client does
		_ = out.Close()         // and so ends the answers
	}()
	_, _ = io.Copy(in, out) // ends when the server does
}
