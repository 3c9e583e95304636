// Package eventwire is the form of every state change on its way from the
// database to whoever waits for it: the CloudEvents 1.0 envelope, the type
// names, the NATS subjects and the ids. It is a leaf: standard library only,
// so that every part of the house may speak it.
//
// A feed is generic: a kind ("order", "payment"), an id, a sequence that starts
// at 1 and has no holes, and an end. One message describes one transition and
// carries the newest summary of its resource and the whole timeline, so that
// the last message of a subject is enough to serve any cursor.
//
// # Decisions
//
//   - An event id is a function of the resource and the sequence ([EventID]).
//     A rebuilt stream therefore carries the same ids as the first one, and a
//     receiver that ignores ids it has seen is safe from both.
//   - merchant, owner, epoch and closed are CloudEvents extension attributes.
//     They are all that a feed needs to know about access and about its end,
//     so that nobody on the way has to look into data.
//   - What people receive is [Event.Public]: the same event without timeline.
//     A transition that was missed is delivered by [Event.At]: its own entry of
//     the timeline beside the newest summary, never a reconstructed old one.
//   - The trace that a change belongs to is in the envelope (traceparent, of
//     CloudEvents' distributed tracing extension) and so in the outbox's row, the
//     stream and every repair of it, with no column and no header to keep in step.
//     It is ours: people do not receive it.
//   - [Decode] reads what [Event.Encode] writes with a scanner of its own, a quarter
//     of encoding/json's time: every process with a feed reads every event. Any
//     other JSON goes the long way, and a fuzz test holds the two against each other.
//   - Ids are UUIDv7 in lower-case Crockford base32 behind a prefix that tells
//     the kind. They sort by creation, which keeps index pages hot.
package eventwire
