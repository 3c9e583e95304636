package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"tracker/notify/eventwire"
)

const resyncReads = 16 // reads of the log at once

// Resync must be called after Publish may have missed messages: the follower
// was made anew, or the stream itself was. Unwatched feeds are forgotten, and
// watched ones are read again; watchers get what they missed, or a reset where
// the feed went back, or are cut where it is gone. It returns the errors of the
// feeds that could not be read, for which it may be called again.
func (n *Notifier) Resync(ctx context.Context) error {
	n.tails.forget()
	var (
		mu     sync.Mutex
		failed []error
		all    sync.WaitGroup
		places = make(chan struct{}, resyncReads)
	)
	n.hub.all(func(t *topic) {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if err := n.resync(ctx, t); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	})
	all.Wait()
	return errors.Join(failed...)
}

// resync reads one feed again after messages may have been missed.
func (n *Notifier) resync(ctx context.Context, t *topic) error {
	if t.key.ID == "" {
		return nil // a merchant's firehose, which reads for itself
	}
	if !n.hub.held(t) {
		n.hub.keep(t, nil)
		return nil
	}
	e, found, err := n.log.Last(ctx, t.key)
	if err != nil {
		return fmt.Errorf("notify: read %s again: %w", t.key.ID, err)
	}
	if !found {
		n.lost(t)
		return nil
	}
	n.publish(t, e, t.behind(e))
	return nil
}

// behind reports whether the log's newest message is older than ours: the feed
// was restored from an earlier state.
func (t *topic) behind(e eventwire.Event) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return e.Seq < t.seq
}

// lost cuts everybody off a feed that exists no more. Who asks again is told.
func (n *Notifier) lost(t *topic) {
	t.mu.Lock()
	t.seq, t.epoch = 0, 0
	n.hub.keep(t, nil)
	gone := append(append([]*watcher(nil), t.watchers...), t.guards...)
	t.mu.Unlock()
	for _, w := range gone {
		n.end(w, unavailable)
	}
}
