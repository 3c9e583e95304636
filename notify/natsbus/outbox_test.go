package natsbus_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
	"tracker/notify/txoutbox"
)

// The outbox and the stream together: from the transaction to the follower.

// publisher lets a relay publish on a bus.
type publisher struct{ *natsbus.Bus }

func (p publisher) Publish(ctx context.Context, messages []txoutbox.Message) error {
	list := make([]natsbus.Message, len(messages))
	for i, m := range messages {
		list[i] = natsbus.Message(m)
	}
	return p.Bus.Publish(ctx, list)
}

func outbox(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{{Name: txoutbox.Name, FS: txoutbox.Migrations(dialect)}}
}

func relay(t *testing.T, db *dbconn.DB, b *natsbus.Bus) *txoutbox.Relay {
	t.Helper()
	r := txoutbox.NewRelay(db, publisher{b}, db.Commits(), txoutbox.RelayOptions{Logger: slog.New(slog.DiscardHandler)})
	run(t, r.Run)
	return r
}

func commit(t *testing.T, db *dbconn.DB, e eventwire.Event) {
	t.Helper()
	err := db.Write(context.WithoutCancel(t.Context()), func(_ context.Context, tx *gorm.DB) error { return txoutbox.Append(tx, e) })
	if err != nil {
		t.Error(err)
	}
}

func TestOutbox_to_follower_through_restarts_of_the_server(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, outbox, func(t *testing.T, db *dbconn.DB) {
		out := newOutside(t)
		b := open(t, out.options())
		s := follow(t, b)
		relay(t, db, b)
		const each = 60
		orders := []string{newOrder(), newOrder(), newOrder(), newOrder()}
		var writers sync.WaitGroup
		for _, id := range orders {
			writers.Go(func() {
				for seq := range int64(each) {
					commit(t, db, event(t, id, seq+1))
					if seq%4 == 0 {
						<-time.After(10 * time.Millisecond) // so that the restarts fall into it
					}
				}
			})
		}
		for range 2 {
			s.await(t, s.count()+1)
			out.stop()
			out.start()
		}
		writers.Wait()
		s.await(t, len(orders)*each)
		for _, id := range orders {
			got := s.of(id)
			for i, seq := range got {
				if seq != int64(i)+1 {
					t.Fatalf("out of order, missing or doubled: %v", got)
				}
			}
		}
		if s.count() != len(orders)*each || s.reasons() != "" {
			t.Errorf("%d events, gaps %q", s.count(), s.reasons())
		}
	})
}

func TestOutbox_repairs_a_deleted_store(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, outbox, func(t *testing.T, db *dbconn.DB) {
		out := newOutside(t)
		b, id := open(t, out.options()), newOrder()
		s := follow(t, b)
		r := relay(t, db, b)
		for seq := range int64(3) {
			commit(t, db, event(t, id, seq+1))
		}
		s.await(t, 3)
		untilNil(t, func() error { return drained(t, r) })
		out.stop()
		if err := os.RemoveAll(out.dir); err != nil {
			t.Fatal(err)
		}
		out.start()
		s.awaitGap(t) // what tells the process to repair
		n, err := txoutbox.Repair(t.Context(), db, lastOf(b), time.Now().Add(-time.Hour))
		if err != nil || n != 3 {
			t.Fatalf("repaired %d, %v; want 3", n, err)
		}
		s.await(t, 6)
		if got := s.of(id); !slices.Equal(got, []int64{1, 2, 3, 1, 2, 3}) {
			t.Errorf("got %v", got)
		}
		if e, ok, err := b.Last(t.Context(), orderKey(id)); !ok || err != nil || e.Seq != 3 {
			t.Errorf("the last one is %d, %v", e.Seq, err)
		}
	})
}

// drained returns nil when everything is published.
func drained(t *testing.T, r *txoutbox.Relay) error {
	stats, err := r.Stats(t.Context())
	if err == nil && stats.Depth > 0 {
		err = fmt.Errorf("%d events wait", stats.Depth)
	}
	return err
}

func lastOf(b *natsbus.Bus) func(context.Context, eventwire.Key) (int64, error) {
	return func(ctx context.Context, key eventwire.Key) (int64, error) {
		e, _, err := b.Last(ctx, key)
		return e.Seq, err
	}
}

// While the relay is publishing, a rebuild that reads older rows never gets behind
// it: in the end the last message is the newest.
func TestOutbox_and_Restore_at_once(t *testing.T) {
	t.Parallel()
	db := dbtest.Open(t, dbtest.SQLite(t))
	if err := db.Migrate(t.Context(), outbox(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	b, id := embedded(t, t.TempDir()), newOrder()
	r := relay(t, db, b)
	var restorers sync.WaitGroup
	for range 2 {
		restorers.Go(func() {
			for seq := range int64(30) {
				if _, err := b.Restore(t.Context(), event(t, id, seq+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for seq := range int64(30) {
		commit(t, db, event(t, id, seq+1))
	}
	restorers.Wait()
	untilNil(t, func() error { return drained(t, r) })
	if e, _, err := b.Last(t.Context(), orderKey(id)); err != nil || e.Seq != 30 {
		t.Errorf("the last one is %d, %v", e.Seq, err)
	}
}

// The newest event is restored while the relay still has to publish it and those
// before it.
func TestOutbox_after_Restore_ends_with_the_newest(t *testing.T) {
	t.Parallel()
	db := dbtest.Open(t, dbtest.SQLite(t))
	if err := db.Migrate(t.Context(), outbox(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	b, id := embedded(t, t.TempDir()), newOrder()
	for seq := range int64(5) {
		commit(t, db, event(t, id, seq+1))
	}
	if stored, err := b.Restore(t.Context(), event(t, id, 5)); err != nil || !stored {
		t.Fatal(stored, err)
	}
	s := follow(t, b)
	relay(t, db, b)
	s.await(t, 5)
	if e, _, err := b.Last(t.Context(), orderKey(id)); err != nil || e.Seq != 5 {
		t.Errorf("the last one is %d, %v", e.Seq, err)
	}
}

// BenchmarkOutbox is the way from the begin of a transaction to the follower.
func BenchmarkOutbox(b *testing.B) {
	for name, options := range map[string]func(testing.TB) dbconn.Options{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			db := dbtest.Open(b, options(b))
			if err := db.Migrate(b.Context(), outbox(db.Dialect())...); err != nil {
				b.Fatal(err)
			}
			bus, err := natsbus.Open(b.Context(), quiet(natsbus.Options{StoreDir: b.TempDir()}))
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			var running sync.WaitGroup
			ready, came := make(chan struct{}), make(chan struct{}, 1)
			running.Go(func() {
				_ = bus.Follow(ctx, natsbus.Follower{Event: func(uint64, eventwire.Event) { came <- struct{}{} }, Ready: func() { close(ready) }})
			})
			r := txoutbox.NewRelay(db, publisher{bus}, db.Commits(), txoutbox.RelayOptions{})
			running.Go(func() { _ = r.Run(ctx) })
			<-ready
			var toCommit time.Duration
			b.ResetTimer()
			for range b.N {
				id := newOrder()
				e, err := eventwire.New(orderKey(id), id, 0, false, []eventwire.Transition{{Seq: 1, Type: "order.created"}}, map[string]any{"id": id})
				if err != nil {
					b.Fatal(err)
				}
				begin := time.Now()
				if err := db.Write(ctx, func(_ context.Context, tx *gorm.DB) error { return txoutbox.Append(tx, e) }); err != nil {
					b.Fatal(err)
				}
				toCommit += time.Since(begin)
				<-came
			}
			b.ReportMetric(float64(toCommit.Microseconds())/float64(b.N), "µs-to-commit/op")
			b.StopTimer()
			cancel()
			running.Wait()
			_ = bus.Close() // the benchmark is over
		})
	}
}
