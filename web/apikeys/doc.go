// Package apikeys knows the merchants and their API keys: who a key belongs to,
// what it may do, and how a key is made, found, used and revoked.
//
// It promises that a key is shown once and kept only as a keyed hash, that test
// and live keys never reach the same data (each mode of a merchant has its own
// mer_ id, and data is only ever looked up by that id), and that a revoked key
// stops working in every process within [Options.Slow], 5 seconds, and its open
// streams end within that and the interval of [Service.RunRevocations]. It does
// not limit rates and knows nothing of HTTP.
//
// Verify fails with [ErrUnknownKey] for every key that is not good, whatever is
// wrong with it. A key in use costs one query in [Options.Fresh], 2 seconds, which
// is begun before it is needed, so that nobody waits for it; at most 20,000 ids are
// remembered. A store that takes long is waited for a quarter of a second while
// the key was good within Slow. A store that is away is another error, except for
// keys that were good within the last [Options.Stale]: those go on working, so
// that watching does not end with the database, and after the first failure
// nobody waits for it to happen again.
//
// # Decisions
//
//   - A key carries a public id, 256 random bits and a checksum. The id finds
//     the row, the checksum refuses typing errors and random guesses without
//     asking the store, and the prefix lets secret scanners find a leak.
//   - The hash is HMAC-SHA-256 with a pepper derived from the token secret: the
//     key has full entropy, so a slow hash would only slow us down. Several
//     secrets: the first one hashes new keys, all verify, and a key that an older
//     one proved gets its hash under the first with the next note of its use.
//   - The last use is noted at most once a minute and written behind the
//     request's back, by [Service.RunUse]: no request waits for it.
//   - otter bounds the cache: it stays small under a million different keys.
//   - A version counts what was decided about a merchant or a key, so that a change can
//     insist on what its maker saw. It is compared and raised in the same UPDATE, of a
//     row that is locked before: a change that insists on nothing never fails by it.
package apikeys
