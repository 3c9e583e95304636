package dbconn_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
)

// BenchmarkDB_Write is what one change costs: a compare-and-set and two inserts of
// about the size of an event, durable, by one client and by 64.
func BenchmarkDB_Write(b *testing.B) {
	for _, c := range []struct {
		name    string
		clients int
		options func(testing.TB) dbconn.Options
	}{
		{"sqlite/1", 1, dbtest.SQLite}, {"sqlite/64", 64, dbtest.SQLite},
		{"postgres/1", 1, dbtest.Postgres}, {"postgres/64", 64, dbtest.Postgres},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkWrite(b, dbtest.Open(b, c.options(b)), c.clients) })
	}
}

func benchmarkWrite(b *testing.B, db *dbconn.DB, clients int) {
	b.Helper()
	err := db.Migrate(b.Context(), dbconn.MigrationSet{Name: "bench", FS: fstest.MapFS{"00001_bench.sql": {Data: []byte(`-- +goose Up
		CREATE TABLE things (id BIGINT PRIMARY KEY, sequence BIGINT NOT NULL, body TEXT NOT NULL);
		CREATE TABLE steps (id BIGINT, seq BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id, seq));
		CREATE TABLE box (id BIGINT, seq BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id, seq));`)}}})
	if err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("x", 1500)
	var client atomic.Int64
	b.SetParallelism(clients) // times GOMAXPROCS, of which there are few
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		id := client.Add(1)
		if id > int64(clients) {
			return
		}
		step := func(seq int64) func(context.Context, *gorm.DB) error {
			return func(_ context.Context, tx *gorm.DB) error {
				for _, s := range []struct {
					query string
					args  []any
				}{
					{"UPDATE things SET sequence = ?, body = ? WHERE id = ? AND sequence = ?", []any{seq, body[:500], id, seq - 1}},
					{"INSERT INTO steps (id, seq, body) VALUES (?, ?, ?)", []any{id, seq, body[:200]}},
					{"INSERT INTO box (id, seq, body) VALUES (?, ?, ?)", []any{id, seq, body}},
				} {
					if err := tx.Exec(s.query, s.args...).Error; err != nil {
						return err
					}
				}
				return nil
			}
		}
		err := db.Write(b.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("INSERT INTO things (id, sequence, body) VALUES (?, 0, '')", id).Error
		})
		for seq := int64(1); err == nil && pb.Next(); seq++ {
			err = db.Write(b.Context(), step(seq))
		}
		if err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}
