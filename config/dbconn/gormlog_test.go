package dbconn_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
)

func TestDB_logs_no_values(t *testing.T) {
	t.Parallel()
	for dialect, o := range map[string]dbconn.Options{"sqlite": dbtest.SQLite(t), "postgres": dbtest.Postgres(t)} {
		var log bytes.Buffer
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		db, err := dbconn.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context(), notes(dialect)...); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second one fails
			_ = db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return insert(tx, 1, "hunter2") })
		}
		_ = insert(db.Read(t.Context()), 2, "hunter2") // on SQLite it fails
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		text := log.String()
		if !strings.Contains(text, "INSERT INTO notes") || strings.Contains(text, "hunter2") {
			t.Errorf("%s: logged %s", dialect, text)
		}
	}
}
