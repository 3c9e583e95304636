// Command tracker is the whole product in one binary: the server in its roles,
// the sandbox bank, the tools that keep a deployment well, and a command line
// for merchants over the public API.
//
// Where to look: main.go and cli.go parse the command line; each command has a
// file of its own. process.go opens, serves and ends a process in order;
// wire.go builds the parts and says who hears whom; adapters.go holds the few
// places where two packages that must not know each other are joined.
//
// # A process, from start to end
//
// It takes its ports first, so that a second start fails at once, then opens
// the database and the stream, makes the stream whole from the database, and
// only then says that it is ready. On SIGTERM it stops being ready, closes its
// doors, lets open streams go over TRACKER_DRAIN, lets the background work
// finish what it is at, and closes what it opened, in reverse. Nothing depends
// on that: a kill -9 at any moment costs watchers a reconnect and nobody
// anything else.
//
// # Decisions
//
//   - kong reads the command line: flags, help and completion from one struct
//     per command. The settings themselves are read by package config, so that
//     flags, variables and defaults have one home.
//   - errgroup runs the parts side by side: the first that fails ends the
//     process, which is then started again by whoever supervises it. Parts that
//     can go on by themselves (a broker or a database that is away) do not fail.
//   - The embedded database and stream belong to one process; a lock on the data
//     directory says so. PostgreSQL and NATS are for more than one.
//   - Orders and payments ask each other over the bus even in one process: one
//     path, which every test exercises.
//   - coder/websocket and r3labs/sse are what the bench measures beside our own.
//   - watch, listen and events tail read feeds by a reader of our own
//     (feedreader.go): r3labs' client takes a clean end for the end of the feed.
//   - OpenTelemetry makes the traces, in trace.go and nowhere else: web, notify and
//     webhooks have a function each that is nil without a collector, banks are
//     called through a transport, and an event carries its traceparent in its
//     envelope, as a webhook's delivery does in its row. Nobody outside is told of
//     it. echo's own middleware would only do the first of these steps. Every
//     step is a child of the request that caused the change. A stranger's
//     traceparent is linked and not continued, and the share that is kept is
//     decided by the trace's id alone.
//   - The Standard Webhooks library checks signatures in receive, so that what
//     we sign is judged by somebody else's code.
package main
