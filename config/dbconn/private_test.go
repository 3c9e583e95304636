package dbconn_test

import (
	"os"
	"path/filepath"
	"testing"

	"tracker/config/dbconn/dbtest"
)

func TestSQLite_files_are_their_owners_alone(t *testing.T) {
	t.Parallel()
	o := dbtest.SQLite(t)
	if err := os.Chmod(filepath.Dir(o.Path), 0o755); err != nil {
		t.Fatal(err)
	}
	db := dbtest.Open(t, o)
	if err := db.Migrate(t.Context(), notes(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	write(t, db, 1)
	files, err := filepath.Glob(o.Path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", filepath.Base(file), info.Mode())
		}
	}
}
