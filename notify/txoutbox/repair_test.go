package txoutbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
)

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
