package notify_test

import (
	"testing"
	"time"

	"tracker/notify"
)

// What is measured are events that somebody watches, each once, and its moments
// follow each other.
func TestFannedOut_is_told_of_what_is_watched(t *testing.T) {
	t.Parallel()
	type moments struct{ came, first, last time.Time }
	told := make(chan moments, 8)
	r := setup(t, plain, func(o *notify.Options) {
		o.FannedOut = func(came, first, last time.Time) { told <- moments{came, first, last} }
	})
	unwatched, watched := newFeed(orderKey(1)), newFeed(orderKey(2))
	r.emitted(unwatched, 2)
	r.emitted(watched, 1)
	stream := r.watch(t, r.feedURL(watched.key, ""))
	stream.want("1")
	until(t, "it is live", func() bool { r.emitted(watched, 1); return len(told) > 0 })
	for len(told) > 0 {
		<-told
	}
	e := watched.next(false)
	r.emit(e)
	r.Publish(0, e) // a repetition is none
	m := <-told
	if m.came.IsZero() || m.first.Before(m.came) || m.last.Before(m.first) {
		t.Errorf("%+v", m)
	}
	if len(told) != 0 {
		t.Errorf("told %d times more", len(told))
	}
}
