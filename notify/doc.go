// Package notify brings every change of a feed to whoever waits for it, over
// the transport that the client asks for, with one cursor for all of them.
//
// A feed is one resource's events with the sequence 1, 2, 3 … and an end
// ([tracker/notify/eventwire]). Nothing here knows what an order is. A
// [Notifier] is told by [Notifier.Publish] of every event that it awaits, asks a
// [Log] for what it does not have in memory, and serves plain http requests; who may see what
// is decided before, and comes as an [Access].
//
// # What it promises
//
//   - A watcher gets every event after its cursor in order, each once, or is cut
//     off and gets the rest when it resumes. It joins the hub first, then reads
//     the newest message, then goes live; joining and catching up happen under
//     one lock per feed, so that no change falls between.
//   - A cursor that the feed cannot have given out is answered with a reset and
//     everything from 1, never with silence.
//   - Nobody waits for a slow client. What it may hold is bounded: the kernel's
//     send buffer on a parked connection, 80 shared pointers through r3labs, 32 on
//     a WebSocket. Whoever is further behind is cut.
//   - What Publish costs depends on who watches that feed and not on how many
//     other feeds are watched: one map access where nobody does. Such an event need
//     not even be decoded ([Notifier.Awaits]).
//   - An event is encoded once, when the first client needs it. All transports
//     send parts of that one buffer.
//   - A token is checked against the epoch of its owner's newest event, when a
//     client comes and whenever a new epoch arrives. Open streams end with it.
//
// # What it does not promise
//
//   - That Publish sees everything. When the follower of the stream may have
//     missed messages, [Notifier.Resync] must be called. A message that jumps over
//     sequences is no harm: the missed ones are in its timeline.
//   - Heartbeats, lifetimes and parked connections without [Notifier.Run].
//   - A full answer to a revoked or unlucky parked poll: it ends with "no news",
//     and the next one gets the error from the edge.
//   - History on the firehose beyond what the stream still holds.
//
// # How it fails
//
// Where the log does not answer, feeds in memory go on, and the others are
// [ErrUnavailable]. Limits are [*LimitError], input that makes no sense is
// [*BadRequestError], and what somebody may not see is [ErrNotFound]. All errors
// are returned before a byte was written. After that, a failure is the end of
// the connection, and [Stats] counts why.
//
// # Short poll
//
// The client opens, asks and is answered at once; net/http keeps the connection
// for the next request. There is nothing to time out. Proxies treat it like any
// other request. It costs a request per question, and mostly a 304 without a
// body: with If-None-Match, which a browser sends by itself. News are late by
// half the interval. Choose it where a minute is soon enough, or where nothing
// else gets through. Retry-After says how often is polite. The status endpoint is
// the same with the smallest body.
//
// # Long poll
//
// The client opens and says how long it will wait, 1 to 60 s; the server answers
// when there is news, when the feed is closed, or when the time is over, with an
// empty list and the same cursor. A proxy must not have a shorter time-out than
// the wait: with nginx's 60 s, ask for 50. While it waits it costs about 1 KB on
// plain HTTP/1.1, where it is parked and the answer closes the connection, and
// about 20 KB elsewhere; and one request per change or per time-out. Choose it to
// wait for one answer, such as a bank's.
//
// # SSE
//
// The client opens with GET and keeps the response open; the server writes. The
// first bytes are a jittered reconnection time, so that a proxy passes the head on
// at once, then what was missed, then every change. A comment about every 15 s
// keeps proxies from closing the line (nginx closes after 60 s of silence) and
// lets a client notice that it is dead. The server ends a stream after 8 to 10
// minutes, on a deploy, for a revoked token, and when the feed is closed; the
// client reconnects by itself with its cursor, and a 204 stops it for good. A
// buffering proxy would hold events back, which the headers forbid. Browsers allow
// six HTTP/1.1 connections per host: share one between tabs or use HTTP/2. It
// costs about 1 KB per idle connection when parked, 30 to 40 KB otherwise, and
// one write per change. Choose it for pages that follow something: the default.
//
// # WebSocket
//
// The client opens with an upgrade, which some proxies must be told to pass on;
// the server writes each event as a text message. The client has nothing to say:
// a message from it ends the connection with 1008. The server pings every
// heartbeat and takes a missing answer for a dead client. Either side closes;
// the code says what to do: 4000 finished, do not return; 4001 too slow and 1001
// going away, resume; 4003 not allowed. Nothing reconnects by itself. It costs
// about as much as SSE through r3labs. Choose it where the program speaks
// WebSocket anyway.
//
// # Firehose
//
// SSE over everything that a merchant owns, in the order of the stream, with the
// stream's incarnation and sequence as its cursor; ?after=latest begins with what
// comes from now on. The first block has no data and sets the cursor, so that who is
// cut before its first event resumes as well. Each connection goes at its client's
// speed: it reads the log until it has caught up, and from then on shares one tail
// of at most 512 events per merchant; who falls behind that reads the log again, and
// who does not read at all is cut. For servers that want one connection for all,
// where a webhook cannot reach them.
//
// # Decisions
//
//   - Two SSE paths. r3labs/sse serves whatever connection there is, with one
//     stream per connection, since a shared stream waits for its slowest client
//     and races with reconnects. It costs four goroutines and 30 to 40 KB. A plain
//     HTTP/1.1 connection is therefore parked: hijacked, its descriptor
//     duplicated and the net.Conn closed, so that neither a goroutine nor the
//     runtime's poller nor a buffer is left. The choice follows the request
//     (no TLS, HTTP/1, hijackable, a *net.TCPConn) and shows in [Stats].
//     BenchmarkIdleMemory measures both.
//   - A parked write is non-blocking and whole or the end of the connection: an
//     SSE event without its blank line is ignored by every client, so a cut in
//     the middle loses nothing. History is written before parking, blocking with
//     a deadline, so an event larger than the send buffer still gets through
//     when the client resumes.
//   - The parked response is delimited by its connection and not chunked, so that
//     one buffer fits all clients. It is HTTP/1.1 with Connection: close.
//   - A hang-up of either half ends a stream, as net/http does it.
//     TCP_USER_TIMEOUT finds phones that vanished.
//   - The write happens in the fan-out, since it cannot block: a queue and a
//     goroutine in between would cost more than the system call.
//   - Memory of messages is bounded in bytes for the whole process, watched or
//     not; a topic that lost its message keeps its sequence, and the next reader
//     asks the log. 4 MiB by default: a cold read from an embedded stream
//     takes a tenth of a millisecond, and bytes per connection are what this
//     package is for.
//   - Eviction gives a second chance instead of keeping strict order, so that a
//     read sets a flag and moves nothing.
//   - The second lane that keyed values will need (newest wins, no cursor) is a
//     frame with seq 0: sinks take it as it is, and only catchUp counts.
//   - r3labs/sse because the house requires it; coder/websocket because it has no
//     dependencies and takes a context per call; x/sys for epoll and dup. Each is
//     imported in one place.
package notify
