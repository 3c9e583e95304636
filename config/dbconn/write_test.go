package dbconn_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
)

func write(t *testing.T, db *dbconn.DB, id int) {
	t.Helper()
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return insert(tx, id, fmt.Sprint(id)) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestDB_Write_panic_undoes_it_and_reaches_the_caller(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		func() {
			defer func() {
				if p := recover(); p != "boom" {
					t.Errorf("recovered %v", p)
				}
			}()
			_ = db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { // it panics
				if err := insert(tx, 1, "a"); err != nil {
					return err
				}
				panic("boom")
			})
		}()
		write(t, db, 2)
		if n := count(t, db); n != 1 {
			t.Fatalf("%d rows, want 1", n)
		}
	})
}

func TestDB_Write_goroutine_that_ends_undoes_it(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { // it never returns
				_ = insert(tx, 1, "a")
				runtime.Goexit()
				return nil
			})
		}()
		<-ended
		write(t, db, 2)
		if n := count(t, db); n != 1 {
			t.Fatalf("%d rows, want 1", n)
		}
	})
}

func TestDB_Write_cancelled_before_its_commit_undoes_it(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(ctx context.Context, tx *gorm.DB) error {
			if err := insert(tx, 1, "a"); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := db.Write(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := count(t, db); n != 0 {
			t.Fatalf("%d rows, want 0", n)
		}
	})
}

func TestDB_Write_joins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		boom := errors.New("boom")
		inner := func(ctx context.Context, id int, result error) error {
			return db.Write(ctx, func(ctx context.Context, tx *gorm.DB) error {
				return errors.Join(insert(tx, id, fmt.Sprint(id)), result)
			})
		}
		err := db.Write(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			if err := inner(ctx, 1, nil); err != nil {
				return err
			}
			if err := inner(ctx, 2, boom); !errors.Is(err, boom) {
				return fmt.Errorf("got %w", err)
			}
			if err := inner(ctx, 1, nil); !errors.Is(err, gorm.ErrDuplicatedKey) {
				return fmt.Errorf("got %w", err)
			}
			var seen int
			if err := db.Read(ctx).Raw("SELECT count(*) FROM notes").Scan(&seen).Error; err != nil || seen != 1 {
				return fmt.Errorf("inside %d rows are seen, %w", seen, err)
			}
			return insert(tx, 3, "3")
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 2 {
			t.Fatalf("%d rows, want 2", n)
		}
		err = db.Write(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			// Nothing happened before the first one, and it leaves nothing.
			for range 2 {
				if err := inner(ctx, 4, boom); !errors.Is(err, boom) {
					return fmt.Errorf("got %w", err)
				}
			}
			return insert(tx, 5, "5")
		})
		if n := count(t, db); err != nil || n != 3 {
			t.Fatalf("%d rows, want 3; %v", n, err)
		}
		err = db.Write(t.Context(), func(ctx context.Context, _ *gorm.DB) error {
			return errors.Join(inner(ctx, 4, nil), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		if n := count(t, db); n != 3 {
			t.Fatalf("%d rows after the outer error, want 3", n)
		}
	})
}

func TestDB_Write_lets_gorm_nest(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		boom := errors.New("boom")
		err := db.Write(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			if err := insert(tx, 1, "1"); err != nil {
				return err
			}
			err := tx.Transaction(func(tx *gorm.DB) error { return errors.Join(insert(tx, 2, "2"), boom) })
			if !errors.Is(err, boom) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 1 {
			t.Fatalf("%d rows, want 1", n)
		}
	})
}

// Many at once, some of which fail in every way: what was answered with nil is
// there, and nothing else.
func TestDB_Write_many_at_once(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				defer func() { _ = recover() }() // those that panic
				err := db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
					if err := insert(tx, i, fmt.Sprint(i)); err != nil {
						return err
					}
					switch i % 10 {
					case 1:
						return errors.New("no")
					case 2:
						panic("no")
					case 3:
						cancel()
					case 4:
						return insert(tx, 1000+i, fmt.Sprint(i)) // a duplicate
					}
					return nil
				})
				if failed := i%10 >= 1 && i%10 <= 4; failed != (err != nil) {
					t.Errorf("%d: got %v", i, err)
				}
			})
		}
		all.Wait()
		if n := count(t, db); n != 120 {
			t.Errorf("%d rows, want 120", n)
		}
		var wrong int
		err := db.Read(t.Context()).Raw("SELECT count(*) FROM notes WHERE id % 10 BETWEEN 1 AND 4").Scan(&wrong).Error
		if err != nil || wrong != 0 {
			t.Errorf("%d rows of failed writes, %v", wrong, err)
		}
	})
}

func TestDB_Read_cannot_write_on_SQLite(t *testing.T) {
	t.Parallel()
	db := dbtest.Open(t, dbtest.SQLite(t))
	if err := db.Migrate(t.Context(), notes(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	if err := insert(db.Read(t.Context()), 1, "a"); err == nil {
		t.Error("a query wrote")
	}
}

func TestDB_survives_a_restart(t *testing.T) {
	t.Parallel()
	for dialect, o := range map[string]dbconn.Options{"sqlite": dbtest.SQLite(t), "postgres": dbtest.Postgres(t)} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			for i := range 3 {
				db, err := dbconn.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if err := db.Migrate(t.Context(), notes(dialect)...); err != nil {
					t.Fatal(err)
				}
				if n := count(t, db); n != i {
					t.Errorf("%d rows, want %d", n, i)
				}
				write(t, db, i)
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				if err := db.Write(t.Context(), nil); err == nil {
					t.Error("a closed database was written")
				}
			}
		})
	}
}

func TestDB_Migrate_by_several_at_once(t *testing.T) {
	t.Parallel()
	for dialect, o := range map[string]dbconn.Options{"sqlite": dbtest.SQLite(t), "postgres": dbtest.Postgres(t)} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			for range 4 {
				db := dbtest.Open(t, o)
				all.Go(func() {
					if err := db.Migrate(t.Context(), notes(dialect)...); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
	}
}

func TestOpen_says_what_is_wrong(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]dbconn.Options{
		"nothing":   {},
		"no folder": {Path: t.TempDir() + "/none/tracker.db"},
		"no URL":    {URL: "postgres://user:hunter2@[bad"},
		"nobody":    {URL: "postgres://user:hunter2@127.0.0.1:1/x?connect_timeout=2"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		db, err := dbconn.Open(ctx, o)
		if err == nil {
			t.Errorf("%s: no error", name)
			_ = db.Close() // the test has failed already
			continue
		}
		if text := err.Error(); contains(text, "hunter2") {
			t.Errorf("%s: the error shows the password: %s", name, text)
		}
	}
}
