package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/web/idempotency"
	"tracker/web/idempotency/idempotencydb"
)

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// each runs fn with two processes over one database, and a table to have
// effects on.
func each(t *testing.T, fn func(t *testing.T, db *dbconn.DB, c *clock, here, there *idempotency.Service)) {
	t.Helper()
	sets := func(dialect string) []dbconn.MigrationSet {
		return []dbconn.MigrationSet{{Name: idempotencydb.Name, FS: idempotencydb.Migrations(dialect)}}
	}
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		write(t, db, "CREATE TABLE effects (name TEXT NOT NULL)")
		c, store := newClock(), idempotencydb.New(db)
		fn(t, db, c, idempotency.NewService(store, idempotency.Options{Now: c.now}), idempotency.NewService(store, idempotency.Options{Now: c.now}))
	})
}

func write(t *testing.T, db *dbconn.DB, statement string, args ...any) {
	t.Helper()
	if err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return tx.Exec(statement, args...).Error }); err != nil {
		t.Fatal(err)
	}
}

func effects(t *testing.T, db *dbconn.DB) int {
	t.Helper()
	var n int
	if err := db.Read(t.Context()).Raw("SELECT count(*) FROM effects").Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// effect has one, in the transaction that ctx carries.
func effect(db *dbconn.DB, answer string) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		err := db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("INSERT INTO effects VALUES (?)", answer).Error
		})
		return []byte(answer), err
	}
}

var request = idempotency.Request{Owner: "mer_1", Key: "k", Content: []byte("POST /v1/orders {}")}

func TestInOne_repeats_the_answer_and_not_the_effect(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		for i, s := range []*idempotency.Service{here, here, there} {
			answer, replayed, err := s.InOne(t.Context(), request, effect(db, fmt.Sprint(i)))
			if err != nil || string(answer) != "0" || replayed != (i > 0) {
				t.Errorf("%d: %s, replayed %v, %v", i, answer, replayed, err)
			}
		}
		if n := effects(t, db); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

// What a name server must answer first is asked outside of the transaction,
// once, and not again for a stored answer; its refusal leaves the key free.
func TestInOne_before(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		asked, refused := 0, errors.New("no such host")
		answers := []error{refused, nil}
		r := idempotency.Request{Owner: "mer_1", Key: "k", Content: []byte("a"), Before: func(ctx context.Context) error {
			asked++
			write(t, db, "CREATE TABLE IF NOT EXISTS elsewhere (name TEXT)")
			return answers[min(asked, 2)-1]
		}}
		if _, _, err := here.InOne(t.Context(), r, effect(db, "one")); !errors.Is(err, refused) || effects(t, db) != 0 {
			t.Fatalf("refused: %v, %d effects", err, effects(t, db))
		}
		for i, s := range []*idempotency.Service{here, there} {
			answer, replayed, err := s.InOne(t.Context(), r, effect(db, "one"))
			if string(answer) != "one" || replayed != (i == 1) || err != nil {
				t.Errorf("%d: %s %v %v", i, answer, replayed, err)
			}
		}
		if asked != 2 || effects(t, db) != 1 {
			t.Errorf("asked %d times, %d effects", asked, effects(t, db))
		}
	})
}

func TestInOne_another_content_is_a_mismatch(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		if _, _, err := here.InOne(t.Context(), request, effect(db, "0")); err != nil {
			t.Fatal(err)
		}
		other := request
		other.Content = []byte("POST /v1/orders {}x")
		if _, _, err := there.InOne(t.Context(), other, effect(db, "1")); !errors.Is(err, idempotency.ErrMismatch) {
			t.Errorf("error %v", err)
		}
		other.Owner = "mer_2"
		if _, replayed, err := there.InOne(t.Context(), other, effect(db, "2")); err != nil || replayed {
			t.Errorf("another owner: replayed %v, %v", replayed, err)
		}
		if n := effects(t, db); n != 2 {
			t.Errorf("%d effects", n)
		}
	})
}

func TestInOne_an_error_undoes_everything_and_frees_the_key(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		broken := errors.New("broken")
		_, _, err := here.InOne(t.Context(), request, func(ctx context.Context) ([]byte, error) {
			if _, err := effect(db, "0")(ctx); err != nil {
				return nil, err
			}
			return nil, broken
		})
		if !errors.Is(err, broken) || effects(t, db) != 0 {
			t.Fatalf("error %v, %d effects", err, effects(t, db))
		}
		if answer, replayed, err := there.InOne(t.Context(), request, effect(db, "1")); err != nil || replayed || string(answer) != "1" {
			t.Errorf("again: %s, %v, %v", answer, replayed, err)
		}
	})
}

// Copies that run at the same time in two processes: one effect, one answer.
func TestInOne_a_race_between_processes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		var all sync.WaitGroup
		var mu sync.Mutex
		answers := map[string]bool{}
		for i := range 60 {
			s := []*idempotency.Service{here, there}[i%2]
			all.Go(func() {
				answer, _, err := s.InOne(t.Context(), request, effect(db, fmt.Sprint(i)))
				if err != nil && !errors.Is(err, idempotency.ErrRunning) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					answers[string(answer)] = true
				}
			})
		}
		all.Wait()
		if n := effects(t, db); n != 1 || len(answers) != 1 {
			t.Errorf("%d effects, answers %v", n, answers)
		}
	})
}

func TestInOne_a_copy_that_meets_the_first_one_here_is_running(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, _ *idempotency.Service) {
		started, finish := make(chan struct{}), make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() {
			_, _, err := here.InOne(t.Context(), request, func(ctx context.Context) ([]byte, error) {
				close(started)
				<-finish
				return []byte("0"), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-started
		if _, _, err := here.InOne(t.Context(), request, effect(db, "1")); !errors.Is(err, idempotency.ErrRunning) {
			t.Errorf("error %v", err)
		}
		close(finish)
		first.Wait()
	})
}

func TestLeased_repeats_the_answer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		for i, s := range []*idempotency.Service{here, there, here} {
			answer, replayed, err := s.Leased(t.Context(), request, effect(db, fmt.Sprint(i)))
			if err != nil || string(answer) != "0" || replayed != (i > 0) {
				t.Errorf("%d: %s, replayed %v, %v", i, answer, replayed, err)
			}
		}
		if n := effects(t, db); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

// Who dies in the middle leaves a claim. It holds for a while, because the dead
// one may only be slow; then the next request runs the effect again.
func TestLeased_a_claim_without_an_answer_ends(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, c *clock, _, there *idempotency.Service) {
		abandoned := idempotency.NewService(deaf{idempotencydb.New(db)}, idempotency.Options{Now: c.now})
		if _, _, err := abandoned.Leased(t.Context(), request, effect(db, "0")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := there.Leased(t.Context(), request, effect(db, "1")); !errors.Is(err, idempotency.ErrRunning) {
			t.Errorf("at once: %v", err)
		}
		c.move(10 * time.Second)
		if answer, replayed, err := there.Leased(t.Context(), request, effect(db, "1")); err != nil || replayed || string(answer) != "1" {
			t.Errorf("after the lease: %s, %v, %v", answer, replayed, err)
		}
	})
}

// A claim is renewed by who has it, and by nobody else.
func TestStore_renews_a_claim(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, c *clock, _, _ *idempotency.Service) {
		store := idempotencydb.New(db)
		for i, step := range []struct {
			holder string
			after  time.Duration
			want   bool
		}{{"a", 0, true}, {"a", time.Second, true}, {"b", 9500 * time.Millisecond, false}, {"b", 10 * time.Second, true}, {"a", 0, false}} {
			c.move(step.after)
			e := idempotency.Entry{ID: "1", Fingerprint: []byte("f"), Holder: step.holder, LeaseUntil: c.now().Add(10 * time.Second), ExpiresAt: c.now().Add(time.Hour)}
			if put, err := store.Put(t.Context(), e, c.now()); put != step.want || err != nil {
				t.Errorf("step %d: %v, %v", i, put, err)
			}
		}
	})
}

// deaf loses every answer, as a process does that dies before storing it.
type deaf struct{ idempotency.Store }

func (deaf) Answer(context.Context, idempotency.Entry) error { return nil }

func TestLeased_an_error_frees_the_key(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		away := errors.New("the bank is away")
		if _, _, err := here.Leased(t.Context(), request, func(context.Context) ([]byte, error) { return nil, away }); !errors.Is(err, away) {
			t.Errorf("error %v", err)
		}
		if answer, _, err := there.Leased(t.Context(), request, effect(db, "1")); err != nil || string(answer) != "1" {
			t.Errorf("again: %s, %v", answer, err)
		}
	})
}

// A shopper who closes the browser does not stop a command in the middle.
func TestLeased_goes_on_without_its_client(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		ctx, leave := context.WithCancel(t.Context())
		_, _, err := here.Leased(ctx, request, func(ctx context.Context) ([]byte, error) {
			leave()
			return effect(db, "0")(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if answer, replayed, err := there.Leased(t.Context(), request, effect(db, "1")); err != nil || !replayed || string(answer) != "0" {
			t.Errorf("again: %s, %v, %v", answer, replayed, err)
		}
	})
}

func TestLeased_a_race_between_processes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, _ *clock, here, there *idempotency.Service) {
		var all sync.WaitGroup
		var ran atomic.Int32
		for i := range 60 {
			s := []*idempotency.Service{here, there}[i%2]
			all.Go(func() {
				_, _, err := s.Leased(t.Context(), request, func(context.Context) ([]byte, error) {
					ran.Add(1)
					return []byte("0"), nil
				})
				if err != nil && !errors.Is(err, idempotency.ErrRunning) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := ran.Load(); n != 1 {
			t.Errorf("ran %d times", n)
		}
	})
}

func TestAnswers_are_kept_for_a_day(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, c *clock, here, _ *idempotency.Service) {
		for _, run := range []func(context.Context, idempotency.Request, func(context.Context) ([]byte, error)) ([]byte, bool, error){here.InOne, here.Leased} {
			if _, _, err := run(t.Context(), request, effect(db, "0")); err != nil {
				t.Fatal(err)
			}
			c.move(24*time.Hour - time.Second)
			if _, replayed, err := run(t.Context(), request, effect(db, "1")); err != nil || !replayed {
				t.Errorf("just before: replayed %v, %v", replayed, err)
			}
			c.move(2 * time.Second)
			if answer, replayed, err := run(t.Context(), request, effect(db, "2")); err != nil || replayed || string(answer) != "2" {
				t.Errorf("after: %s, replayed %v, %v", answer, replayed, err)
			}
			c.move(25 * time.Hour)
		}
	})
}

func TestStore_sweep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *dbconn.DB, c *clock, here, _ *idempotency.Service) {
		for i := range 7 {
			r := request
			r.Key = strings.Repeat("k", i+1)
			if _, _, err := here.InOne(t.Context(), r, effect(db, "x")); err != nil {
				t.Fatal(err)
			}
			c.move(time.Hour)
		}
		store := idempotencydb.New(db)
		c.move(20*time.Hour + time.Minute) // the first four have expired
		for _, want := range []int{2, 2, 0} {
			if n, err := store.Sweep(t.Context(), c.now(), 2); err != nil || n != want {
				t.Errorf("swept %d, %v, want %d", n, err, want)
			}
		}
	})
}
