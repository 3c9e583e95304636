package dbconn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// announce commits something that wakes the relays.
func announce(t *testing.T, db *dbconn.DB) {
	t.Helper()
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		tx.Statement.ConnPool.(interface{ Announce() }).Announce()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func awaitWake(t *testing.T, db *dbconn.DB) {
	t.Helper()
	select {
	case <-db.Commits():
	case <-time.After(2 * time.Minute):
		t.Fatal("nobody was woken")
	}
}

// heeds demands that there is woken by what here announces: so often in so long
// that neither the signals of a start, nor polls ten seconds apart, nor the looks
// after a silent connection are enough.
func heeds(t *testing.T, here, there *dbconn.DB) {
	t.Helper()
	late := time.After(4 * time.Minute)
	for i := range 60 {
		announce(t, here)
		select {
		case <-there.Commits():
		case <-late:
			t.Fatalf("woken %d times by 60 announcements", i)
		}
	}
}

func migratedPostgres(t *testing.T, o dbconn.Options) *dbconn.DB {
	t.Helper()
	db := dbtest.Open(t, o)
	if err := db.Migrate(t.Context(), notes(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestPostgres_Commits_wakes_other_processes(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	o.Poll = 10 * time.Second
	heeds(t, dbtest.Open(t, o), dbtest.Open(t, o))
}

// Every connection of the listener is cut: it listens again, and until then polls.
func TestPostgres_Commits_survives_a_cut(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	o.Poll = 10 * time.Second
	o.ListenURL = o.URL + "&application_name=listener"
	here, there := dbtest.Open(t, o), dbtest.Open(t, o)
	listeners := func() (list []int) { // a silent one is asked for a sign of life, too
		err := here.Read(t.Context()).Raw(`SELECT pid FROM pg_stat_activity WHERE datname = current_database()
			AND application_name = 'listener' AND (query LIKE 'LISTEN%' OR query LIKE '%ping%')`).Scan(&list).Error
		if err != nil {
			return nil // its connection was cut, too
		}
		return list
	}
	untilTrue(t, "both listen", func() bool { return len(listeners()) == 2 })
	before := listeners()
	cut(t, here)
	awaitWake(t, there) // it polls, or hears itself again
	untilTrue(t, "both listen again", func() bool {
		now := listeners()
		return len(now) == 2 && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) })
	})
	heeds(t, here, there)
}

// cut ends every other connection to the database of db.
func cut(t *testing.T, db *dbconn.DB) {
	t.Helper()
	err := db.Read(t.Context()).Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`).Error
	if err != nil {
		t.Fatal(err)
	}
}

func untilTrue(t *testing.T, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !true() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestPostgres_Write_survives_a_cut(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	db, other := migratedPostgres(t, o), dbtest.Open(t, o)
	runs := 0
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		if runs++; runs == 1 {
			cut(t, other)
		}
		return insert(tx, 1, "a")
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// A pool full of dead connections, as after a restart of the server, does not show.
func TestPostgres_Write_survives_a_dead_pool(t *testing.T) {
	t.Parallel()
	o := dbtest.Postgres(t)
	db, other := migratedPostgres(t, o), dbtest.Open(t, o)
	var all sync.WaitGroup
	together := make(chan struct{})
	all.Go(func() { defer close(together); <-time.After(50 * time.Millisecond) })
	for i := range 10 {
		all.Go(func() {
			err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { <-together; return insert(tx, i, fmt.Sprint(i)) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	cut(t, other)
	for i := range 10 {
		write(t, db, 100+i)
	}
	if n := count(t, db); n != 20 {
		t.Errorf("%d rows, want 20", n)
	}
}

// Two transactions lock two rows in opposite order: PostgreSQL ends one of them,
// which is run again.
func TestPostgres_Write_runs_again_after_a_deadlock(t *testing.T) {
	t.Parallel()
	db := migratedPostgres(t, dbtest.Postgres(t))
	write(t, db, 1)
	write(t, db, 2)
	var both, all sync.WaitGroup
	both.Add(2)
	runs := make([]int, 2)
	for me := range 2 {
		all.Go(func() {
			err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
				runs[me]++
				if err := tx.Exec("UPDATE notes SET body = body || 'x' WHERE id = ?", 1+me).Error; err != nil {
					return err
				}
				if runs[me] == 1 {
					both.Done()
					both.Wait()
				}
				return tx.Exec("UPDATE notes SET body = body || 'x' WHERE id = ?", 2-me).Error
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if runs[0]+runs[1] < 3 { // the one that runs again may meet the other once more
		t.Errorf("%v runs, want 3 or more in all", runs)
	}
	var bodies []string
	if err := db.Read(t.Context()).Raw("SELECT body FROM notes ORDER BY id").Scan(&bodies).Error; err != nil || fmt.Sprint(bodies) != "[1xx 2xx]" {
		t.Errorf("got %v, %v", bodies, err)
	}
}

func TestPostgres_Write_gives_up_a_slow_statement(t *testing.T) {
	t.Parallel()
	patient := dbtest.Postgres(t)
	migratedPostgres(t, patient)
	o := patient
	o.StatementTimeout = 50 * time.Millisecond
	db := dbtest.Open(t, o)
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		return errors.Join(insert(tx, 1, "a"), tx.Exec("SELECT pg_sleep(10)").Error)
	})
	if err == nil || !contains(err.Error(), "57014") {
		t.Errorf("got %v", err)
	}
	if n := count(t, dbtest.Open(t, patient)); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}
}

// Through a PgBouncer in transaction mode a LISTEN hears nothing: then Commits
// polls. A listener on another database is as deaf.
func TestPostgres_Commits_polls_where_LISTEN_is_deaf(t *testing.T) {
	t.Parallel()
	o, elsewhere := dbtest.Postgres(t), dbtest.Postgres(t)
	o.ListenURL, o.Poll = elsewhere.URL, 20*time.Millisecond
	db := dbtest.Open(t, o)
	for range 5 {
		awaitWake(t, db)
	}
}
