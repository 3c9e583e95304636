// Package webhooks tells merchants' own servers about every event: endpoints with
// filters and secrets, and signed requests that are repeated until they arrive.
//
// # What it promises
//
//   - At least once: an event that was taken in ([Service.OnEvent] returned nil)
//     is sent until the receiver answers 2xx or the schedule of about three days
//     ends. Always the same id and the same bytes, so a receiver that remembers
//     ids gets it exactly once.
//   - In order per order or payment: a later event of the same resource is not
//     sent to an endpoint before the earlier one has arrived or was given up.
//     Other resources and other endpoints do not wait.
//   - A gap can be seen: seq has no holes, and the header Tracker-Previous-Seq
//     names the event before, so that a filter does not look like a loss.
//   - Nobody pays for another's trouble: an endpoint has a bounded number of
//     attempts at once, one while it fails, and failing endpoints have slots of
//     their own. Every request ends within the time-out.
//   - Nothing ends silently: a delivery given up is logged and in the attempts, an
//     endpoint that has failed for days or answers 410 is disabled with a reason in
//     the API, an error in the log and a call of Options.Announce. What is pending
//     for it stays, and goes on in order when the merchant enables it.
//   - Requests go to public addresses over https only, unless Options.AllowPrivate.
//
// # What it does not promise
//
// Exactly once: a process that dies between a receiver's 2xx and its record sends
// again. An order between different resources. That a secret is kept from someone
// who can read the database.
//
// # How it fails
//
// While the database is away nothing is sent and OnEvent returns errors, so that
// its consumer keeps the events. A process that dies leaves leases behind, which
// end by themselves within a minute. A receiver's answer decides by its status
// alone; a body that never ends is cut off after two seconds.
//
// # Decisions
//
//   - The Standard Webhooks scheme is written here (signature.go), not taken from
//     its Go module: that one signs with one key and reads the machine's clock, and
//     rotation needs two keys and tests a clock that moves. The tests verify with
//     that module and with the npm packages standardwebhooks and svix.
//   - The schedule belongs to the head of a lane (endpoint × resource), so a long
//     queue behind a failure costs one row's attention, not one per event.
//   - The first success after a minute of failures makes everything due that waits
//     for its next attempt: whoever comes back after an hour should not wait ten.
//     Because this adds attempts, a delivery is given up by age, not by count.
//   - Retry-After of a 429 or 503 pauses the whole endpoint: it is the receiver who
//     is busy, not the event.
//   - The address is checked when it is dialled (net.Dialer.Control), because a
//     name may change its address between any earlier check and the connection.
//     The check of [Service.Create] is only there to say so at once.
//   - An event older than an endpoint, or than the retention, is not queued: a
//     rebuilt stream repeats everything that ever happened.
//   - A worker goroutine exists only for an endpoint with something to send; idle
//     endpoints cost a row. Events taken in by this process start it directly; a
//     sweep every few seconds finds what other processes left.
//   - An endpoint's version counts decisions (a change, a rotation, being disabled),
//     not the health of its deliveries: with a busy endpoint, whoever insists on the
//     version that they saw would otherwise always come too late.
//   - net/http is used directly. There is no third-party module here.
package webhooks
