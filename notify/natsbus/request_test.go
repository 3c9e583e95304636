package natsbus_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tracker/notify/natsbus"
)

func TestBus_Request(t *testing.T) {
	t.Parallel()
	b := embedded(t, t.TempDir())
	var gone interface{ Unavailable() bool }
	if _, err := b.Request(t.Context(), "ask.orders", nil); !errors.Is(err, natsbus.ErrNobody) || !errors.As(err, &gone) || !gone.Unavailable() {
		t.Errorf("nobody: %v", err)
	}
	stop, err := b.Serve(t.Context(), "ask.orders", func(_ context.Context, request []byte) ([]byte, error) {
		switch string(request) {
		case "bad":
			return nil, errors.New("it is bad")
		case "worse":
			panic("it is worse")
		}
		return append([]byte("re: "), request...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Request(t.Context(), "ask.orders", []byte("x")); err != nil || string(got) != "re: x" {
		t.Errorf("got %q, %v", got, err)
	}
	var remote *natsbus.RemoteError
	if _, err := b.Request(t.Context(), "ask.orders", []byte("bad")); !errors.As(err, &remote) || remote.Text != "it is bad" || errors.As(err, &gone) {
		t.Errorf("got %v", err)
	}
	if _, err := b.Request(t.Context(), "ask.orders", []byte("worse")); !errors.As(err, &remote) {
		t.Errorf("got %v", err)
	}
	stop()
	stop()
	if _, err := b.Request(t.Context(), "ask.orders", nil); !errors.Is(err, natsbus.ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
}

// A process that was told to end is asked until it stops serving.
func TestBus_Serve_answers_until_it_is_stopped(t *testing.T) {
	t.Parallel()
	b := embedded(t, t.TempDir())
	ctx, end := context.WithCancel(t.Context())
	stop, err := b.Serve(ctx, "ask.orders", func(ctx context.Context, _ []byte) ([]byte, error) { return []byte("yes"), ctx.Err() })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	end()
	if got, err := b.Request(t.Context(), "ask.orders", nil); err != nil || string(got) != "yes" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Nothing is answered once stop has returned, also while questions keep coming.
func TestBus_Serve_stops_amid_questions(t *testing.T) {
	t.Parallel()
	b := embedded(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				within, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
				_, _ = b.Request(within, "ask.orders", nil) // whether it is answered is luck
				cancel()
			}
		})
	}
	for range 300 {
		var stopped atomic.Bool
		stop, err := b.Serve(ctx, "ask.orders", func(context.Context, []byte) ([]byte, error) {
			if stopped.Load() {
				t.Error("answered after the end")
			}
			return nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		stopped.Store(true)
	}
	cancel()
	asking.Wait()
}

func TestBus_Request_to_a_server_that_is_away(t *testing.T) {
	t.Parallel()
	server := newOutside(t)
	b := open(t, server.options())
	server.stop()
	_, err := b.Request(t.Context(), "ask.orders", nil)
	var gone interface{ Unavailable() bool }
	if !errors.As(err, &gone) || !gone.Unavailable() {
		t.Errorf("got %v", err)
	}
}
