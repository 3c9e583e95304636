// Package idempotency makes a request that is sent again have its effect once,
// and gives the second sender the first one's answer, in whatever process it
// arrives and whatever died in between.
//
// Two ways, by what the effect is:
//
//   - [Service.InOne]: the effect is in our database. Effect and answer are
//     written in one transaction, so there is no moment at which one of them
//     exists without the other.
//   - [Service.Leased]: the effect is at a bank. The key is claimed for a while,
//     the effect runs (it must be safe to run again under the same key), the
//     answer is stored. Who crashes in between leaves a claim that ends by
//     itself after ten seconds, since nobody renews it any more; the next request
//     with the key then runs the effect again.
//
// An answer is opaque bytes. It is kept for [Lifetime]. Only successes are
// kept: an error changed nothing, so the same key may try again once its cause
// is gone. Fails with [ErrRunning] while the first request has not been answered
// and [ErrMismatch] when the key was used for another request.
//
// # Decisions
//
//   - InOne runs the effect first and stores the answer last, in one statement
//     that finds out whether the key has an answer already; then the effect is
//     rolled back and the stored answer given. That is one statement per request
//     instead of three, and a request that is sent again is rare.
//   - The key of a row is a hash of owner and key: bounded, and of no use to who
//     reads the table. What the answer contains is the caller's to protect.
//   - Running requests are also known in memory, so that two hundred copies do
//     not queue for the database in order to learn that one is running.
package idempotency
