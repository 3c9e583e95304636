package webhooks

import (
	"context"

	"tracker/notify/eventwire"
)

// worker sends to one endpoint: several resources at once, each in order. All
// its fields but the channels belong to its own goroutine.
type worker struct {
	x     *sender
	id    string
	again chan struct{} // somebody queued something
	done  chan struct{} // one attempt ended

	pool     chan struct{} // where the slots held come from
	held     int           // slots that no attempt uses yet
	starved  bool          // there was no slot at all for the last claim
	inflight int
}

func (w *worker) run(claims, sends context.Context) {
	defer w.x.group.Done()
	defer w.x.retire(w, true)
	for claims.Err() == nil {
		started, ok := w.claim(claims, sends)
		if ok && w.starved {
			w.wait(claims)
			continue
		}
		w.giveBack()
		if started+w.inflight == 0 && w.x.retire(w, !ok) {
			return
		}
		select {
		case <-w.done:
			w.inflight--
		case <-w.again:
		case <-claims.Done():
		}
	}
	w.giveBack()
	for ; w.inflight > 0; w.inflight-- {
		<-w.done
	}
}

// claim leases as many deliveries as there are slots and starts an attempt for
// each. It reports false when the store failed; the next sweep starts again.
func (w *worker) claim(claims, sends context.Context) (started int, ok bool) {
	s := w.x.s
	now := s.now()
	w.starved = false
	token := eventwire.NewID("", now)
	until := now.Add(s.o.Timeout + s.o.Grace + leaseMargin)
	r, list, err := s.store.Claim(claims, w.id, token, now, until, w.reserve)
	if err != nil {
		if claims.Err() == nil {
			s.o.Logger.Error("webhooks: cannot claim deliveries", "endpoint", w.id, "error", err)
		}
		return 0, false
	}
	for _, d := range list {
		w.held--
		w.inflight++
		go func(pool chan struct{}) {
			s.deliver(sends, r, d, token)
			<-pool
			w.done <- struct{}{}
		}(w.pool)
	}
	return len(list), true
}

// reserve takes free slots for an endpoint without waiting and returns how many
// this worker holds. An endpoint in trouble gets one at a time, from a pool of
// its kind. So does every endpoint while slots are short: many that begin to hang
// at the same moment must not take them all before they are known to fail.
func (w *worker) reserve(r Record) int {
	pool, most := w.x.healthy, w.x.s.o.PerEndpoint
	if r.Failures >= troubledAfter {
		pool, most = w.x.troubled, 1
	}
	if pool != w.pool {
		w.giveBack()
		w.pool = pool
	}
	for w.held < most-w.inflight {
		if len(pool) >= cap(pool)/2 && w.held+w.inflight > 0 {
			break // half of the slots are for endpoints that have none
		}
		select {
		case pool <- struct{}{}:
			w.held++
			continue
		default:
		}
		break
	}
	w.starved = w.held+w.inflight == 0
	return w.held
}

// wait blocks until the pool has a slot and keeps it for the next claim.
func (w *worker) wait(ctx context.Context) {
	select {
	case w.pool <- struct{}{}:
		w.held++
	case <-ctx.Done():
	}
}

func (w *worker) giveBack() {
	for ; w.held > 0; w.held-- {
		<-w.pool
	}
}

// deliver makes one attempt and records it.
func (s *Service) deliver(ctx context.Context, r Record, d Delivery, token string) {
	start := s.now()
	answer := s.post(ctx, r, d, start)
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	log := s.o.Logger.With("endpoint", r.ID, "event", d.EventID)
	if ctx.Err() != nil && !answer.ok() {
		// Cut off by the end of the process: no fault of the receiver.
		if err := s.store.Release(store, d, token, s.now()); err != nil {
			log.Warn("webhooks: cannot hand back a delivery; its lease will end", "error", err)
		}
		return
	}
	v := s.judge(r, d, answer, start)
	v.Token = token
	if err := s.store.Finish(store, v.Finished); err != nil {
		log.Error("webhooks: cannot record an attempt; it will be repeated", "error", err)
		return
	}
	s.tell(store, v, r, d)
}

// tell does what follows from a recorded attempt.
func (s *Service) tell(ctx context.Context, v *verdict, r Record, d Delivery) {
	log := s.o.Logger.With("endpoint", r.ID, "merchant", r.Merchant, "event", d.EventID)
	if v.State == GivenUp {
		log.Error("webhooks: delivery given up; it can be replayed", "tries", d.Tries+1)
	}
	if e := v.disabled; e.ID != "" {
		log.Error("webhooks: endpoint disabled", "reason", e.DisabledReason, "failing_since", e.FailingSince)
		s.o.Announce(e)
	}
	if v.recovered {
		// The receiver is back: what waits for its next attempt need not wait for hours.
		if err := s.store.Hasten(ctx, r.ID, s.now()); err != nil {
			log.Warn("webhooks: cannot hasten deliveries; they keep their times", "error", err)
		}
		s.sender.start(r.ID)
	}
}
