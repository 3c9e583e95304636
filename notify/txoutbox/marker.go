package txoutbox

import (
	"context"
	"sync"
	"time"
)

const (
	maxPending   = 4096            // published rows that may wait for their mark before the relay does
	finalMarking = 2 * time.Second // what a stopping relay spends on its last marks
)

// marker notes what was published, some time after: a mark is a write, and the
// next event should not wait for it. Rows published and not marked when the
// process dies are published again; the stream knows their ids.
type marker struct {
	r    *Relay
	full chan struct{}

	mu  sync.Mutex
	ids []int64 // published, not marked
}

func newMarker(r *Relay) *marker { return &marker{r: r, full: make(chan struct{}, 1)} }

// pending lists the rows that are published and not marked.
func (m *marker) pending() []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]int64(nil), m.ids...)
}

func (m *marker) published(batch []row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range batch {
		m.ids = append(m.ids, r.ID)
	}
	if len(m.ids) >= m.r.o.Batch {
		select {
		case m.full <- struct{}{}:
		default:
		}
	}
}

// await makes a relay that is far ahead of its marks wait for them.
func (m *marker) await(ctx context.Context) {
	for len(m.pending()) >= maxPending && ctx.Err() == nil {
		sleep(ctx, m.r.o.MarkEvery/4)
	}
}

// start marks until end is called, which waits for the last marks. It does not end
// with ctx, because the relay may still have to tell what it published last.
func (m *marker) start(ctx context.Context) (end func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for m.rest(quit) {
			m.mark(ctx)
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalMarking)
		defer cancel()
		m.mark(last)
	}()
	return func() { close(quit); <-done }
}

// rest waits until it is time to mark. It reports false when it is time to end.
func (m *marker) rest(quit <-chan struct{}) bool {
	timer := time.NewTimer(m.r.o.MarkEvery)
	defer timer.Stop()
	select {
	case <-quit:
		return false
	case <-m.full:
	case <-timer.C:
	}
	return true
}

func (m *marker) mark(ctx context.Context) {
	ids := m.pending()
	if len(ids) == 0 || ctx.Err() != nil {
		return
	}
	try, cancel := context.WithTimeout(ctx, m.r.o.Patience)
	defer cancel()
	if err := m.r.rows.mark(try, ids, m.r.o.Now()); err != nil {
		if ctx.Err() == nil {
			m.r.o.Logger.WarnContext(ctx, "published events were not marked; trying again", "error", err)
		}
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids = m.ids[len(ids):]
}
