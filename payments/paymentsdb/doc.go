// Package paymentsdb keeps the ledgers of payments in SQLite or PostgreSQL.
//
// It promises what [payments.Store] asks for: an update of a ledger is one
// transaction with the events that announce it, two updates of one order never
// overlap, a callback is stored once and together with its effect, and a due
// payment is handed to one process at a time.
//
// It does not decide anything: what a fact means is the domain's business. It
// does not publish: the outbox does.
//
// It fails with the domain's errors, else with the database's, wrapped. A lost
// compare-and-set is tried again here a few times, and is [ErrStale] after that.
//
// # Decisions
//
//   - The row of the order (payment_orders) is locked first and always, so that
//     all payments of an order change one after the other and nothing can
//     deadlock. The compare-and-set on its version and on each payment's sequence
//     and revision holds even where a database ignores the lock (SQLite, whose
//     single writer makes it needless).
//   - The sums of refunds are computed by the database from the rows of the
//     refunds, and a CHECK refuses them when they exceed what was captured. A
//     mistake of ours, or another program's, cannot refund too much.
//   - Times are milliseconds since 1970 as integers, which both databases
//     compare alike.
//   - gorm is the house's way to the database. It is used for rows and plain
//     conditions; where a statement must be exact, it is written out.
package paymentsdb
