package orders

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const sweepPage = 100

// RunSweeper expires orders that were not paid in time, until ctx ends. Several
// processes may run it: a compare-and-set decides who expires an order. Errors
// of the database are logged and tried again.
func (s *Service) RunSweeper(ctx context.Context) error {
	ticker := time.NewTicker(s.sweepEvery)
	defer ticker.Stop()
	for {
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "expiring unpaid orders", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Sweep expires every order that is due now and says how many it expired. One that
// cannot be expired holds up none of the others; its error is returned in the end.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	expired := 0
	for ctx.Err() == nil {
		list, err := s.store.Unpaid(ctx, s.now(), sweepPage)
		if err != nil {
			return expired, err
		}
		moved := 0
		var failed []error // those of a page before come again in this one
		for _, ref := range list {
			done, err := s.expire(ctx, ref)
			switch {
			case ctx.Err() != nil:
				return expired, err
			case err != nil:
				failed = append(failed, fmt.Errorf("orders: expire %s: %w", ref.ID, err))
			case done:
				moved++
			}
		}
		expired += moved
		// A full page of orders that others took meanwhile would come again at
		// once; the next tick is soon enough.
		if len(list) < sweepPage || moved == 0 {
			return expired, errors.Join(failed...)
		}
	}
	return expired, ctx.Err()
}

func (s *Service) expire(ctx context.Context, ref Ref) (bool, error) {
	_, changed, err := s.apply(ctx, ref.Merchant, ref.ID, 0, func(o Order) (Change, error) { return expire(o, s.now()) })
	var lost *ConflictError
	if errors.As(err, &lost) {
		return false, nil
	}
	return changed, err
}
