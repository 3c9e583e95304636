package txoutbox_test

import (
	"context"
	"database/sql"
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
	lasting := quietly(txoutbox.RelayOptions{Lease: 20 * time.Minute}) // it must be given back, or this ends in vain
	first := txoutbox.NewRelay(db, s, db.Commits(), lasting)
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
	s.await(t, 3)
}

// mortal is a database that its process can no longer reach once ctx has ended.
type mortal struct {
	txoutbox.Database
	alive context.Context
}

func (m mortal) Read(ctx context.Context) *gorm.DB {
	tx := m.Database.Read(ctx)
	tx.Statement.ConnPool = mortalPool{tx.Statement.ConnPool, m.alive}
	return tx
}

// mortalPool still answers queries, so that the dead can be asked what they know.
type mortalPool struct {
	gorm.ConnPool
	alive context.Context
}

func (p mortalPool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.alive.Err(); err != nil {
		return nil, err
	}
	return p.ConnPool.ExecContext(ctx, query, args...)
}

func (m mortal) Write(ctx context.Context, fn func(context.Context, *gorm.DB) error) error {
	if err := m.alive.Err(); err != nil {
		return err
	}
	return m.Database.Write(ctx, fn)
}

// mortalPublisher publishes nothing for the dead.
type mortalPublisher struct {
	txoutbox.Publisher
	alive context.Context
}

func (m mortalPublisher) Publish(ctx context.Context, messages []txoutbox.Message) error {
	if err := m.alive.Err(); err != nil {
		return err
	}
	return m.Publisher.Publish(ctx, messages)
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
	hasty := quietly(txoutbox.RelayOptions{Lease: time.Second})
	first := txoutbox.NewRelay(mortal{db, alive}, mortalPublisher{s, alive}, db.Commits(), hasty)
	defer start(t, first)()
	appendEvents(t, db, event(t, id, 1))
	s.await(t, 1)
	defer start(t, txoutbox.NewRelay(other, s, other.Commits(), hasty))()

	kill()
	appendEvents(t, other, event(t, id, 2))
	s.await(t, 2)
	until(t, "the dead one knows it", func() bool {
		stats, err := first.Stats(t.Context())
		return err == nil && !stats.Leading
	})
}
