package webhooks

import (
	"context"
	"fmt"
	"sync"

	"tracker/notify/eventwire"
)

// OnEvent queues the event for every endpoint of its merchant that wants it. It
// is called by a durable consumer, in order per resource, and may be called
// again for the same event: an endpoint gets each event id once.
//
// An event from before an endpoint was created is not for it, and one that is
// older than the retention is for nobody: a stream that was deleted and rebuilt
// repeats them all.
//
// A stream that lost messages, or was rebuilt, goes on with the newest event of
// a resource. What it passed over is taken from that event's timeline first, so
// that an endpoint misses none.
func (s *Service) OnEvent(ctx context.Context, e eventwire.Event) error {
	if !s.heard.follows(e.Subject, e.Seq) {
		for seq := int64(1); seq < e.Seq; seq++ {
			missed, ok := e.At(seq)
			if !ok {
				continue
			}
			if err := s.queue(ctx, missed); err != nil {
				return err
			}
		}
	}
	if err := s.queue(ctx, e.Public()); err != nil {
		return err
	}
	s.heard.note(e.Subject, e.Seq)
	return nil
}

// queue queues one public event.
func (s *Service) queue(ctx context.Context, e eventwire.Event) error {
	now := s.now()
	if e.Time.Before(now.Add(-s.o.Retention)) {
		return nil
	}
	wanted, err := s.wanted(ctx, e)
	if err != nil {
		return fmt.Errorf("webhooks: find who wants %s: %w", e.ID, err)
	}
	if len(wanted) == 0 {
		return nil // the usual case takes no transaction
	}
	body, err := e.Encode()
	if err != nil {
		return fmt.Errorf("webhooks: encode %s: %w", e.ID, err)
	}
	item := Item{Merchant: e.Merchant, EventID: e.ID, EventType: e.Type, Subject: e.Subject, Seq: e.Seq, Body: body, At: now, Trace: eventwire.TraceOf(ctx)}
	added, err := s.store.Enqueue(ctx, item, wanted)
	if err != nil {
		return fmt.Errorf("webhooks: queue %s: %w", e.ID, err)
	}
	for _, id := range added {
		s.sender.start(id)
	}
	return nil
}

// wanted names the endpoints that the event is for.
func (s *Service) wanted(ctx context.Context, e eventwire.Event) (ids []string, err error) {
	list, err := s.subscribers.of(ctx, e.Merchant)
	for _, p := range list {
		if p.Wants(e.Type) && !e.Time.Before(p.CreatedAt) {
			ids = append(ids, p.ID)
		}
	}
	return ids, err
}

// heard remembers how far this process has come with each resource. It only
// saves work: who is not remembered is taken from the beginning, and an endpoint
// gets each event once anyway. Safe for concurrent use.
type heard struct {
	mu   sync.Mutex
	last map[string]int64
}

// mostHeard bounds the memory: some 10 MB.
const mostHeard = 100_000

// follows reports whether seq is at most one further than what was heard.
func (h *heard) follows(subject string, seq int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return seq <= h.last[subject]+1
}

func (h *heard) note(subject string, seq int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil || len(h.last) >= mostHeard {
		h.last = make(map[string]int64)
	}
	h.last[subject] = max(h.last[subject], seq)
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
	if err := record.insist(r.IfVersion); err != nil {
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
