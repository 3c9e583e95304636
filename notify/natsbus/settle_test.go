package natsbus

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

// A stream that says for minutes to be storing an id already must not hold up all
// that comes after it: the message is in the stream afterwards, once.
func TestBus_settles_what_is_said_to_be_in_process(t *testing.T) {
	t.Parallel()
	b, err := Open(t.Context(), Options{StoreDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() }) // nothing of it is used any more
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	id := eventwire.NewID(eventwire.PrefixOrder, at)
	key := eventwire.Key{Merchant: eventwire.NewID(eventwire.PrefixMerchant, at), Kind: eventwire.Orders, ID: id}
	var timeline []eventwire.Transition
	next := func() Message {
		timeline = append(timeline, eventwire.Transition{Seq: int64(len(timeline) + 1), Type: "order.created", To: "pending_payment", Cause: "merchant", At: at})
		e, err := eventwire.New(key, id, 0, false, timeline, map[string]any{"id": id})
		if err != nil {
			t.Fatal(err)
		}
		body, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return Message{Subject: key.Subject(), ID: e.ID, Body: body}
	}
	refused := &jetstream.APIError{Code: 409, ErrorCode: inProcess, Description: "duplicate message id is in process"}

	stored := next()
	if err := b.Publish(t.Context(), []Message{stored}); err != nil {
		t.Fatal(err)
	}
	lost := next()
	for name, m := range map[string]Message{"stored": stored, "lost": lost} {
		if err := b.settle(t.Context(), m, refused); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := b.Count(t.Context()); err != nil || n != 2 {
		t.Errorf("the stream has %d messages, want 2: %v", n, err)
	}
	if e, found, err := b.Last(t.Context(), key); err != nil || !found || e.Seq != 2 {
		t.Errorf("the last is %d, %v, %v", e.Seq, found, err)
	}
	other := errors.New("other")
	if err := b.settle(t.Context(), next(), other); !errors.Is(err, other) {
		t.Errorf("another error became %v", err)
	}
}
