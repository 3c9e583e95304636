package txoutbox

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"gorm.io/gorm"
)

// Database is what the outbox and the stores beside it need of a database.
// dbconn.DB implements it.
type Database interface {
	// Read returns a session for queries; inside Write's ctx it is that
	// transaction.
	Read(ctx context.Context) *gorm.DB
	// Write runs fn in a transaction that is durable when Write returns nil. fn
	// may run more than once (serialization retry) and must touch nothing but
	// tx. A Write whose ctx already carries a transaction of this database joins
	// it: the ctx given to fn carries it. An error of fn is returned as it is.
	Write(ctx context.Context, fn func(ctx context.Context, tx *gorm.DB) error) error
}

// Inside reports whether a session of [Database].Read is a transaction that its ctx
// carried.
func Inside(session *gorm.DB) bool {
	_, yes := session.Statement.ConnPool.(gorm.TxCommitter)
	return yes
}

// Snapshot lets the queries of fn see one moment, so that nobody gets the state of
// one with the timeline of another. A session that is a transaction is that view,
// as far as its own rows go.
func Snapshot(session *gorm.DB, fn func(tx *gorm.DB) error) error {
	if Inside(session) {
		return fn(session)
	}
	return session.Transaction(fn, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
}

// Schema is a store's part of its migrations for dialect "sqlite" or "postgres",
// for goose: the folder migrations/<dialect> of all. It panics on any other
// dialect, which is a mistake in the program.
func Schema(all fs.FS, dialect string) fs.FS {
	part, err := fs.Sub(all, "migrations/"+dialect)
	if err == nil {
		_, err = fs.Stat(part, ".")
	}
	if err != nil {
		panic(fmt.Sprintf("txoutbox: no migrations for %q: %v", dialect, err))
	}
	return part
}
