// Package txoutbox makes a change and its event one thing: [Append] writes the
// event as a row in the transaction of the change, and a [Relay] brings the rows
// to the stream. Nothing is announced that did not commit, and nothing that
// committed stays unannounced, whichever process dies when.
//
// # What it promises
//
//   - An event reaches the stream after its transaction committed, usually within a
//     millisecond: the commit wakes the relay.
//   - Events of one resource reach the stream in the order of their sequence,
//     through failures, restarts, and the death of the process that relays.
//   - A published row is kept for a day, so that [Repair] can give back to the stream
//     what it lost.
//
// # What it does not promise
//
// Exactly once. A process that dies between the stream's acknowledgement and the
// mark in the row, or loses its lease while it publishes, leaves rows that are
// published again. They carry the same id: the stream drops them within its
// window, and a reader ignores a sequence that it has.
//
// # How it fails
//
// While the stream or the database is away, rows wait; [Relay.Stats] shows how many
// and how old the oldest is. A message that the stream would refuse is refused by
// Append, with its transaction, because it would hold up all others.
//
// When the process that relays is killed, these waits follow each other until
// events flow again; none of them is longer than what is said here:
//
//   - its lease runs out: 2 s from the last renewal, which is at most half a second
//     before the kill. Its transactions end with its connections; a machine that
//     vanished cannot hold the lease's row either, as the claim is one statement.
//   - a standby looks: every half second. A question that is not answered within
//     2 s is given up, and with it the connection.
//   - the first batch: a read (5 s at most, usually a millisecond) and its
//     acknowledgement by the stream (natsbus, 5 s at most, usually some, and as much
//     again for what the dead process left on its way).
//   - what failed is repeated after 50 ms to 1.5 s.
//
// That is 3 s while database and stream answer. The commit's signal is not among
// them: who relays looks every second although nobody has signalled.
//
// # Decisions
//
//   - One process relays, chosen by a lease in the database; the others stand by and
//     take over within its two seconds, at once after an orderly end. Several lanes,
//     each with a lease of its own, would buy nothing: on two busy cores and
//     PostgreSQL one relay brought as many events per second to a stream on disk
//     (5,400 to 7,500) as 64 clients committed transactions with nothing in them but
//     the event (5,300 to 8,400, BenchmarkRelay), and five times what the same
//     database committed of orders (1,200 to 1,600, tracker bench orders). An event
//     costs the relay some 20 µs of CPU, where its order costs 600. What bounds one
//     relay is a batch of 256 per round trip, so a cluster that takes 10 ms to
//     acknowledge leaves 25,000 a second: the events of 50,000 orders a minute five
//     times over. Beyond that, Batch comes first.
//   - The lease, and not an advisory lock: that one stays with a process that is
//     stopped or unreachable for as long as TCP does, and needs a session, which a
//     PgBouncer does not give.
//   - On SQLite there is one process, and so no lease and no write to keep it.
//   - Rows are marked a little later than they are published, many at a time. A mark
//     is a write like any other and must not stand in the way of the next event.
//   - Rows are found by what is not marked, not by a position: on PostgreSQL a
//     transaction with a lower id may commit after one with a higher id.
//   - (resource, seq) is unique, and the event id with it, since it is computed from
//     the two; one index serves uniqueness and repair. The subject names merchant and
//     kind, so they have no columns.
//   - Repair does not publish. It puts rows back among the waiting ones, so that there
//     is one publisher and one order.
//
// gorm is what the transactions of the callers are made of.
package txoutbox
