package txoutbox_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/txoutbox"
)

func TestRelay_is_woken_by_the_commit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s := newStream()
		r := txoutbox.NewRelay(db, s, db.Commits(), steadily(txoutbox.RelayOptions{Poll: time.Hour}))
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
		for try := 1; ; try++ {
			s, id := newStream(), newOrder()
			stop := start(t, txoutbox.NewRelay(db, s, db.Commits(), steadily(txoutbox.RelayOptions{MarkEvery: time.Hour})))
			appendEvents(t, db, event(t, id, 1))
			s.await(t, 1)
			stop() // it has two seconds for its last marks
			appendEvents(t, db, event(t, id, 2), event(t, id, 3))
			stop = start(t, txoutbox.NewRelay(db, s, nil, steadily(txoutbox.RelayOptions{})))
			s.await(t, 3)
			until(t, "all rows are marked", func() bool { return rows(t, db, "published_at IS NULL") == 0 })
			stop()
			if s.asked == 3 {
				return
			}
			if try == 5 {
				t.Fatalf("%d messages were published, want 3: a stopping relay marks what it published", s.asked)
			}
		}
	})
}

// A process that dies between the acknowledgement and the mark leaves rows that
// are published again, under the same ids.
func TestRelay_repeats_what_was_not_marked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s, id := newStream(), newOrder()
		broken := counting{db, "published_at IS NULL", func() error { return errors.New("killed") }} // no row gets its mark
		stop := start(t, txoutbox.NewRelay(broken, s, db.Commits(), steadily(txoutbox.RelayOptions{})))
		appendEvents(t, db, event(t, id, 1), event(t, id, 2))
		s.await(t, 2)
		stop()
		if n := rows(t, db, "published_at IS NULL"); n != 2 {
			t.Fatalf("%d rows wait, want 2", n)
		}
		defer start(t, txoutbox.NewRelay(db, s, nil, steadily(txoutbox.RelayOptions{})))()
		until(t, "all rows are marked", func() bool { return rows(t, db, "published_at IS NULL") == 0 })
		if got := s.of(id); !slices.Equal(got, ids(id, 1, 2)) || s.asked != 4 {
			t.Fatalf("the stream has %v after %d messages", got, s.asked)
		}
	})
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
		r := txoutbox.NewRelay(db, s, nil, steadily(txoutbox.RelayOptions{
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
