package notify

import (
	"context"
	"fmt"

	"tracker/notify/eventwire"
)

// meet returns a message of the feed that is not behind the cursor after, where
// there is one. Another process may have given that cursor out a moment before
// this one heard of the event: the copy in memory is then no reason for a reset,
// and the log is asked. Only what the log does not know is from another life.
func (n *Notifier) meet(ctx context.Context, a Access, s *snapshot, after int64) (*snapshot, error) {
	for range 2 { // a read that was under way may be older than the cursor; the next one is not
		if after <= s.seq() {
			return s, nil
		}
		read, err, shared := n.meets.Do(a.Key.Subject(), func() (any, error) { return n.reread(a.Key) })
		if err != nil {
			return nil, err
		}
		s = read.(*snapshot)
		if !shared {
			break
		}
	}
	return s, a.checkFeed(s)
}

// reread asks the log, on nobody's context, and tells whoever watches here what
// this process had not heard yet.
func (n *Notifier) reread(key eventwire.Key) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	t := n.hub.acquire(key)
	defer n.hub.release(t)
	n.count.coldReads.Add(1)
	e, found, err := n.log.Last(ctx, key)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: read %s: %w", ErrUnavailable, key.ID, err)
	case !found:
		return nil, ErrNotFound
	}
	n.publish(t, e, false)
	if s := t.snap.Load(); s != nil {
		return s, nil
	}
	return newSnapshot(e), nil
}
