package orders_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tracker/orders"
)

func TestRunSweeper_expires_in_time_and_ends_with_its_context(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		s := orders.NewService(store, orders.Options{SweepEvery: 50 * time.Millisecond})
		w := &world{tb: t, store: store, service: s}
		in := w.newOrder()
		in.ExpiresIn = 120 * time.Millisecond
		o := w.must(s.Create(t.Context(), merchant, in))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.RunSweeper(ctx) }()
		<-time.After(119 * time.Millisecond)
		if got := w.get(o.ID); got.Status != orders.StatusPendingPayment {
			t.Errorf("before its time it is %s", got.Status)
		}
		<-time.After(50 * time.Millisecond)
		if got := w.get(o.ID); got.Status != orders.StatusExpired || !got.Closed() {
			t.Errorf("after it: %s", got.Status)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestRunSweeper_goes_on_after_an_error(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		store := &memory{}
		s := orders.NewService(store, orders.Options{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		w := &world{tb: t, store: store, service: s}
		in := w.newOrder()
		in.ExpiresIn = time.Millisecond
		o := w.must(s.Create(t.Context(), merchant, in))
		<-time.After(time.Millisecond)
		failed := false
		store.SaveFunc = func(orders.Change) error {
			if failed {
				return nil
			}
			failed = true
			return errors.New("the database is away")
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.RunSweeper(ctx) }()
		<-time.After(2 * orders.DefaultSweepEvery)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
		if got := w.get(o.ID); got.Status != orders.StatusExpired || !strings.Contains(lines.String(), "the database is away") {
			t.Errorf("%s, log %q", got.Status, lines.String())
		}
	})
}

// An order that cannot be expired, the longest overdue of all, is nobody else's
// trouble.
func TestSweep_goes_past_an_order_that_fails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stuck := w.create()
	for range 150 {
		w.create()
	}
	w.now = w.now.Add(orders.DefaultPayWithin)
	broken := errors.New("its message is too long")
	w.store.SaveFunc = func(c orders.Change) error {
		if c.Order.ID == stuck.ID {
			return broken
		}
		return nil
	}
	n, err := w.service.Sweep(t.Context())
	if n != 150 || !errors.Is(err, broken) || !strings.Contains(err.Error(), stuck.ID) {
		t.Errorf("%d expired, %v", n, err)
	}
}

func TestSweep_a_full_page_that_others_took_ends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 100 {
		w.create()
	}
	w.now = w.now.Add(orders.DefaultPayWithin)
	w.store.SaveFunc = func(orders.Change) error { return orders.ErrStale }
	if n, err := w.service.Sweep(context.Background()); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	w.store.SaveFunc = nil
	for range 20 {
		w.now = w.now.Add(-orders.DefaultPayWithin)
		w.create()
		w.now = w.now.Add(orders.DefaultPayWithin)
	}
	if n, err := w.service.Sweep(context.Background()); n != 120 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
