package natsbus

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tracker/notify/eventwire"
)

// TestHost_starts_a_broken_server_anew breaks the server in the way that it says
// so itself: by a line in its log, after a write that failed.
func TestHost_starts_a_broken_server_anew(t *testing.T) {
	t.Parallel()
	b, err := Open(t.Context(), Options{StoreDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	put := func(id string) error {
		key := eventwire.Key{Merchant: eventwire.NewID(eventwire.PrefixMerchant, at), Kind: eventwire.Orders, ID: id}
		return b.Publish(ctx, []Message{{Subject: key.Subject(), ID: "evt_" + id, Body: []byte("{}")}})
	}
	if err := put(eventwire.NewID(eventwire.PrefixOrder, at)); err != nil {
		t.Fatal(err)
	}
	first := b.server.current()
	serverLog{slog.New(slog.DiscardHandler), nil, b.server.broken}.Errorf("JetStream stream '%s' critical write error: %v", "TRACKER", "no space left on device")
	for b.server.current() == first || b.server.current() == nil {
		select {
		case <-ctx.Done():
			t.Fatal("no other server was started")
		case <-time.After(10 * time.Millisecond):
		}
	}
	second := eventwire.NewID(eventwire.PrefixOrder, at) // the stream drops what came twice
	for put(second) != nil {
		select {
		case <-ctx.Done():
			t.Fatal("nothing can be published any more")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if n, err := b.Count(ctx); err != nil || n != 2 {
		t.Errorf("the stream has %d messages, want 2 (%v)", n, err)
	}
}

func (h *host) current() *server.Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.server
}
