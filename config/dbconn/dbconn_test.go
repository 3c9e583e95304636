package dbconn_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
)

func notes(string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{{Name: "notes", FS: fstest.MapFS{
		"00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE);\n")},
	}}}
}

func insert(tx *gorm.DB, id int, body string) error {
	return tx.Exec("INSERT INTO notes (id, body) VALUES (?, ?)", id, body).Error
}

func count(t *testing.T, db *dbconn.DB) int {
	t.Helper()
	var n int
	if err := db.Read(t.Context()).Raw("SELECT count(*) FROM notes").Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDB_Write(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return insert(tx, 1, "a") })
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error { return insert(tx, 2, "a") })
		if !errors.Is(err, gorm.ErrDuplicatedKey) {
			t.Fatalf("a duplicate gave %v", err)
		}
		if n := count(t, db); n != 1 {
			t.Fatalf("%d rows, want 1", n)
		}
	})
}

func TestDB_Write_of_an_error_undoes_it(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, notes, func(t *testing.T, db *dbconn.DB) {
		boom := errors.New("boom")
		err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return errors.Join(insert(tx, 1, "a"), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		if n := count(t, db); n != 0 {
			t.Fatalf("%d rows, want 0", n)
		}
	})
}
