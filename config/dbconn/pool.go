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
	// Beginning is the statement that leads back to the beginning of the
	// transaction, or "" once a statement was made in it.
	Beginning() string
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
	announced, used bool
}

func (t *pgTx) Commit() error   { return errNested }
func (t *pgTx) Rollback() error { return errNested }
func (t *pgTx) Announce()       { t.announced = true }

func (t *pgTx) Beginning() string {
	if t.used {
		return ""
	}
	return "ROLLBACK AND CHAIN"
}

func (t *pgTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	t.used = true
	return t.Tx.PrepareContext(ctx, query)
}

func (t *pgTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	t.used = true
	return t.Tx.ExecContext(ctx, query, args...)
}

func (t *pgTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	t.used = true
	return t.Tx.QueryContext(ctx, query, args...)
}

func (t *pgTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	t.used = true
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// liteTx is one write's share of the writing connection of SQLite: nothing until
// its first statement, which waits for its turn. Its statements ignore the end of
// a ctx: SQLite answers an interrupted statement by rolling back the whole
// transaction, with all the other writes in it.
type liteTx struct {
	nested
	writer    *writer
	ctx       context.Context // of the write
	turn      *request        // nil before the first statement
	refused   error           // why there is no turn; kept, for a fn that goes on after it
	announced bool
}

func (t *liteTx) Announce() { t.announced = true }

func (t *liteTx) Beginning() string {
	if t.turn != nil {
		return ""
	}
	return "ROLLBACK TO " + turnPoint
}

// begin returns when it is the write's turn.
func (t *liteTx) begin() error {
	if t.turn == nil && t.refused == nil {
		t.turn, t.refused = t.writer.await(t.ctx)
	}
	return t.refused
}

func (t *liteTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := t.begin(); err != nil {
		return nil, err
	}
	return t.writer.conn.PrepareContext(context.WithoutCancel(ctx), query)
}

func (t *liteTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := t.begin(); err != nil {
		return nil, err
	}
	return t.writer.stmts.exec(context.WithoutCancel(ctx), query, args...)
}

func (t *liteTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.begin(); err != nil {
		return nil, err
	}
	return t.writer.conn.QueryContext(context.WithoutCancel(ctx), query, args...)
}

func (t *liteTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if t.begin() != nil { // a Row carries no error of ours: the connection's own for a ctx that has ended
		ended, cancel := context.WithCancel(ctx)
		cancel()
		return t.writer.conn.QueryRowContext(ended, query, args...)
	}
	return t.writer.conn.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}

// statements keeps what was executed on a connection prepared: parsing is a fifth
// of what a short write costs. Queries are left out, because two of the same text
// may be open at once and would share their place.
type statements struct {
	conn *sql.Conn
	byQ  map[string]*sql.Stmt
}

const maxStatements = 256

func (s *statements) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, ok := s.byQ[query]
	if !ok {
		var err error
		if stmt, err = s.conn.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
		if len(s.byQ) >= maxStatements {
			s.forget()
		}
		s.byQ[query] = stmt
	}
	return stmt.ExecContext(ctx, args...)
}

// forget begins anew: texts that are made up as they go must not fill the memory.
func (s *statements) forget() {
	for _, stmt := range s.byQ {
		_ = stmt.Close() // it is not in use
	}
	clear(s.byQ)
}

var (
	_ txPool           = (*pgTx)(nil)
	_ txPool           = (*liteTx)(nil)
	_ gorm.TxCommitter = (*pgTx)(nil)
	_ gorm.TxCommitter = (*liteTx)(nil)
)
