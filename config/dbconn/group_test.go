package dbconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"
)

// How many commits there were can only be seen from inside.

func openLite(t *testing.T, o Options) (*DB, *writer) {
	t.Helper()
	o.Path, o.Logger = filepath.Join(t.TempDir(), "group.db"), slog.New(slog.DiscardHandler)
	db, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // once more is harmless
	err = db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		return tx.Exec("CREATE TABLE notes (id INTEGER PRIMARY KEY)").Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, db.engine.(*lite).writer
}

func put(ctx context.Context, db *DB, id int) error {
	return db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Exec("INSERT INTO notes (id) VALUES (?)", id).Error
	})
}

// waitIn has the turn of a write until hold is closed; held is closed when it has it.
func waitIn(tx *gorm.DB, held, hold chan struct{}) error {
	err := tx.Exec("SELECT 1").Error
	close(held)
	<-hold
	return err
}

func TestWriter_shares_commits(t *testing.T) {
	t.Parallel()
	db, w := openLite(t, Options{})
	before := w.commits.Load()
	hold, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return waitIn(tx, held, hold) })
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	const writers = 50
	for i := range writers {
		all.Go(func() {
			if err := put(t.Context(), db, i); err != nil {
				t.Error(err)
			}
		})
	}
	close(hold)
	all.Wait()
	if n := w.commits.Load() - before; n > writers/2 {
		t.Errorf("%d commits for %d writes", n, writers+1)
	}
	before = w.commits.Load()
	for i := range 5 {
		if err := put(t.Context(), db, 1000+i); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.commits.Load() - before; n != 5 {
		t.Errorf("%d commits for 5 writes one after the other", n)
	}
}

// A write that fails because of another one of its group, such as a duplicate, is
// answered when that one is there to stay, and not before.
func TestWriter_an_error_waits_for_what_it_rests_on(t *testing.T) {
	t.Parallel()
	db, w := openLite(t, Options{Gather: time.Minute})
	first, second, answered := make(chan struct{}), make(chan struct{}), make(chan struct{})
	insert := func(turn chan struct{}) error {
		return db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			defer close(turn)
			err := tx.Exec("INSERT INTO notes (id) VALUES (1)").Error
			w.last = 3 // so many are waited for; the writer stands by
			return err
		})
	}
	var all sync.WaitGroup
	all.Go(func() {
		if err := insert(first); err != nil {
			t.Error(err)
		}
	})
	<-first
	all.Go(func() {
		defer close(answered)
		if err := insert(second); !errors.Is(err, gorm.ErrDuplicatedKey) {
			t.Errorf("got %v", err)
		}
		var n int
		if err := db.Read(t.Context()).Raw("SELECT count(*) FROM notes").Scan(&n).Error; err != nil || n != 1 {
			t.Errorf("it was told of a duplicate, and there are %d: %v", n, err)
		}
	})
	<-second
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		err := tx.Exec("SELECT 1").Error
		select {
		case <-answered: // too early
		case <-time.After(200 * time.Millisecond):
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	all.Wait()
}

func TestWriter_answers_everyone_when_it_closes(t *testing.T) {
	t.Parallel()
	db, _ := openLite(t, Options{})
	hold, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return waitIn(tx, held, hold) })
		if err != nil {
			t.Errorf("a write that had begun: %v", err)
		}
	})
	<-held
	for i := range 20 {
		all.Go(func() {
			if err := put(t.Context(), db, i); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
	}
	all.Go(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	close(hold)
	all.Wait()
	if err := put(t.Context(), db, 99); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestWriter_lets_go_of_who_no_longer_waits(t *testing.T) {
	t.Parallel()
	db, _ := openLite(t, Options{})
	hold, held := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return waitIn(tx, held, hold) })
	}()
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := put(ctx, db, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(hold)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := put(t.Context(), db, 1); err != nil {
		t.Errorf("the abandoned write was done after all: %v", err)
	}
}

// What a write does before its first statement holds nobody up.
func TestWriter_turn_begins_with_the_first_statement(t *testing.T) {
	t.Parallel()
	db, w := openLite(t, Options{})
	before := w.commits.Load()
	err := db.Write(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		other := make(chan error)
		go func() { other <- put(t.Context(), db, 1) }()
		if err := <-other; err != nil {
			return err
		}
		inner := db.Write(ctx, func(context.Context, *gorm.DB) error { return errors.New("boom") })
		if n := w.commits.Load() - before; inner == nil || n != 1 {
			return fmt.Errorf("%d commits, %w", n, inner)
		}
		return tx.Exec("INSERT INTO notes (id) VALUES (2)").Error
	})
	if n := w.commits.Load() - before; err != nil || n != 2 {
		t.Errorf("%d commits, %v", n, err)
	}
	if err := db.Write(t.Context(), func(context.Context, *gorm.DB) error { return nil }); err != nil || w.commits.Load()-before != 2 {
		t.Errorf("a write of nothing: %v", err)
	}
}

// A write whose turn never comes is refused whatever its function makes of that.
func TestWriter_refuses_what_goes_on_without_a_turn(t *testing.T) {
	t.Parallel()
	db, _ := openLite(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, stop := range map[string]func(){"cancelled": cancel, "closed": func() { _ = db.Close() }} {
		err := db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
			stop()
			tx.Exec("INSERT INTO notes (id) VALUES (1)")
			var n int
			if tx.Raw("SELECT 1").Row().Scan(&n) == nil {
				t.Errorf("%s: a query was answered", name)
			}
			return nil
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		ctx = t.Context()
	}
}

// A statement that takes the whole transaction down fails everyone in it, and the
// writer goes on.
func TestWriter_survives_a_lost_transaction(t *testing.T) {
	t.Parallel()
	db, w := openLite(t, Options{})
	hold, held := make(chan struct{}), make(chan struct{})
	failures := make(chan error, 3)
	go func() {
		failures <- db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return errors.Join(waitIn(tx, held, hold), tx.Exec("INSERT INTO notes (id) VALUES (1)").Error)
		})
	}()
	<-held
	w.last = 2 // the group waits for a second one; the first one's turn orders this
	go func() {
		failures <- db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return fmt.Errorf("rolled back: %w", errors.Join(tx.Exec("ROLLBACK").Error, errors.New("boom")))
		})
	}()
	close(hold)
	lost := 0
	for range 2 {
		if err := <-failures; err != nil {
			lost++
		}
	}
	if err := put(t.Context(), db, 2); err != nil {
		t.Fatalf("the writer did not go on: %v", err)
	}
	var n int
	if err := db.Read(t.Context()).Raw("SELECT count(*) FROM notes").Scan(&n).Error; err != nil || n != 3-lost {
		t.Errorf("%d rows after %d failures, %v", n, lost, err)
	}
}

// A full disk takes the transaction of a group down: everyone in it is told, what
// was answered with nil is there, and the writer goes on once there is room.
func TestWriter_survives_a_full_disk(t *testing.T) {
	t.Parallel()
	db, _ := openLite(t, Options{})
	room := func(pages int) {
		t.Helper()
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Error
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		return tx.Exec("CREATE TABLE blobs (kind TEXT NOT NULL, body BLOB NOT NULL)").Error
	})
	if err != nil {
		t.Fatal(err)
	}
	room(60)
	body := make([]byte, 30_000) // some eight pages
	var all sync.WaitGroup
	var stored, refused atomic.Int64
	for range 40 {
		all.Go(func() {
			err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
				return tx.Exec("INSERT INTO blobs (kind, body) VALUES (?, ?)", "x", body).Error
			})
			if err != nil {
				refused.Add(1)
			} else {
				stored.Add(1)
			}
		})
	}
	all.Wait()
	room(1_000_000)
	if err := put(t.Context(), db, 1); err != nil {
		t.Fatalf("there is room again: %v", err)
	}
	var n int64
	if err := db.Read(t.Context()).Raw("SELECT count(*) FROM blobs").Scan(&n).Error; err != nil || n != stored.Load() || refused.Load() == 0 {
		t.Errorf("%d rows, %d stored, %d refused, %v", n, stored.Load(), refused.Load(), err)
	}
}

func TestDB_Commits_coalesces(t *testing.T) {
	t.Parallel()
	db, _ := openLite(t, Options{})
	announced := func(announce bool) {
		t.Helper()
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			if announce {
				tx.Session(&gorm.Session{}).Statement.ConnPool.(txPool).Announce()
			}
			return tx.Exec("SELECT 1").Error
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	announced(false)
	select {
	case <-db.Commits():
		t.Error("woken for nothing")
	default:
	}
	for range 3 {
		announced(true)
	}
	<-db.Commits()
	select {
	case <-db.Commits():
		t.Error("woken twice")
	default:
	}
}
