package natsbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 2 * time.Second // silence of twice that is a lost reader
	inactive      = time.Minute     // after which the server forgets a reader that is gone
	rereadMin     = 50 * time.Millisecond
	rereadMax     = 2 * time.Second
)

// GapError says that a reader cannot know what it missed.
type GapError struct{ Reason string }

func (e *GapError) Error() string { return "natsbus: messages may be missing: " + e.Reason }

// ErrBeyond is what Scan says to a position that the stream has not reached.
var ErrBeyond = errors.New("natsbus: the position is beyond the end of the stream")

// ErrPurged is what Scan says to a position whose successors are gone.
var ErrPurged = errors.New("natsbus: the stream no longer holds what comes after the position")

// reader reads the stream in order from a position, for as long as it can prove
// that nothing is missing.
type reader struct {
	bus      *Bus
	subjects []string
	upTo     uint64                   // where to end; 0: never
	all      bool                     // subjects cover the stream, so its sequences follow each other
	wants    func(eventwire.Key) bool // nil: all
	message  func(seq uint64, e eventwire.Event) error
	passed   func(Passage) // may be nil
	ready    func()        // called once a consumer stands, before its first message

	incarnation string // "" before the first session
	last        uint64 // the stream sequence read last
	lastBody    []byte // and what it was, nil if unknown
}

// stopError carries the error of the reader's user out of a session.
type stopError struct{ error }

func (e stopError) Unwrap() error { return e.error }

// errDone ends a reader that has read all that it was to read.
var errDone = errors.New("natsbus: all is read")

// run reads until ctx ends (nil), the user's function fails (its error), or
// something may be missing (a *GapError). Everything else is tried again.
func (r *reader) run(ctx context.Context) error {
	pause := rereadMin
	for {
		before := r.last
		err := r.session(ctx)
		var stop stopError
		var gap *GapError
		switch {
		case errors.Is(err, errDone):
			return nil
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &gap):
			return gap
		}
		if r.last != before {
			pause = rereadMin
		}
		r.bus.log.DebugContext(ctx, "reading the stream anew", "error", err, "after", r.last)
		sleep(ctx, pause)
		pause = min(2*pause, rereadMax)
	}
}

// session reads with one consumer until that fails.
func (r *reader) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := r.bus.nextReconnect() // before anything is asked on this connection
	go func() {
		select {
		case <-lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	s, err := r.bus.look(ctx)
	if err != nil {
		return err
	}
	if err := r.continues(ctx, s); err != nil {
		return err
	}
	consumer, err := r.consumer(ctx)
	if err != nil {
		return err
	}
	defer r.forget(consumer)
	messages, err := consumer.Messages(jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return err
	}
	defer messages.Stop()
	if r.ready != nil {
		r.ready()
	}
	if r.upTo > 0 && consumer.CachedInfo().NumPending == 0 {
		return errDone
	}
	for delivered := uint64(1); ; delivered++ {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		if err := r.deliver(ctx, m, delivered); err != nil {
			return err
		}
	}
}

// continues checks that the stream is the one read before and has not forgotten.
func (r *reader) continues(ctx context.Context, s *streamState) error {
	state := s.CachedInfo().State
	if r.incarnation == "" {
		r.incarnation = s.incarnation
	}
	switch {
	case r.incarnation != s.incarnation:
		return &GapError{"the stream was made anew"}
	case state.LastSeq < r.last:
		return &GapError{"the stream lost its end"}
	case r.lastBody == nil:
		return nil
	}
	m, err := s.GetMsg(ctx, r.last)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // it has aged
	}
	if err == nil && !bytes.Equal(m.Data, r.lastBody) {
		return &GapError{"the stream lost its end and has grown since"}
	}
	return err
}

func (r *reader) consumer(ctx context.Context) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.last + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		FilterSubjects:    r.subjects,
		MaxDeliver:        1,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: inactive,
	}
	return r.bus.js.CreateConsumer(ctx, eventwire.Stream, config)
}

// forget spares the server the wait for a consumer that is no longer read.
func (r *reader) forget(c jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.bus.js.DeleteConsumer(ctx, eventwire.Stream, c.CachedInfo().Name) // else it goes after a minute
}

// deliver hands on one message if it is the next one. The consumer numbers what it
// sends, so that a message lost on the way shows in the number of the one after.
func (r *reader) deliver(ctx context.Context, m jetstream.Msg, want uint64) error {
	received := time.Now()
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	seq := meta.Sequence.Stream
	if r.upTo > 0 && seq > r.upTo {
		return errDone
	}
	switch {
	case meta.Sequence.Consumer != want:
		return fmt.Errorf("natsbus: delivery %d came as number %d", meta.Sequence.Consumer, want)
	case r.all && r.last > 0 && seq != r.last+1:
		return &GapError{"the stream has a hole"}
	}
	if err := r.hand(ctx, m, passage(m, meta, received), seq); err != nil {
		return stopError{err}
	}
	r.last, r.lastBody = seq, m.Data()
	if r.upTo > 0 && (seq == r.upTo || meta.NumPending == 0) {
		return errDone
	}
	return nil
}

// hand tells the user of a message, decoded if it is wanted. The error is the user's.
func (r *reader) hand(ctx context.Context, m jetstream.Msg, p Passage, seq uint64) error {
	if r.wants != nil {
		if head, ok := eventwire.Peek(m.Data()); ok && !r.wants(head.Key()) {
			r.pass(p, head.Time)
			return nil
		}
	}
	e, err := eventwire.Decode(m.Data())
	if err != nil {
		r.bus.log.ErrorContext(ctx, "a message in the stream is not an event; passed over", "seq", seq, "error", err)
		return nil
	}
	r.pass(p, e.Time)
	return r.message(seq, e)
}

func (r *reader) pass(p Passage, changed time.Time) {
	if r.passed != nil {
		p.Changed = changed
		r.passed(p)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
