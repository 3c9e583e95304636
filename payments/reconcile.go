package payments

import (
	"context"
	"sync"
	"time"
)

// RunReconciler looks after every payment that is not closed until ctx ends: it
// asks, repeats what was decided and not answered, and lets time run out. It
// sleeps exactly until the next check is due, or until [Service.Wake].
func (s *Service) RunReconciler(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, s.opt.Workers)
	for ctx.Err() == nil {
		_, err := s.dispatch(ctx, slots, &running)
		if err != nil && ctx.Err() == nil {
			s.opt.Logger.Error("reconcile", "error", err.Error())
		}
		s.rest(ctx, err, len(slots) == cap(slots))
	}
	return nil
}

// Reconcile does everything that is due now, and returns how many payments it
// looked at. It is RunReconciler's work without the sleep.
func (s *Service) Reconcile(ctx context.Context) (int, error) {
	total := 0
	slots := make(chan struct{}, s.opt.Workers)
	for {
		var running sync.WaitGroup
		n, err := s.dispatch(ctx, slots, &running)
		running.Wait()
		total += n
		if n == 0 || err != nil {
			return total, err
		}
	}
}

// dispatch claims what is due and starts a worker for each, as far as the
// workers and the providers' rates allow.
func (s *Service) dispatch(ctx context.Context, slots chan struct{}, running *sync.WaitGroup) (int, error) {
	started := 0
	for name, pace := range s.pace {
		free := cap(slots) - len(slots)
		now := s.now()
		if free == 0 || now.Before(pace.next(now)) {
			continue
		}
		claimed, again, err := s.store.Claim(ctx, Claim{Provider: name, Now: now, Until: now.Add(s.opt.Lease), Limit: free, Rate: s.opt.Rate})
		if err != nil {
			return started, err
		}
		pace.spent(now, again)
		for _, due := range claimed {
			slots <- struct{}{}
			started++
			running.Go(func() {
				defer s.Wake()
				defer func() { <-slots }()
				s.lookAfter(ctx, due)
			})
		}
	}
	return started, nil
}

// lookAfter does the next thing for one claimed payment. When it fails the lease
// runs out, and another try follows.
func (s *Service) lookAfter(ctx context.Context, due Claimed) {
	p, err := s.store.Payment(ctx, due.Merchant, due.Payment)
	if err == nil {
		_, err = s.perform(ctx, p)
	}
	if err != nil {
		s.opt.Logger.Error("reconcile", "payment", due.Payment, "error", err.Error())
	}
}

// rest sleeps until something can be due. While all workers are busy nothing
// can be, until one of them is done and wakes it.
func (s *Service) rest(ctx context.Context, failed error, full bool) {
	wait := s.opt.Idle
	if failed != nil {
		wait = min(wait, time.Second)
	} else if !full {
		wait = min(wait, s.untilDue(ctx))
	}
	timer := time.NewTimer(max(wait, time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-timer.C:
	}
}

// untilDue is how long no provider has anything to be asked, or may be asked.
func (s *Service) untilDue(ctx context.Context) time.Duration {
	wait := s.opt.Idle
	for name, pace := range s.pace {
		at, any, err := s.store.NextDue(ctx, name)
		if err != nil {
			wait = min(wait, time.Second)
		} else if now := s.now(); any {
			wait = min(wait, max(at.Sub(now), pace.next(now).Sub(now)))
		}
	}
	return wait
}
