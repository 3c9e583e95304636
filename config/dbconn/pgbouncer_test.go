package dbconn_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"tracker/config/dbconn/dbtest"
)

// bouncer starts a PgBouncer in transaction mode with few connections to the
// server, and returns the database's address through it.
func bouncer(t *testing.T, direct string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // not in everybody's PATH
	}
	server, err := pgx.ParseConfig(direct)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "tracker-pgb-") // short: the path of a socket is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a leftover is the system's to clean
	settings := fmt.Sprintf("[databases]\n%s = host=%s port=%d user=%s\n[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = %s\nauth_type = any\n"+
		"pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\n", server.Database, server.Host, server.Port, server.User, dir)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, file)
	cmd.SysProcAttr = unprivileged(t, dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs PgBouncer: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	q := url.Values{"host": {dir}, "port": {"6432"}, "sslmode": {"disable"}, "default_query_exec_mode": {"cache_describe"}}
	address := (&url.URL{Scheme: "postgres", User: url.User(server.User), Path: "/" + server.Database, RawQuery: q.Encode()}).String()
	awaitBouncer(t, address)
	return address
}

// unprivileged makes a command run as "nobody" where we are root, which PgBouncer
// refuses to be, and gives it dir.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid) // numeric on every unix
	gid, _ := strconv.Atoi(nobody.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func awaitBouncer(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			_ = conn.Close(ctx) // it has served
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("PgBouncer does not answer: %v", err)
		}
	}
}

func TestPgBouncer_in_transaction_mode(t *testing.T) {
	t.Parallel()
	direct := dbtest.Postgres(t)
	o := direct
	o.URL, o.ListenURL = bouncer(t, direct.URL), direct.URL
	db := dbtest.Open(t, o)
	if err := db.Migrate(t.Context(), notes(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	// Five times as many writers as connections to the server, each with several
	// statements, so that none meets the connection that it had before.
	var all sync.WaitGroup
	for w := range 15 {
		all.Go(func() {
			for i := range 10 {
				id := w*100 + i
				err := db.Write(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
					return errors.Join(insert(tx, id, "x"), tx.Exec("UPDATE notes SET body = ? WHERE id = ?", fmt.Sprint(id), id).Error)
				})
				var body string
				read := db.Read(t.Context()).Raw("SELECT body FROM notes WHERE id = ?", id).Scan(&body).Error
				if err != nil || read != nil || body != fmt.Sprint(id) {
					t.Errorf("%d: %q, %v, %v", id, body, err, read)
				}
			}
		})
	}
	all.Wait()
	boom := errors.New("boom")
	err := db.Write(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return errors.Join(insert(tx, 5000, "x"), boom) })
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if n := count(t, db); n != 150 {
		t.Errorf("%d rows, want 150", n)
	}
}

// The word of a commit comes through PgBouncer to who listens beside it; who
// listens through it is told by polling.
func TestPgBouncer_commits_are_heard(t *testing.T) {
	t.Parallel()
	direct := dbtest.Postgres(t)
	o := direct
	o.URL, o.ListenURL, o.Poll = bouncer(t, direct.URL), direct.URL, 10*time.Second
	heeds(t, dbtest.Open(t, o), dbtest.Open(t, o))
	o.ListenURL, o.Poll = o.URL, 0
	deaf := dbtest.Open(t, o)
	for range 3 {
		awaitWake(t, deaf)
	}
}
