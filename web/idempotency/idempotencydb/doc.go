// Package idempotencydb keeps idempotency keys and their answers in SQLite or
// PostgreSQL, in the same database as the effects. It promises what
// idempotency.Store says and fails with the database's error, wrapped.
//
// # Decisions
//
//   - One upsert decides who has a key; its condition is evaluated by the
//     database under the row's lock, so two processes cannot both win.
//   - Times are Unix milliseconds of the caller's clock. Clocks that differ by
//     more than a lease would let a claim be taken over early; the effect is
//     then repeated under the same key, which is safe.
//   - gorm, because every store here shares its connection and transaction.
package idempotencydb
