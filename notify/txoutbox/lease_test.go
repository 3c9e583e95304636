package txoutbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn/dbtest"
	"tracker/notify/txoutbox"
)

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
	hasty := quietly(txoutbox.RelayOptions{Lease: time.Second}) // half the default, so that a busy machine does not fail the test
	first := txoutbox.NewRelay(mortal{db, alive}, s, db.Commits(), hasty)
	defer start(t, first)()
	appendEvents(t, db, event(t, id, 1))
	s.await(t, 1)
	defer start(t, txoutbox.NewRelay(other, s, other.Commits(), hasty))()

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
