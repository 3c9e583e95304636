// Package webhooksdb keeps webhook endpoints, deliveries and attempts in SQLite
// or PostgreSQL. It implements [webhooks.Store] and promises what that promises.
//
// # Decisions
//
//   - A lane row per endpoint and resource holds the schedule and the lease.
//     Finding work is then one index range however long the queues are, and the
//     order within a lane needs no lock beyond the lane's row.
//   - The lane counts its pending deliveries by arithmetic on the row, never by
//     looking at the deliveries: under PostgreSQL's read committed a count in a
//     subquery may miss a row that commits at the same time, and the lane would
//     sleep with something in it.
//   - Times are unix milliseconds and 0 is "none": one comparison answers both
//     "is it set" and "is it over".
//   - Statements that must be atomic are SQL that both databases understand (ON
//     CONFLICT, RETURNING, row values); gorm maps the rows and holds the
//     transaction.
//   - Secrets are stored as they are, because signing needs them. Whoever can read
//     the database can sign; rotate them if it leaks.
package webhooksdb
