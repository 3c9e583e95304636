package orders

import (
	"context"
	"time"

	"tracker/notify/eventwire"
)

// Archive is the part of a store where orders lie that ended long ago. They are
// found there by their id, their reference and their parcels, and come back by
// themselves when something changes about them after all.
type Archive interface {
	// Old lists orders of every merchant by id: those after the id given, made
	// before until (an id as well), in a final status, unchanged since the time.
	Old(ctx context.Context, after, until string, unchanged time.Time, limit int) ([]Order, error)
	// Retire moves orders into the archive, in one transaction, and says how many:
	// one that was changed since it was read stays.
	Retire(ctx context.Context, list []Order) (int, error)
}

const (
	retireEvery = 10 * time.Minute
	retirePage  = 100
)

// RunRetention retires orders that are closed and were not touched for as long as
// keep, until ctx ends. Several processes may run it. Errors of the database are
// logged and tried again.
func (s *Service) RunRetention(ctx context.Context, a Archive, keep time.Duration) error {
	for ctx.Err() == nil {
		if _, err := s.Retire(ctx, a, keep); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "retiring old orders", "error", err)
		}
		pause(ctx, min(retireEvery, keep))
	}
	return nil
}

// Retire moves every order that is due into the archive and says how many. It
// rests as long as it works, so that others get at the database too.
func (s *Service) Retire(ctx context.Context, a Archive, keep time.Duration) (int, error) {
	unchanged, after, retired := s.now().Add(-keep), "", 0
	until := eventwire.NewID(eventwire.PrefixOrder, unchanged)
	for ctx.Err() == nil {
		began := time.Now()
		list, err := a.Old(ctx, after, until, unchanged, retirePage)
		if err != nil || len(list) == 0 {
			return retired, err
		}
		after = list[len(list)-1].ID
		n, err := a.Retire(ctx, closed(list))
		retired += n
		if err != nil || len(list) < retirePage {
			return retired, err
		}
		pause(ctx, time.Since(began))
	}
	return retired, ctx.Err()
}

// closed are those of which nothing more is to come: no money on its way either.
func closed(list []Order) (done []Order) {
	for _, o := range list {
		if o.Closed() {
			done = append(done, o)
		}
	}
	return done
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
