// Package dbconn opens the database, SQLite in a file or PostgreSQL, brings its
// schema up to date, and gives both the same two doors: Read for queries and Write
// for transactions. Stores are written once and run on either.
//
// # What it promises
//
//   - When [DB.Write] returns nil, what its function wrote survives the power going
//     out. When it returns an error or panics, nothing of it stays, with one
//     exception: an error of the commit itself may leave it unknown, as with any
//     database that is reached over a network.
//   - One write's error, panic or cancellation disturbs no other write.
//   - A duplicate key is gorm.ErrDuplicatedKey on both.
//   - [DB.Commits] is received soon after a transaction that appended to the outbox
//     was committed, in this process or, on PostgreSQL, in any.
//   - No parameter of a statement and no password is logged or put into an error.
//
// # What it does not promise
//
// The function given to Write may run several times. Reads are not part of a Write
// unless they use its ctx. SQLite is for one process at a time; a second one (a
// command beside the server) works, but wakes nobody.
//
// # How it fails
//
// SQLite: a full disk or a lost transaction fails every write of the group with
// the same error, and the writer goes on. PostgreSQL: a serialization failure, a
// deadlock or a connection lost before the commit is tried again with growing
// pauses, for about three seconds; statements, locks and idle transactions have
// time limits. A query outside a transaction is not tried again. The error of a
// server that stays away has a method Unavailable() bool, as [ErrClosed] has.
// While LISTEN does not work, Commits polls.
//
// # Decisions
//
//   - SQLite has one connection that writes and a goroutine that owns it. Writes
//     that wait share a transaction, each behind a savepoint, and so share one
//     fsync: group commit. 64 clients made six to nine times the changes per second
//     of one client on two busy cores (BenchmarkDB_Write). A group waits, for a
//     millisecond at most, only for as many writers as the group before it had; a
//     lone writer never waits.
//   - The function runs on its caller's goroutine, so that a panic, a
//     runtime.Goexit and a trace belong to the caller. Its turn begins with its
//     first statement and the writer stands by until it returns: what is computed
//     before that holds nobody up.
//   - Statements of a write ignore the end of its ctx on SQLite: an interrupted
//     statement rolls back the transaction of the whole group. The end of the ctx
//     takes effect before and after the function instead.
//   - A write that fails behind others of its group is answered with their commit:
//     a duplicate, such as a copy of a bank's callback that is told "we have it",
//     must not be one of something that a power cut still takes away.
//   - synchronous=FULL. In WAL mode NORMAL loses the last commits with the power,
//     and their events may have been announced.
//   - The NOTIFY of PostgreSQL is sent after the commit, not in the transaction:
//     there it would serialize all commits (see news). A crash between the two
//     costs one slow poll of the relay and loses nothing.
//   - Behind a PgBouncer in transaction mode (the tests run one), put
//     default_query_exec_mode=cache_describe into the URL, or statements that were
//     prepared on one connection are looked for on another. LISTEN needs a direct
//     address ([Options].ListenURL); without one, Commits polls, and says so in the
//     log. The lock of the migrations belongs to a transaction and so works there.
//     The time limits are set by each of our connections on whatever connection of
//     the server it meets: where they must hold without fail, ALTER ROLE sets them.
//   - Every package has its own version table, so that packages do not number their
//     migrations after each other.
//   - A joined Write that is the first statement of its transaction has no savepoint:
//     going back to the beginning undoes as much. Savepoints keep what they undo in
//     SQLite's memory, not in a file of its own (temp_store).
//   - 16 connections to PostgreSQL: more writers than that wait in the pool instead
//     of for each other's locks, and six processes fit a server's usual hundred.
//
// gorm is the access that the stores use; its SQLite driver runs on
// modernc.org/sqlite, which needs no cgo; pgx speaks to PostgreSQL and hears its
// notifications; goose runs the migrations without global state.
package dbconn
