package natsbus

import (
	"context"
	"errors"

	"tracker/notify/eventwire"
)

// Follower is told what happens in the stream. Its functions are called one at a
// time, from one goroutine; a slow one only delays itself.
type Follower struct {
	// Subjects is the part of the stream to read. Empty is all of it.
	Subjects []string
	// Wants is asked of every message whether Event is to be told of it. Others are
	// passed over undecoded, as far as they can be told. Nil wants all.
	Wants func(eventwire.Key) bool
	// Event is every new message that is wanted, in stream order.
	Event func(streamSeq uint64, e eventwire.Event)
	// Passed is told of every message, wanted or not, how it came here, before
	// Event. It may be nil.
	Passed func(Passage)
	// Ready is called once: every message that is published from now on comes. It
	// may be nil.
	Ready func()
	// Gap is called when messages were or may have been missed, and after the
	// reader stands again: whoever now reads the newest state and then goes on with
	// Event has missed nothing. It may be nil.
	Gap func(reason string)
}

// Follow reads the feeds from now on until ctx ends, which is no error. A process
// needs one.
func (b *Bus) Follow(ctx context.Context, f Follower) error {
	stands := f.Ready
	for {
		from, err := b.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			b.log.WarnContext(ctx, "the stream cannot be followed; trying again", "error", err)
			sleep(ctx, rereadMax)
			continue
		}
		r := &reader{bus: b, subjects: f.Subjects, all: len(f.Subjects) == 0, incarnation: from.incarnation, last: from.CachedInfo().State.LastSeq}
		if r.all {
			r.subjects = []string{eventwire.Wildcard}
		}
		r.message = func(seq uint64, e eventwire.Event) error { f.Event(seq, e); return nil }
		r.wants, r.passed = f.Wants, f.Passed
		r.ready = func() {
			if stands != nil {
				stands()
			}
			stands = nil
		}
		err = r.run(ctx)
		var gap *GapError
		if !errors.As(err, &gap) {
			return err
		}
		b.log.WarnContext(ctx, "events may have been missed", "reason", gap.Reason)
		first := stands // a gap before the first session leaves Ready to be called
		stands = func() {
			if first != nil {
				first()
			}
			if f.Gap != nil {
				f.Gap(gap.Reason)
			}
		}
	}
}

// Bounds are the positions of the oldest and of the newest message in the stream.
// An empty one has first one behind last.
func (b *Bus) Bounds(ctx context.Context) (first, last uint64, err error) {
	s, err := b.look(ctx)
	if err != nil {
		return 0, 0, err
	}
	state := s.CachedInfo().State
	return state.FirstSeq, state.LastSeq, nil
}

// Scan calls fn for every message on subjects behind the position after and up to
// the position upTo, in stream order, and returns nil once there are no more of
// them, or when ctx ends. An error of fn ends it and is returned. A position that
// this stream cannot serve is [ErrBeyond] or [ErrPurged]; a *GapError says that
// something may have been missed on the way. Positions belong to an
// [Bus.Incarnation].
//
// Of each feed only the newest messages are held (64): a reader that is further
// behind than that misses some in the middle, never the newest.
func (b *Bus) Scan(ctx context.Context, subjects []string, after, upTo uint64, fn func(streamSeq uint64, e eventwire.Event) error) error {
	s, err := b.look(ctx)
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	switch {
	case after > state.LastSeq:
		return ErrBeyond
	case after > 0 && after+1 < state.FirstSeq:
		return ErrPurged
	case after >= upTo:
		return nil
	}
	r := &reader{bus: b, subjects: subjects, message: fn, incarnation: s.incarnation, last: after, upTo: upTo}
	return r.run(ctx)
}
