package txoutbox_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
)

// stream is a Publisher that remembers, drops repeated ids, and fails on request.
type stream struct {
	mu       sync.Mutex
	fail     func(ids []string) error // asked before anything is stored
	seen     map[string]bool
	subjects map[string][]string // ids by subject, in the order stored
	asked    int                 // messages given to Publish
	grown    chan struct{}
}

func newStream() *stream {
	return &stream{seen: map[string]bool{}, subjects: map[string][]string{}, grown: make(chan struct{}, 1)}
}

func (s *stream) Publish(_ context.Context, messages []txoutbox.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked += len(messages)
	if s.fail != nil {
		ids := make([]string, len(messages))
		for i, m := range messages {
			ids[i] = m.ID
		}
		if err := s.fail(ids); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if !s.seen[m.ID] {
			s.seen[m.ID] = true
			s.subjects[m.Subject] = append(s.subjects[m.Subject], m.ID)
		}
	}
	select {
	case s.grown <- struct{}{}:
	default:
	}
	return nil
}

func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *stream) failWith(fail func([]string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// of lists the ids of one order in the order stored.
func (s *stream) of(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subjects[eventwire.Key{Merchant: merchant, Kind: eventwire.Orders, ID: id}.Subject()])
}

// await returns when the stream holds n messages.
func (s *stream) await(t *testing.T, n int) {
	t.Helper()
	late := time.After(20 * time.Second)
	for s.count() < n {
		select {
		case <-s.grown:
		case <-late:
			t.Fatalf("%d of %d messages arrived", s.count(), n)
		}
	}
}

func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !true() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func quietly(o txoutbox.RelayOptions) txoutbox.RelayOptions {
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

// start runs a relay; the returned function stops it and waits.
func start(t *testing.T, r *txoutbox.Relay) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func ids(id string, seqs ...int64) (list []string) {
	for _, seq := range seqs {
		list = append(list, eventwire.EventID(id, seq))
	}
	return list
}

func TestRelay_is_woken_by_the_commit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s := newStream()
		r := txoutbox.NewRelay(db, s, db.Commits(), quietly(txoutbox.RelayOptions{Poll: time.Hour}))
		defer start(t, r)()
		id := newOrder()
		for seq := range int64(20) {
			appendEvents(t, db, event(t, id, seq+1))
			s.await(t, int(seq)+1)
		}
		if got := s.of(id); !slices.Equal(got, ids(id, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)) {
			t.Fatalf("out of order: %v", got)
		}
		until(t, "all rows are marked", func() bool { return rows(t, db, "published_at IS NULL") == 0 })
		if s.asked != 20 {
			t.Errorf("%d messages were published, want 20", s.asked)
		}
	})
}

func TestRelay_keeps_each_resource_in_order_through_failures(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s := newStream()
		calls := 0
		s.fail = func([]string) error {
			if calls++; calls%3 != 0 {
				return errors.New("no stream")
			}
			return nil
		}
		r := txoutbox.NewRelay(db, s, db.Commits(), quietly(txoutbox.RelayOptions{Batch: 7}))
		defer start(t, r)()
		var writers sync.WaitGroup
		orders := make([]string, 8)
		for i := range orders {
			orders[i] = newOrder()
			writers.Go(func() {
				for seq := range int64(10) {
					appendEvents(t, db, event(t, orders[i], seq+1))
				}
			})
		}
		writers.Wait()
		s.await(t, 80)
		for _, id := range orders {
			if got := s.of(id); !slices.Equal(got, ids(id, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) {
				t.Fatalf("out of order: %v", got)
			}
		}
	})
}

func TestRelay_catches_up_after_a_restart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s, id := newStream(), newOrder()
		stop := start(t, txoutbox.NewRelay(db, s, db.Commits(), quietly(txoutbox.RelayOptions{})))
		appendEvents(t, db, event(t, id, 1))
		s.await(t, 1)
		stop()
		appendEvents(t, db, event(t, id, 2), event(t, id, 3))
		defer start(t, txoutbox.NewRelay(db, s, nil, quietly(txoutbox.RelayOptions{})))()
		s.await(t, 3)
		if s.asked != 3 {
			t.Errorf("%d messages were published, want 3: a stopping relay marks what it published", s.asked)
		}
	})
}

// A process that dies between the acknowledgement and the mark leaves rows that
// are published again, under the same ids.
func TestRelay_repeats_what_was_not_marked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s, id := newStream(), newOrder()
		broken := unmarkable{db}
		stop := start(t, txoutbox.NewRelay(broken, s, db.Commits(), quietly(txoutbox.RelayOptions{})))
		appendEvents(t, db, event(t, id, 1), event(t, id, 2))
		s.await(t, 2)
		stop()
		if n := rows(t, db, "published_at IS NULL"); n != 2 {
			t.Fatalf("%d rows wait, want 2", n)
		}
		defer start(t, txoutbox.NewRelay(db, s, nil, quietly(txoutbox.RelayOptions{Lease: time.Second})))()
		until(t, "all rows are marked", func() bool { return rows(t, db, "published_at IS NULL") == 0 })
		if got := s.of(id); !slices.Equal(got, ids(id, 1, 2)) || s.asked != 4 {
			t.Fatalf("the stream has %v after %d messages", got, s.asked)
		}
	})
}

// unmarkable is a database in which no row of the outbox gets its mark.
type unmarkable struct{ txoutbox.Database }

func (u unmarkable) Write(ctx context.Context, fn func(context.Context, *gorm.DB) error) error {
	return u.Database.Write(ctx, func(ctx context.Context, tx *gorm.DB) error {
		before, err := unmarked(tx)
		if err != nil {
			return err
		}
		if err := fn(ctx, tx); err != nil {
			return err
		}
		after, err := unmarked(tx)
		if err == nil && after < before {
			err = errors.New("killed")
		}
		return err
	})
}

func unmarked(tx *gorm.DB) (n int, err error) {
	err = tx.Raw("SELECT count(*) FROM outbox WHERE published_at IS NULL").Scan(&n).Error
	return n, err
}

func TestRelay_standby_takes_over(t *testing.T) {
	t.Parallel()
	options := dbtest.Postgres(t)
	db, other := dbtest.Open(t, options), dbtest.Open(t, options)
	if err := db.Migrate(t.Context(), sets(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	s, id := newStream(), newOrder()
	first := txoutbox.NewRelay(db, s, db.Commits(), quietly(txoutbox.RelayOptions{}))
	stop := start(t, first)
	appendEvents(t, db, event(t, id, 1))
	s.await(t, 1)

	second := txoutbox.NewRelay(other, s, other.Commits(), quietly(txoutbox.RelayOptions{}))
	defer start(t, second)()
	appendEvents(t, other, event(t, id, 2))
	s.await(t, 2)
	stats, err := second.Stats(t.Context())
	if err != nil || stats.Leading {
		t.Fatalf("two relays lead: %+v, %v", stats, err)
	}

	stop() // gives the lease back, so the other one follows at once
	appendEvents(t, other, event(t, id, 3))
	begin := time.Now()
	s.await(t, 3)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("the standby took over after %v", took)
	}
}

// mortal is a database that its process can no longer reach once ctx has ended.
type mortal struct {
	txoutbox.Database
	alive context.Context
}

func (m mortal) Write(ctx context.Context, fn func(context.Context, *gorm.DB) error) error {
	if err := m.alive.Err(); err != nil {
		return err
	}
	return m.Database.Write(ctx, fn)
}

func TestRelay_standby_takes_over_from_the_dead(t *testing.T) {
	t.Parallel()
	options := dbtest.Postgres(t)
	db, other := dbtest.Open(t, options), dbtest.Open(t, options)
	if err := db.Migrate(t.Context(), sets(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	s, id := newStream(), newOrder()
	alive, kill := context.WithCancel(t.Context())
	first := txoutbox.NewRelay(mortal{db, alive}, s, db.Commits(), quietly(txoutbox.RelayOptions{}))
	defer start(t, first)()
	appendEvents(t, db, event(t, id, 1))
	s.await(t, 1)
	defer start(t, txoutbox.NewRelay(other, s, other.Commits(), quietly(txoutbox.RelayOptions{})))()

	kill()
	begin := time.Now()
	s.failWith(func([]string) error { // the dead publish nothing
		if time.Since(begin) < 100*time.Millisecond {
			return errors.New("dead")
		}
		return nil
	})
	appendEvents(t, other, event(t, id, 2))
	s.await(t, 2)
	until(t, "the dead one knows it", func() bool {
		stats, err := first.Stats(t.Context())
		return err == nil && !stats.Leading
	})
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("fail-over took %v", took)
	}
}

func TestRelay_prunes_after_the_retention(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s, id := newStream(), newOrder()
		stop := start(t, txoutbox.NewRelay(db, s, db.Commits(), quietly(txoutbox.RelayOptions{})))
		appendEvents(t, db, event(t, id, 1))
		s.await(t, 1)
		stop()
		later := func() time.Time { return time.Now().Add(25 * time.Hour) }
		defer start(t, txoutbox.NewRelay(db, s, nil, quietly(txoutbox.RelayOptions{Now: later})))()
		until(t, "the published row is pruned", func() bool { return rows(t, db, "1 = 1") == 0 })
	})
}

func TestRelay_Stats(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		var lags sync.Map
		s, id := newStream(), newOrder()
		r := txoutbox.NewRelay(db, s, nil, quietly(txoutbox.RelayOptions{
			Observe: func(lag time.Duration) { lags.Store(lag, true) },
		}))
		appendEvents(t, db, event(t, id, 1), event(t, id, 2))
		stats, err := r.Stats(t.Context())
		if err != nil || stats.Depth != 2 || stats.Oldest < 0 || stats.Oldest > time.Minute || stats.Published != 0 {
			t.Fatalf("got %+v, %v", stats, err)
		}
		defer start(t, r)()
		s.await(t, 2)
		until(t, "the outbox is empty", func() bool {
			stats, err := r.Stats(t.Context())
			return err == nil && stats.Depth == 0 && stats.Published == 2 && stats.Leading
		})
		lags.Range(func(lag, _ any) bool {
			if d := lag.(time.Duration); d < -time.Second || d > time.Minute {
				t.Errorf("a lag of %v", d)
			}
			return true
		})
	})
}

func TestRepair(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s, whole, cut, gone := newStream(), newOrder(), newOrder(), newOrder()
		defer start(t, txoutbox.NewRelay(db, s, db.Commits(), quietly(txoutbox.RelayOptions{})))()
		for _, id := range []string{whole, cut, gone} {
			appendEvents(t, db, event(t, id, 1), event(t, id, 2), event(t, id, 3))
		}
		s.await(t, 9)
		until(t, "all rows are marked", func() bool { return rows(t, db, "published_at IS NULL") == 0 })

		s.mu.Lock()
		for _, id := range slices.Concat(ids(cut, 2, 3), ids(gone, 1, 2, 3)) {
			delete(s.seen, id)
		}
		s.mu.Unlock()
		last := func(_ context.Context, key eventwire.Key) (int64, error) {
			return map[string]int64{whole: 3, cut: 1, gone: 0}[key.ID], nil
		}
		n, err := txoutbox.Repair(t.Context(), db, last, time.Now().Add(-time.Hour))
		if err != nil || n != 5 {
			t.Fatalf("repaired %d, %v; want 5", n, err)
		}
		s.await(t, 9)
		if got, want := s.of(cut), ids(cut, 1, 2, 3, 2, 3); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got, want := s.of(gone), ids(gone, 1, 2, 3, 1, 2, 3); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if n, err := txoutbox.Repair(t.Context(), db, last, time.Now().Add(time.Hour)); err != nil || n != 0 {
			t.Errorf("nothing is newer than the future, yet %d were repaired, %v", n, err)
		}
		boom := errors.New("no stream")
		_, err = txoutbox.Repair(t.Context(), db, func(context.Context, eventwire.Key) (int64, error) { return 0, boom }, time.Time{})
		if !errors.Is(err, boom) {
			t.Errorf("an unreachable stream gave %v", err)
		}
	})
}

func TestAppend_refuses_what_the_stream_would(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		long := event(t, newOrder(), 1)
		long.Resource = []byte(`{"x":"` + strings.Repeat("x", txoutbox.MaxBody) + `"}`)
		strange := event(t, newOrder(), 1)
		strange.Merchant = "mer.*.>"
		for name, e := range map[string]eventwire.Event{"long": long, "strange": strange} {
			err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return txoutbox.Append(tx, e) })
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
}
