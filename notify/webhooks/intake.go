package webhooks

import (
	"context"
	"fmt"

	"tracker/notify/eventwire"
)

// OnEvent queues the event for every endpoint of its merchant that wants it. It
// is called by a durable consumer, in order per resource, and may be called
// again for the same event: an endpoint gets each event id once.
//
// An event from before an endpoint was created is not for it, and one that is
// older than the retention is for nobody: a stream that was deleted and rebuilt
// repeats them all.
func (s *Service) OnEvent(ctx context.Context, e eventwire.Event) error {
	now := s.now()
	if e.Time.Before(now.Add(-s.o.Retention)) {
		return nil
	}
	body, err := e.Public().Encode()
	if err != nil {
		return fmt.Errorf("webhooks: encode %s: %w", e.ID, err)
	}
	item := Item{Merchant: e.Merchant, EventID: e.ID, EventType: e.Type, Subject: e.Subject, Seq: e.Seq, Body: body, At: now}
	ids, err := s.store.Enqueue(ctx, item, func(p Endpoint) bool {
		return p.Wants(e.Type) && !e.Time.Before(p.CreatedAt)
	})
	if err != nil {
		return fmt.Errorf("webhooks: queue %s: %w", e.ID, err)
	}
	for _, id := range ids {
		s.sender.start(id)
	}
	return nil
}

const replayBatch = 500

// Replay sends again what was selected, under the same ids and in order per
// resource, and makes what is pending due now. It returns how many deliveries it
// touched. A replay that fails on the way may be repeated.
func (s *Service) Replay(ctx context.Context, merchant, id string, r ReplayRequest) (int, error) {
	record, err := s.store.Get(ctx, merchant, id)
	if err != nil {
		return 0, err
	}
	switch {
	case record.Status == Disabled:
		return 0, &ConflictError{Code: "endpoint_disabled", Detail: "enable the endpoint first", Status: string(Disabled)}
	case r.Since.IsZero() && len(r.EventIDs) == 0:
		return 0, invalid("/since", "required", "give since or event_ids")
	case len(r.EventIDs) > replayBatch:
		return 0, invalid("/event_ids", "out_of_range", fmt.Sprintf("at most %d", replayBatch))
	}
	total, after := 0, ""
	for {
		n, next, err := s.store.Requeue(ctx, id, r, Page{After: after, Limit: replayBatch, Now: s.now()})
		total += n
		if err != nil || next == "" {
			s.sender.poke()
			return total, err
		}
		after = next
	}
}
