package txoutbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
)

func sets(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{{Name: txoutbox.Name, FS: txoutbox.Migrations(dialect)}}
}

// event is the event of sequence seq of the order id.
func event(t *testing.T, id string, seq int64) eventwire.Event {
	t.Helper()
	var timeline []eventwire.Transition
	for i := range seq {
		timeline = append(timeline, eventwire.Transition{
			Seq: i + 1, Type: "order.created", To: "pending_payment", Cause: "merchant",
			At: time.Date(2026, 11, 23, 9, 0, int(i), 0, time.UTC),
		})
	}
	key := eventwire.Key{Merchant: merchant, Kind: eventwire.Orders, ID: id}
	e, err := eventwire.New(key, id, 0, false, timeline, map[string]any{"id": id, "sequence": seq})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var merchant = eventwire.NewID(eventwire.PrefixMerchant, time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))

func newOrder() string { return eventwire.NewID(eventwire.PrefixOrder, time.Now()) }

func appendEvents(t *testing.T, db txoutbox.Database, events ...eventwire.Event) {
	t.Helper()
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return txoutbox.Append(tx, events...) })
	if err != nil {
		t.Fatal(err)
	}
}

func rows(t *testing.T, db txoutbox.Database, where string) int {
	t.Helper()
	var n int
	if err := db.Read(t.Context()).Raw("SELECT count(*) FROM outbox WHERE " + where).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAppend(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		id := newOrder()
		appendEvents(t, db, event(t, id, 1), event(t, id, 2))
		select {
		case <-db.Commits():
		case <-time.After(2 * time.Minute):
			t.Fatal("the commit woke nobody")
		}
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return txoutbox.Append(tx, event(t, id, 2)) })
		if !errors.Is(err, gorm.ErrDuplicatedKey) {
			t.Fatalf("the same sequence again gave %v", err)
		}
		if n := rows(t, db, "published_at IS NULL"); n != 2 {
			t.Fatalf("%d rows, want 2", n)
		}
	})
}

func TestAppend_rolled_back_announces_nothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		boom := errors.New("boom")
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return errors.Join(txoutbox.Append(tx, event(t, newOrder(), 1)), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		if n := rows(t, db, "1 = 1"); n != 0 {
			t.Fatalf("%d rows, want 0", n)
		}
	})
}
