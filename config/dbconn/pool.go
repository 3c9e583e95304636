package dbconn

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

// txPool is the connection of one transaction as gorm sees it.
type txPool interface {
	gorm.ConnPool
	// Announce asks that [DB.Commits] be received once this is committed.
	Announce()
}

var errNested = errors.New("dbconn: the transaction is ended by Write, not by its fn")

// nested makes gorm see a transaction, so that its own Transaction method uses
// savepoints instead of a BEGIN.
type nested struct{}

func (nested) Commit() error   { return errNested }
func (nested) Rollback() error { return errNested }

// pgTx is a transaction of PostgreSQL.
type pgTx struct {
	*sql.Tx
	announced bool
}

func (t *pgTx) Commit() error   { return errNested }
func (t *pgTx) Rollback() error { return errNested }
func (t *pgTx) Announce()       { t.announced = true }

// liteTx is the writing connection of SQLite while one write has its turn. Its
// statements ignore the end of a ctx: SQLite answers an interrupted statement by
// rolling back the whole transaction, with all the other writes in it.
type liteTx struct {
	nested
	conn      *sql.Conn
	announced bool
}

func (t *liteTx) Announce() { t.announced = true }

func (t *liteTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return t.conn.PrepareContext(context.WithoutCancel(ctx), query)
}

func (t *liteTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.conn.ExecContext(context.WithoutCancel(ctx), query, args...)
}

func (t *liteTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(context.WithoutCancel(ctx), query, args...)
}

func (t *liteTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.conn.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}

var (
	_ txPool           = (*pgTx)(nil)
	_ txPool           = (*liteTx)(nil)
	_ gorm.TxCommitter = (*pgTx)(nil)
	_ gorm.TxCommitter = (*liteTx)(nil)
)
