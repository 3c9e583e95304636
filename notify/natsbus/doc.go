// Package natsbus is the way of events between processes: one NATS JetStream
// stream with every feed in it, the consumers that read it, and the requests that
// roles ask each other. The server is a part of this process (Options.URL empty)
// or a cluster outside.
//
// # What it promises
//
//   - [Bus.Publish] returns nil when the stream holds every message; those of one
//     subject stand in the order given, and an id that was stored in the last two
//     minutes is not stored again.
//   - [Bus.Follow] and [Bus.Scan] deliver every message in stream order, over
//     lost connections and changes of the leader. Where that is impossible, because
//     the stream lost something or was made anew, they say so: never silence.
//   - [Bus.React] calls its function for every event until it returns nil, on one
//     of the processes that share the durable name.
//   - [Bus.Last] asks the stream's leader, so it knows every acknowledged message.
//
// # What it does not promise
//
// The stream is not the truth: an acknowledged message may be lost with the power
// (the server syncs its files every few seconds), and the whole stream may be
// deleted. Both are repaired from the database: see [Bus.WasEmpty], [Bus.Restore],
// [Follower.Gap] and txoutbox.Repair. React repeats; its function must be
// idempotent, and an event that comes after a newer one of its feed must change
// nothing: with several processes, and after failures, that happens.
//
// # How it fails
//
// Open fails at once when the stream cannot be had. After that a lost server is
// waited for without limit: Publish and Last return errors meanwhile, readers and
// reactors resume, and [Bus.Healthy] tells.
//
// Waits, and what bounds them, where the other side died without a word:
//
//   - an acknowledgement of Publish: Timeout (5 s). A caller that waits for several
//     waits for the slowest, since they are under way together.
//   - messages that the stream is storing already, as a publisher that died may have
//     left them: Timeout once more, for all of them together. A stream that has lost
//     its quorum is in this state until it has one, or its leader gives up: the server
//     looks every 10 s whether others were silent for 10 s.
//   - a write to a server that reads nothing: Timeout, once the kernel's buffers are
//     full, and the connection is then given up.
//   - a connection that brings nothing at all: 4 to 6 s (two pings), then a server of
//     the list at a time, 250 to 500 ms apart, each with Timeout to answer.
//   - a reader whose consumer is gone, with the server that held it: 4 s (two
//     heartbeats), then three requests of Timeout at most, repeated after 50 ms to 2 s.
//   - an event that a dead reactor held: AckWait (10 s).
//   - a request to a role whose process is dead: nothing after a kill, since the
//     server sees the connection end. Where a whole machine vanished the server has to
//     find out: with ping_interval 5s and ping_max 2, as in config/deploy/nats.conf,
//     after 15 s, during which a request may meet the dead one and wait for Timeout.
//
// # Decisions
//
//   - A message carries when it was sent, in a header: with the server's own time of
//     storing it, a follower can tell which part of the way was slow ([Passage]).
//   - Not nats.go's ordered consumer: when the stream was deleted and made again
//     behind it, or lost its tail, it goes on at the new end without a word. The
//     reader here checks on every (re)connect that the stream is still the one it
//     read from and that the last message is still the one it had.
//   - AllowDirect is off. A direct read may be answered by a replica that lags, and
//     a watcher would start from an old state and think it newest.
//   - Messages of one subject are never in flight together. A message that must be
//     sent twice would otherwise land behind its successor.
//   - 64 messages are kept of each subject. One is enough to serve any cursor of a
//     feed; the others are for the firehose and for reactors that were away. Orders
//     and payments have a dozen transitions or two.
//   - A reactor keeps an event that failed and those of its feed behind it, and tells
//     the server that they are not lost. Given back, they would come again in any
//     order. As far as several processes react, and when one dies, order is not kept.
//   - Messages are kept for 30 days. What is older is asked of its owner.
//   - Files are synced every 10 s, not at every message: that would cost ten times
//     the latency for a copy of what the database has synced already.
//   - The embedded server has no port; we speak to it through memory. It is started
//     anew after a write that failed: a server that met a full disk refuses every
//     message from then on, also when there is room again.
//
// nats.go and nats-server are what the stream is; nothing else imports them.
package natsbus
