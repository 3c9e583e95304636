package main

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// postgresURL is a new database on the server that make test provides.
func postgresURL(t *testing.T) string {
	t.Helper()
	server := os.Getenv("TRACKER_TEST_POSTGRES")
	if server == "" {
		t.Fatal("TRACKER_TEST_POSTGRES is not set: run make test, or .ci/postgres go test ./cmd/tracker")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprintf("tracker_program_%d", time.Now().UnixNano())
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
