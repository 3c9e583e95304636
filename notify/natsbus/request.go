package natsbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	queueGroup  = "tracker"
	failure     = "Tracker-Error" // the header of an answer that is an error
	serving     = 64              // requests of one subject answered at a time
	answerLimit = 10 * time.Second
)

// ErrNobody is what a request gets when no process serves its subject.
var ErrNobody = errors.New("natsbus: nobody answers")

// away is the error of a request that got no answer, for callers that must tell
// this from a mistake of ours and may not know whose error it is.
type away struct{ error }

// Unavailable reports that the same request may be answered later.
func (away) Unavailable() bool { return true }

func (e away) Unwrap() error { return e.error }

// RemoteError is the error of whoever answered.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }

// Serve answers requests on a subject until stop is called, which waits for the
// answers that have begun. The end of ctx ends nothing: a process that was told to
// go is asked until it does, and what it is asked it must be able to answer. Each
// request is answered by one of all processes that serve the subject. The text of
// fn's error goes to who asked: it must hold nothing secret.
func (b *Bus) Serve(ctx context.Context, subject string, fn func(ctx context.Context, request []byte) ([]byte, error)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	slots, stopped := make(chan struct{}, serving), make(chan struct{})
	sub, err := b.conn.QueueSubscribe(subject, queueGroup, func(m *nats.Msg) {
		select {
		case <-stopped:
			return
		case slots <- struct{}{}:
		}
		go func() {
			defer func() { <-slots }()
			b.answer(ctx, m, fn)
		}()
	})
	if err == nil {
		err = b.conn.Flush() // the server knows it before we say so
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("natsbus: serve %s: %w", subject, err)
	}
	return sync.OnceFunc(func() {
		_ = sub.Unsubscribe() // fails only on a closed connection, which asks no more
		close(stopped)
		for range serving { // a request that still comes in takes a slot before us, or none
			slots <- struct{}{}
		}
		cancel()
	}), nil
}

func (b *Bus) answer(ctx context.Context, m *nats.Msg, fn func(context.Context, []byte) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	answer := nats.NewMsg(m.Reply)
	body, err := guarded(func() ([]byte, error) { return fn(ctx, m.Data) })
	answer.Data = body
	if err != nil {
		b.log.WarnContext(ctx, "a request was answered with an error", "subject", m.Subject, "error", err)
		answer.Data = nil
		answer.Header.Set(failure, err.Error())
	}
	if err := m.RespondMsg(answer); err != nil {
		b.log.WarnContext(ctx, "an answer was not sent", "subject", m.Subject, "error", err)
	}
}

// guarded turns a panic into an error: one bad request must not end the process.
func guarded[T any](fn func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("natsbus: panic: %v", p)
		}
	}()
	return fn()
}

// Request asks whoever serves the subject and returns the answer, [ErrNobody], or
// a *[RemoteError]. Where there was no answer, the error has a method
// Unavailable() bool.
func (b *Bus) Request(ctx context.Context, subject string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	m, err := b.conn.RequestWithContext(ctx, subject, request)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, away{fmt.Errorf("%w on %s", ErrNobody, subject)}
	case err != nil:
		return nil, away{fmt.Errorf("natsbus: request %s: %w", subject, err)}
	case m.Header.Get(failure) != "":
		return nil, &RemoteError{m.Header.Get(failure)}
	}
	return m.Data, nil
}
