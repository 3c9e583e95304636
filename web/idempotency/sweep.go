package idempotency

import (
	"context"
	"time"
)

const sweepBatch = 500

// RunSweeper deletes expired entries every interval until ctx ends.
func (s *Service) RunSweeper(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.sweep(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Service) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := s.store.Sweep(ctx, s.now(), sweepBatch)
		if err != nil {
			s.log.WarnContext(ctx, "expired idempotency keys not deleted", "error", err)
			return
		}
		if n < sweepBatch {
			return
		}
	}
}
