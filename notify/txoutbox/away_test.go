package txoutbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn/dbtest"
	"tracker/notify/txoutbox"
)

// absent is a database that does not answer the first tries.
type absent struct {
	txoutbox.Database
	tries *atomic.Int64
}

func (a absent) Read(ctx context.Context) *gorm.DB {
	tx := a.Database.Read(ctx)
	if a.tries.Add(1) <= 5 {
		tx.Statement.ConnPool = nobody{tx.Statement.ConnPool}
	}
	return tx
}

type nobody struct{ gorm.ConnPool }

func (nobody) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errors.New("connection refused")
}

func TestRelay_says_once_that_the_database_is_away(t *testing.T) {
	t.Parallel()
	db := dbtest.Open(t, dbtest.Postgres(t))
	if err := db.Migrate(t.Context(), sets(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, id, away := newStream(), newOrder(), absent{db, &atomic.Int64{}}
	stop := start(t, txoutbox.NewRelay(away, s, db.Commits(), txoutbox.RelayOptions{Lease: 400 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	appendEvents(t, db, event(t, id, 1))
	s.await(t, 1)
	stop()
	text := log.String()
	if n := strings.Count(text, "could not be asked for"); n != 1 || strings.Count(text, "can be asked for again") != 1 || away.tries.Load() < 6 {
		t.Errorf("said %d times in %d tries:\n%s", n, away.tries.Load(), text)
	}
}
