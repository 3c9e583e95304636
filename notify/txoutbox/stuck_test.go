package txoutbox_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/txoutbox"
)

// mute is a database of which one query, the first that looks for what waits, went
// over a connection that died without a word.
type mute struct {
	txoutbox.Database
	once *sync.Once
}

func (m mute) Read(ctx context.Context) *gorm.DB {
	tx := m.Database.Read(ctx)
	tx.Statement.ConnPool = mutePool{tx.Statement.ConnPool, m.once}
	return tx
}

type mutePool struct {
	gorm.ConnPool
	once *sync.Once
}

func (p mutePool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if strings.Contains(query, "id NOT IN") {
		p.once.Do(func() { <-ctx.Done() })
	}
	return p.ConnPool.QueryContext(ctx, query, args...)
}

// The lease is renewed over another connection meanwhile, so nobody takes over.
func TestRelay_goes_on_after_a_connection_that_died_without_a_word(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		s, id := newStream(), newOrder()
		appendEvents(t, db, event(t, id, 1))
		r := txoutbox.NewRelay(mute{db, new(sync.Once)}, s, db.Commits(), quietly(txoutbox.RelayOptions{Patience: time.Second}))
		defer start(t, r)()
		s.await(t, 1)
	})
}

func TestRelay_relays_while_it_prunes(t *testing.T) {
	t.Parallel()
	options := dbtest.Postgres(t) // where one transaction does not hold up the others
	options.IdleInTx = time.Hour
	db := dbtest.Open(t, options)
	if err := db.Migrate(t.Context(), sets(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	s, id := newStream(), newOrder()
	stop := start(t, txoutbox.NewRelay(db, s, db.Commits(), quietly(txoutbox.RelayOptions{})))
	appendEvents(t, db, event(t, id, 1))
	s.await(t, 1)
	stop()
	later := func() time.Time { return time.Now().Add(25 * time.Hour) }
	begun, release := make(chan struct{}), make(chan struct{})
	slow := counting{db, "1 = 1", func() error { close(begun); <-release; return nil }} // a deletion takes until it is released
	defer start(t, txoutbox.NewRelay(slow, s, db.Commits(), quietly(txoutbox.RelayOptions{Now: later})))()
	defer close(release)
	select {
	case <-begun:
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing was pruned")
	}
	appendEvents(t, db, event(t, id, 2))
	s.await(t, 2)
}
