package natsbus

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

func newFeed() eventwire.Key {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return eventwire.Key{Merchant: eventwire.NewID(eventwire.PrefixMerchant, at), Kind: eventwire.Orders, ID: eventwire.NewID(eventwire.PrefixOrder, at)}
}

// next is the message of a feed with the sequence seq.
func next(t *testing.T, key eventwire.Key, seq int64) Message {
	t.Helper()
	var timeline []eventwire.Transition
	for i := range seq {
		timeline = append(timeline, eventwire.Transition{
			Seq: i + 1, Type: "order.created", To: "pending_payment", Cause: "merchant", At: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
		})
	}
	e, err := eventwire.New(key, key.ID, 0, false, timeline, map[string]any{"id": key.ID})
	if err != nil {
		t.Fatal(err)
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return Message{Subject: key.Subject(), ID: e.ID, Body: body}
}

// A stream that says for minutes to be storing an id already must not hold up all
// that comes after it: the message is in the stream afterwards, once.
func TestBus_settles_what_is_said_to_be_in_process(t *testing.T) {
	t.Parallel()
	b, err := Open(t.Context(), Options{StoreDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() }) // nothing of it is used any more
	key := newFeed()

	stored := next(t, key, 1)
	if err := b.Publish(t.Context(), []Message{stored}); err != nil {
		t.Fatal(err)
	}
	lost := next(t, key, 2)
	for name, m := range map[string]Message{"stored": stored, "lost": lost} {
		if err := b.settle(t.Context(), []Message{m}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := b.Count(t.Context()); err != nil || n != 2 {
		t.Errorf("the stream has %d messages, want 2: %v", n, err)
	}
	if e, found, err := b.Last(t.Context(), key); err != nil || !found || e.Seq != 2 {
		t.Errorf("the last is %d, %v, %v", e.Seq, found, err)
	}
}

// busy is a stream that says of every message that it is storing it, and of every
// subject that a message is on its way, for as long as it is asked.
type busy struct {
	jetstream.JetStream
	asked atomic.Int64
}

func (s *busy) PublishMsgAsync(*nats.Msg, ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	return refusal{}, nil
}

func (s *busy) PublishMsg(context.Context, *nats.Msg, ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	s.asked.Add(1)
	return nil, &jetstream.APIError{Code: 400, ErrorCode: wrongSequenceConstant, Description: "wrong last sequence"}
}

type refusal struct{ jetstream.PubAckFuture }

func (refusal) Ok() <-chan *jetstream.PubAck { return nil }

func (refusal) Err() <-chan error {
	err := make(chan error, 1)
	err <- &jetstream.APIError{Code: 409, ErrorCode: inProcess, Description: "duplicate message id is in process"}
	return err
}

// What the stream does not get done holds up a Publish for one Timeout, however many
// messages it is, and the stream is not asked without pause meanwhile.
func TestBus_waits_for_all_that_is_in_process_at_once(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	b, err := Open(t.Context(), Options{StoreDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() }) // nothing of it is used any more
	stream := &busy{JetStream: b.js}
	b.js = stream
	const orders = 12
	var list []Message
	for range orders {
		list = append(list, next(t, newFeed(), 1))
	}
	begun := time.Now()
	if err := b.Publish(t.Context(), list); err == nil {
		t.Error("it is published")
	}
	if took := time.Since(begun); took > orders/2*timeout {
		t.Errorf("it took %v for %d messages", took, orders)
	}
	if n := stream.asked.Load(); n > 20*orders {
		t.Errorf("the stream was asked %d times for %d messages", n, orders)
	}
}
