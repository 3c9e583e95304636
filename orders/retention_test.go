package orders_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tracker/orders"
)

// shelf is an archive that remembers what it was asked and given.
type shelf struct {
	list    []orders.Order // by id
	retired []string
	asked   int
	fail    error
}

func (s *shelf) Old(_ context.Context, after, until string, _ time.Time, limit int) ([]orders.Order, error) {
	s.asked++
	if s.fail != nil {
		return nil, s.fail
	}
	list := slices.DeleteFunc(slices.Clone(s.list), func(o orders.Order) bool { return o.ID <= after || o.ID >= until })
	return list[:min(limit, len(list))], nil
}

func (s *shelf) Retire(_ context.Context, list []orders.Order) (int, error) {
	for _, o := range list {
		s.retired = append(s.retired, o.ID)
	}
	return len(list), nil
}

func TestRetention_goes_through_all_and_leaves_what_is_open(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), &shelf{}
		for i := range 250 {
			o := w.create()
			if i%2 == 0 {
				var err error
				if o, err = w.service.Cancel(t.Context(), merchant, o.ID, orders.Cancellation{}); err != nil {
					t.Fatal(err)
				}
			}
			o.ID = "ord_0" + o.ID[len("ord_"):] // long ago
			s.list = append(s.list, o)
		}
		slices.SortFunc(s.list, func(a, b orders.Order) int {
			if a.ID < b.ID {
				return -1
			}
			return 1
		})
		if n, err := w.service.Retire(t.Context(), s, time.Hour); n != 125 || err != nil || len(s.retired) != 125 || s.asked != 3 {
			t.Errorf("%d retired, %d asked, %v", n, s.asked, err)
		}
	})
}

func TestRetention_tries_again_and_ends_with_its_context(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{fail: errors.New("away")}
		service := orders.NewService(&memory{}, orders.Options{Logger: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- service.RunRetention(ctx, s, time.Hour) }()
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		if s.asked != 3 {
			t.Errorf("asked %d times", s.asked)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
