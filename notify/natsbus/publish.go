package natsbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

// Message is one message for the stream.
type Message struct {
	Subject string
	ID      string // repetitions of it are dropped for two minutes
	Body    []byte
}

func (m Message) wire(sent string) *nats.Msg {
	return &nats.Msg{Subject: m.Subject, Data: m.Body, Header: nats.Header{jetstream.MsgIDHeader: {m.ID}, sentHeader: {sent}}}
}

// Publish stores all messages, those of one subject in the order given, and
// returns once every one is acknowledged. After an error any of them may be
// stored: publish all of them again.
func (b *Bus) Publish(ctx context.Context, messages []Message) error {
	for wave := messages; len(wave) > 0; {
		var later []Message
		wave, later = split(wave)
		if err := b.wave(ctx, wave); err != nil {
			return fmt.Errorf("natsbus: publish: %w", err)
		}
		wave = later
	}
	return nil
}

// split takes the first message of each subject; the others come after those are
// acknowledged.
func split(messages []Message) (now, later []Message) {
	if len(messages) == 1 {
		return messages, nil
	}
	busy := make(map[string]bool, len(messages))
	for _, m := range messages {
		if busy[m.Subject] {
			later = append(later, m)
			continue
		}
		busy[m.Subject] = true
		now = append(now, m)
	}
	return now, later
}

// wave publishes messages of different subjects at once and waits for all of
// them, also after an error: none may be on its way when they are sent again.
func (b *Bus) wave(ctx context.Context, messages []Message) error {
	futures := make([]jetstream.PubAckFuture, 0, len(messages))
	var failed error
	sent := strconv.FormatInt(time.Now().UnixMicro(), 10)
	for _, m := range messages {
		f, err := b.js.PublishMsgAsync(m.wire(sent))
		if err != nil {
			failed = err
			break
		}
		futures = append(futures, f)
	}
	var disputed []Message
	for i, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			if isInProcess(err) {
				disputed = append(disputed, messages[i])
			} else {
				failed = err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	failed = cmp.Or(failed, b.settle(ctx, disputed))
	if errors.Is(failed, jetstream.ErrNoStreamResponse) {
		_, err := b.look(ctx) // perhaps it is gone; then this makes it
		return errors.Join(failed, err)
	}
	return failed
}

// settle ends disputes over messages of different subjects whose ids the stream
// says to be storing already. It says so while they are on their way, which a
// publisher that died may have left them, and possibly for as long as it remembers
// ids, whether it has stored the message or not (nats-server 2.15). All of them are
// settled at once and within one Timeout: a stream without its quorum gets none done,
// and one after the other a batch would keep the relay for twenty minutes.
func (b *Bus) settle(ctx context.Context, disputed []Message) error {
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	failed := make([]error, len(disputed))
	var settling sync.WaitGroup
	for i, m := range disputed {
		settling.Go(func() {
			e, err := eventwire.Decode(m.Body)
			if err == nil {
				_, err = b.Restore(ctx, e)
			}
			failed[i] = err
		})
	}
	settling.Wait()
	return cmp.Or(failed...) // one is enough to say
}

func isInProcess(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == inProcess
}

// inProcess is the code of the server's answer to an id that it is storing.
const inProcess = 10158

// Restore puts an event into the stream if the stream has no message of its feed
// with this sequence or a later one, and reports whether it did. It never gets
// behind a newer message, whoever else publishes, and so is how a stream is filled
// from the database while it is in use.
//
// It carries no id: the relay may yet have to publish this event and earlier ones,
// and if the stream dropped this one as a repetition then, an earlier one would
// stay the last.
func (b *Bus) Restore(ctx context.Context, e eventwire.Event) (bool, error) {
	body, err := e.Encode()
	if err != nil {
		return false, fmt.Errorf("natsbus: restore %s: %w", e.Subject, err)
	}
	message := &nats.Msg{Subject: e.Key().Subject(), Data: body}
	pause := rereadMin / 4
	for {
		have, at, err := b.last(ctx, e.Key())
		if err != nil {
			return false, fmt.Errorf("natsbus: restore %s: %w", e.Subject, err)
		}
		if have.Seq >= e.Seq {
			return false, nil
		}
		_, err = b.js.PublishMsg(ctx, message, jetstream.WithExpectLastSequencePerSubject(at))
		switch {
		case isWrongSequence(err): // somebody published meanwhile, or a message is on its way
			sleep(ctx, pause)
			pause = min(2*pause, rereadMax)
			continue
		case err != nil:
			return false, fmt.Errorf("natsbus: restore %s: %w", e.Subject, err)
		}
		return true, nil
	}
}

func isWrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == wrongSequenceConstant)
}

// wrongSequenceConstant is what newer servers answer instead, without telling the
// sequence they have.
const wrongSequenceConstant = 10164

// Last is the newest message of a feed, or false where the stream has none.
func (b *Bus) Last(ctx context.Context, key eventwire.Key) (eventwire.Event, bool, error) {
	e, at, err := b.last(ctx, key)
	if err != nil {
		return eventwire.Event{}, false, fmt.Errorf("natsbus: last of %s: %w", key.ID, err)
	}
	return e, at > 0, nil
}

// last is the newest event of a feed and its stream sequence, 0 for none.
func (b *Bus) last(ctx context.Context, key eventwire.Key) (eventwire.Event, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	raw, err := b.stream.Load().GetLastMsgForSubject(ctx, key.Subject())
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return eventwire.Event{}, 0, nil
	}
	if err != nil {
		return eventwire.Event{}, 0, err
	}
	e, err := eventwire.Decode(raw.Data)
	return e, raw.Sequence, err
}
