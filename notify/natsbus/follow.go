package natsbus

import (
	"context"
	"errors"
	"math"

	"tracker/notify/eventwire"
)

// Follower is told what happens in the stream. Its functions are called one at a
// time, from one goroutine; a slow one only delays itself.
type Follower struct {
	// Event is every new message in stream order.
	Event func(streamSeq uint64, e eventwire.Event)
	// Passed is told before Event how the message came here. It may be nil.
	Passed func(p Passage, e eventwire.Event)
	// Ready is called once: every message that is published from now on comes. It
	// may be nil.
	Ready func()
	// Gap is called when messages were or may have been missed, and after the
	// reader stands again: whoever now reads the newest state and then goes on with
	// Event has missed nothing. It may be nil.
	Gap func(reason string)
}

// Follow reads every feed from now on until ctx ends, which is no error. A process
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
		r := &reader{bus: b, subjects: []string{eventwire.Wildcard}, all: true, incarnation: from.incarnation, last: from.CachedInfo().State.LastSeq}
		r.message = func(seq uint64, e eventwire.Event) error { f.Event(seq, e); return nil }
		r.passed = f.Passed
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

// End is the position of the newest message in the stream.
func (b *Bus) End(ctx context.Context) (uint64, error) {
	s, err := b.look(ctx)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.LastSeq, nil
}

// Live is the position after everything that the stream holds at the moment.
const Live uint64 = math.MaxUint64

// Replay calls fn for every message on subjects after a position (a stream
// sequence, 0 for the beginning, or [Live]), in stream order, and then for every new one, until
// ctx ends (nil) or fn returns an error, which it returns. A position that this
// stream cannot serve is [ErrBeyond] or [ErrPurged]; a *GapError says that something may have been
// missed on the way, and ends the replay. Positions belong to an [Bus.Incarnation].
//
// Of each feed only the newest messages are held (64): a reader that is further
// behind than that misses some in the middle, never the newest.
func (b *Bus) Replay(ctx context.Context, subjects []string, after uint64, fn func(streamSeq uint64, e eventwire.Event) error) error {
	s, err := b.look(ctx)
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	switch {
	case after == Live:
		after = state.LastSeq
	case after > state.LastSeq:
		return ErrBeyond
	case after > 0 && after+1 < state.FirstSeq:
		return ErrPurged
	}
	r := &reader{bus: b, subjects: subjects, message: fn, incarnation: s.incarnation, last: after}
	return r.run(ctx)
}
