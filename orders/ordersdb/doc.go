// Package ordersdb keeps orders in SQLite or PostgreSQL, through GORM.
//
// # What it promises
//
//   - A change is one transaction: the order's row, its transitions, what they
//     brought, and their events in the outbox. All of it or nothing.
//
//   - The order's row is written only where its sequence is still the one that
//     the change was decided on ("UPDATE … WHERE id = ? AND sequence = ?"). Zero
//     rows is orders.ErrStale, never silence.
//
//   - An order is read in one snapshot, so that its sequence, its timeline and
//     its parcels belong together.
//
//   - A number of orders is read in a fixed number of statements.
//
//   - It takes part in a transaction that ctx carries.
//
//   - An order in the archive is read like any other, by its id, its parcels and
//     its reference, and is put back into the tables by the first change of it, in
//     the transaction of that change.
//
// # What it does not
//
// It decides nothing. Statuses and who acts next are stored as the domain derived
// them, so that lists can be filtered by them.
//
// # How it fails
//
// orders.ErrNotFound, orders.ErrStale, or the database's error, wrapped with what
// was being done.
//
// # Decisions
//
//   - Row structs are not the domain's types: a column can change without a
//     promise to anybody. Times are integers, milliseconds since 1970, because
//     both databases then compare and store them alike.
//   - The list goes by id: ids sort by creation, so "after this id" is a cursor
//     that no insert can shift.
//   - Inserts of several rows are one statement each; there are no foreign keys,
//     because all rows of an order are written by this one package in one
//     transaction, and creating an order has to be cheap.
//   - The archive is one row per order with all its rows as JSON: old orders then
//     cost the hot tables and their indexes nothing, and what comes out is what went
//     in. Lists and counts leave it out; a reference that is asked for does not.
//     The payments' own tables stay whole, since money is accounted for longer than
//     parcels are watched; a refund of an archived order thaws it.
//   - gorm, because the house stores everything through it; txoutbox, because an
//     event belongs into the transaction of its change.
package ordersdb
