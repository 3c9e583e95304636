// Package apikeysdb keeps merchants and API keys in SQLite or PostgreSQL. It
// promises what apikeys.Store says, in the transaction that ctx carries if
// there is one. It never sees a key, only its hash.
//
// It fails with apikeys.ErrNotFound for what is not there and otherwise with
// the database's error, wrapped.
//
// # Decisions
//
//   - Adding what is there already does nothing: a sandbox adopts its key at
//     every start, in several processes at once.
//   - Row structs are not the domain's: columns can change without it.
//   - gorm, because every store here shares its connection and transaction.
package apikeysdb
