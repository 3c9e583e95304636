// Package drill kills, pauses and cuts the parts of a running tracker while
// thousands watch, and checks that the promises of the design hold: nothing
// accepted is lost, no sequence is missing, doubled or out of order at any
// watcher, nothing is announced that the database does not hold, and the money
// adds up.
//
// Everything runs on loopback in processes of its own: the built binary in its
// roles, a NATS cluster of three, a new PostgreSQL, the sandbox bank and, for the
// rolling restart, nginx. It drives them as anybody would, over HTTP, SQL and
// signals, and imports nothing of what it checks: a checker that shared code with
// its subject would share its mistakes.
//
// # How it judges
//
// A [History] takes every answer that the API gave with success, and every event
// at every watcher. After each drill the load rests, what was broken is healed, and
// the history is held against what the database has by then: see [History.Verify].
// Faults that are still there when patience ends are the result. How long things
// took is told and never judged, except where a drill's promise is a time.
//
// # What is real, and what is not
//
//   - Faults of the network are those of a TCP proxy between any two parts (see
//     [Link]), not of packets: loss shows as stalls and resets, which is all that a
//     program above TCP can see of it.
//   - PostgreSQL runs without fsync. Its processes die, the machine does not, so
//     what it wrote survives; what a power cut does is not drilled.
//   - A clock is wrong for one process only in what it reads as the time of day.
//     Timers run on, as they do when an operator sets a clock.
//   - The disk that fills up is a tmpfs, which takes root to mount.
//
// # Decisions
//
//   - Watchers are bare sockets with a small buffer and one goroutine each, so that
//     ten thousand fit beside what they watch. They go from one notify process to
//     the other at each reconnect: nothing may stick.
//   - Every write is repeated under its Idempotency-Key until it is answered.
//     Thereby an accepted write is one effect exactly, and the checker counts both
//     ways: less is lost, more is doubled.
//   - Each pair of parts has a proxy of its own, so that one process can lose the
//     database while its twin keeps it. NATS servers announce no addresses, or
//     everybody would soon go around the proxies.
//   - Children die with their parent (PR_SET_PDEATHSIG on Linux): a drill that is
//     killed itself leaves nothing behind.
//   - A watcher that is refused comes back later each time, from half a second to
//     eight, as clients do. At a constant pace a few thousand keep a small machine
//     from ever answering again, which is no fault of what is drilled.
//   - A client's p99 under attack is measured up to three times, and the best counts:
//     the machine attacks itself, and has other things to do.
//   - x/sys mounts the small file system; dbconn opens the database, and nothing else
//     of the product is imported.
package drill
