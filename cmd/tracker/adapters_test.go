package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"tracker/notify/natsbus"
	"tracker/orders"
)

// failingStore is the database of orders that answers nothing but err.
type failingStore struct {
	orders.Store
	err error
}

func (s failingStore) Order(context.Context, string, string) (orders.Order, error) {
	return orders.Order{}, s.err
}

// What payments hears when orders cannot tell: whether that is a mistake or
// something that is away, on which side ever.
func TestOrderBook_tells_who_is_away(t *testing.T) {
	t.Parallel()
	bus, err := natsbus.Open(t.Context(), natsbus.Options{StoreDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Close() }()
	if _, err := (orderBook{bus}).Payable(t.Context(), "mer_1", "ord_01jd9zq3k4e8xv7t2m5n6p8r9s"); !isAway(err) {
		t.Errorf("nobody answers: %v", err)
	}
	for _, tt := range []struct {
		err  error
		away bool
	}{
		{fmt.Errorf("ordersdb: read: %w", awayError{"connection refused"}), true},
		{context.DeadlineExceeded, true},
		{errors.New("no such column"), false},
	} {
		stop, err := bus.Serve(t.Context(), askPayable, answerPayable(orders.NewService(failingStore{err: tt.err}, orders.Options{})))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (orderBook{bus}).Payable(t.Context(), "mer_1", "ord_01jd9zq3k4e8xv7t2m5n6p8r9s"); err == nil || isAway(err) != tt.away {
			t.Errorf("%v reached payments as %v", tt.err, err)
		}
		stop()
	}
}
