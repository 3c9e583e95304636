package payments_test

import (
	"context"
	"sync/atomic"

	"tracker/payments"
)

// dyingStore writes nothing once the process is dead.
type dyingStore struct {
	payments.Store
	dead atomic.Bool
}

func (d *dyingStore) Update(ctx context.Context, merchant, order string, fn func(*payments.Ledger) error) error {
	if d.dead.Load() {
		return errDied
	}
	return d.Store.Update(ctx, merchant, order, fn)
}
