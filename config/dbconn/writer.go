package dbconn

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// writer is group commit for SQLite: one goroutine that owns the only writing
// connection and lets many writes share one transaction and so one fsync. Each
// write has its turn behind a savepoint, on its caller's goroutine, so that its
// panic is its caller's and its error undoes only its own part.
type writer struct {
	conn      *sql.Conn
	stmts     *statements
	gather    time.Duration
	max       int
	announced func()

	queue   chan *request
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	commits atomic.Int64 // how many transactions were committed
	last    int          // how many writes the last group had: that many may be back soon
}

// request is one write that waits for its turn, has it, or waits for the commit.
type request struct {
	state    atomic.Int32
	turn     chan struct{} // the connection is the caller's, until result is sent
	result   chan error    // what became of its turn
	done     chan error    // what became of the commit
	announce bool
}

// The states of a request: whoever moves it away from waiting decides.
const (
	waiting int32 = iota
	taken
	abandoned
)

// turnPoint is the savepoint before which each write of a group begins.
const turnPoint = "w"

var errPanicked = errors.New("dbconn: the write panicked")

func startWriter(conn *sql.Conn, o Options, announced func()) *writer {
	w := &writer{
		conn: conn, stmts: &statements{conn, map[string]*sql.Stmt{}}, gather: o.Gather, max: o.Group, announced: announced,
		queue: make(chan *request), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// close ends the writer after the group it is at, and its connection with it.
func (w *writer) close() {
	w.once.Do(func() { close(w.stop) })
	<-w.stopped
}

// write runs fn and returns when what it did is durable or undone. fn begins at
// once and gets its turn with its first statement, so that what it computes
// before that keeps nobody waiting. The end of ctx takes effect until fn has
// returned; after that only the commit knows.
func (w *writer) write(ctx context.Context, fn func(txPool) error) error {
	select {
	case <-w.stop:
		return ErrClosed
	default:
	}
	tx := &liteTx{writer: w, ctx: ctx}
	err := errPanicked
	defer func() {
		if err == errPanicked && tx.turn != nil { // the writer is told in any case
			tx.turn.result <- err
		}
	}()
	result := fn(tx)
	if result == nil {
		result = cmp.Or(tx.refused, ctx.Err())
	}
	err = result
	if tx.turn == nil {
		return err
	}
	tx.turn.announce = tx.announced
	tx.turn.result <- err
	switch fate := <-tx.turn.done; {
	case fate == nil:
		return err
	case err == nil:
		return fate
	default: // not err: it may rest on what is now undone
		return fmt.Errorf("%w; before that, the write failed: %v", fate, err)
	}
}

// await returns the request when it is its turn.
func (w *writer) await(ctx context.Context) (*request, error) {
	r := &request{turn: make(chan struct{}, 1), result: make(chan error, 1), done: make(chan error, 1)}
	select {
	case w.queue <- r:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.stop:
		return nil, ErrClosed
	}
	select {
	case <-r.turn:
		return r, nil
	case err := <-r.done:
		return nil, err
	case <-ctx.Done():
	}
	if r.state.CompareAndSwap(waiting, abandoned) {
		return nil, ctx.Err()
	}
	select {
	case <-r.turn:
		return r, nil
	case err := <-r.done:
		return nil, err
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	defer func() { w.stmts.forget(); _ = w.conn.Close() }() // the pool reports it
	for {
		select {
		case r := <-w.queue:
			w.group(r)
		case <-w.stop:
			return
		}
	}
}

// group is one transaction: first and whoever comes while it is open.
func (w *writer) group(first *request) {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		first.refuse(fmt.Errorf("dbconn: begin: %w", err))
		return
	}
	var done []*request // those whose part stands
	var saw []*request  // those that failed after others of the group, perhaps because of what these wrote
	turns := 0
	for r := first; r != nil; r = w.next(turns) {
		turns++
		ok, err := w.turn(r)
		if err != nil {
			w.fail(append(append(done, saw...), r), err)
			return
		}
		switch {
		case ok:
			done = append(done, r)
		case len(done) > 0:
			saw = append(saw, r)
		default:
			r.done <- nil
		}
	}
	w.last = turns
	w.commit(done, saw)
}

// next is the next write of a group that has had n turns, or nil when it is time
// to commit: nobody waits, or those that the last group lets us expect did not
// come in time. A lone writer therefore never waits for company.
func (w *writer) next(n int) *request {
	if n >= w.max {
		return nil
	}
	select {
	case r := <-w.queue:
		return r
	default:
	}
	if n >= w.last {
		return nil
	}
	late := time.NewTimer(w.gather)
	defer late.Stop()
	select {
	case r := <-w.queue:
		return r
	case <-late.C:
	case <-w.stop:
	}
	return nil
}

// turn lets one request run behind its savepoint. An error means that the
// transaction itself is lost, and with it everybody in it.
func (w *writer) turn(r *request) (ok bool, err error) {
	if !r.state.CompareAndSwap(waiting, taken) {
		return false, nil
	}
	if err := w.exec("SAVEPOINT " + turnPoint); err != nil {
		return false, fmt.Errorf("dbconn: savepoint: %w", err)
	}
	r.turn <- struct{}{}
	if result := <-r.result; result != nil {
		if err := w.exec("ROLLBACK TO " + turnPoint); err != nil {
			return false, fmt.Errorf("dbconn: the transaction was lost to another write: %w", result)
		}
	} else {
		ok = true
	}
	if err := w.exec("RELEASE " + turnPoint); err != nil {
		return ok, fmt.Errorf("dbconn: release: %w", err)
	}
	return ok, nil
}

// commit answers a group. Who failed is answered with it: a duplicate is one only
// if what it duplicates is there to stay.
func (w *writer) commit(group, saw []*request) {
	if len(group) == 0 {
		_ = w.exec("ROLLBACK") // nothing was written; a failure shows at the next BEGIN
		return
	}
	if err := w.exec("COMMIT"); err != nil {
		w.fail(append(group, saw...), fmt.Errorf("dbconn: commit: %w", err))
		return
	}
	w.commits.Add(1)
	announce := false
	for _, r := range group {
		announce = announce || r.announce
		r.done <- nil
	}
	for _, r := range saw {
		r.done <- nil
	}
	if announce {
		w.announced()
	}
}

// fail undoes the transaction and tells everyone in it.
func (w *writer) fail(group []*request, err error) {
	_ = w.exec("ROLLBACK") // SQLite may have done so itself; a failure shows at the next BEGIN
	for _, r := range group {
		r.refuse(err)
	}
}

func (r *request) refuse(err error) {
	r.state.CompareAndSwap(waiting, taken)
	r.done <- err
}

func (w *writer) exec(query string) error {
	_, err := w.stmts.exec(context.Background(), query)
	return err
}
