package payments_test

import (
	"context"
	"errors"
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

// frailStore lets the process die at its next write: in the transaction, which
// then never was, or behind it, so that nobody hears of what is stored.
type frailStore struct {
	payments.Store
	death death
}

type death int

const (
	alive death = iota
	beforeCommit
	afterCommit
)

var errCrash = errors.New("the process died here")

// die makes the death that was set come once.
func (f *frailStore) die(at death) error {
	if f.death != at {
		return nil
	}
	f.death = alive
	return errCrash
}

func (f *frailStore) Update(ctx context.Context, merchant, order string, fn func(*payments.Ledger) error) error {
	err := f.Store.Update(ctx, merchant, order, func(l *payments.Ledger) error {
		if err := fn(l); err != nil {
			return err
		}
		return f.die(beforeCommit)
	})
	if err == nil {
		err = f.die(afterCommit)
	}
	return err
}

func (f *frailStore) Receive(ctx context.Context, in payments.Inbound, fn func(*payments.Ledger, *payments.Inbound) error) (bool, error) {
	fresh, err := f.Store.Receive(ctx, in, func(l *payments.Ledger, in *payments.Inbound) error {
		if err := fn(l, in); err != nil {
			return err
		}
		return f.die(beforeCommit)
	})
	if err == nil {
		err = f.die(afterCommit)
	}
	return fresh, err
}
