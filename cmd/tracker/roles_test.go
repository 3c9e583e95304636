package main

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// TestRoles is one fleet, which is costly to start, and what it has to stand, one
// after the other.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	t.Run("the main path works, and any notify process serves any watcher", func(t *testing.T) { f.with(t).walkMainPath(t) })
	t.Run("a killed relay holder is replaced and nothing is lost", func(t *testing.T) { f.with(t).killRelays(t) })
	t.Run("every role restarted under 200 watchers", func(t *testing.T) { f.with(t).restartAll(t) })
	f.with(t)
}

func (f *fleet) walkMainPath(t *testing.T) {
	w := &walk{}
	var all []*follower
	for _, s := range mainPath() {
		s.do(f.front, w)
		if all == nil {
			path := "/v1/orders/" + w.order + "/events"
			all = append(all, f.front.follow(path, w.token))
			for _, p := range f.roles["notify"] {
				all = append(all, p.follow(path, w.token))
			}
		}
	}
	for _, watching := range all {
		checkWhole(t, f.front, w, watching)
	}
	for _, p := range f.roles["web"] {
		if code, page := p.raw("GET", "/track/"+w.order+"?access_token="+w.token, nil); code != 200 {
			t.Errorf("the order's page: %d %s", code, page)
		}
	}
}

// killRelays judges what comes and not how soon: tracker drill relay-failover holds
// the time against its figure, on a machine that does nothing else.
func (f *fleet) killRelays(t *testing.T) {
	w := newShipped(f.front)
	watching := f.front.follow(w.feed(), w.token)
	for range 3 {
		var holder *program
		f.front.until("one process relays", func() bool { holder = f.relays(); return holder != nil })
		s := openStream(t, f.edge.client, f.edge.plain+w.feed()+"?after="+fmt.Sprint(w.seq), w.token)
		holder.stop(syscall.SIGKILL)
		killed := time.Now()
		if holder.env["TRACKER_ROLES"] == "notify" { // then the stream may have gone with it
			s = openStream(t, f.edge.client, f.edge.plain+w.feed()+"?after="+fmt.Sprint(w.seq), w.token)
		}
		w.insist(t, f.front, "in_transit")
		s.next(t, w.seq)
		t.Logf("news came %v after the relay (%s) was killed", time.Since(killed).Round(time.Millisecond), holder.env["TRACKER_ROLES"])
		holder.start()
	}
	w.deliver(t, f.front)
	<-watching.end
	watching.check(t, w.sequence(f.front))
}

// insist makes one more event through all failures.
func (w *shipped) insist(t *testing.T, p *program, status string) (failures int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	failures, err := w.report(ctx, p, status)
	if err != nil {
		t.Fatal(err)
	}
	return failures
}

// report is the carrier's: in_transit stands for one of two words in turn, so
// that each report is a change.
func (w *shipped) report(ctx context.Context, p *program, status string) (failures int, err error) {
	w.moves++
	if status == "in_transit" && w.moves%2 == 0 {
		status = "delayed"
	}
	failures, err = insist(ctx, p, "/v1/shipments/"+w.shipment+"/events", object{"status": status, "occurred_at": carriedAt(w.moves)}, fmt.Sprint(w.shipment, "-", w.moves))
	w.seq++
	return failures, err
}

// deliver ends the story and waits for its last event.
func (w *shipped) deliver(t *testing.T, p *program) {
	t.Helper()
	w.insist(t, p, "delivered")
	p.until("the order is completed", func() bool { return p.field("/v1/orders/"+w.order, "status") == "completed" })
}

func (f *fleet) restartAll(t *testing.T) {
	w := newShipped(f.front)
	base := f.front.public + w.feed()
	var streams []*follower
	var others []*watch
	for i := range 200 {
		switch i % 10 {
		case 8:
			others = append(others, watchBy(t, longPoller(base, w.token)))
		case 9:
			others = append(others, watchBy(t, socketReader(base, w.token)))
		default:
			streams = append(streams, f.front.follow(w.feed(), w.token))
		}
	}
	f.front.until("all of them watch", func() bool {
		n := 0
		for _, p := range f.roles["notify"] {
			n += p.watchers()
		}
		return n >= 200
	})
	ctx, stop := context.WithCancel(t.Context())
	type result struct {
		failures int
		err      error
	}
	done := make(chan result)
	go func() {
		var r result
		pace := 100 * time.Millisecond
		for ; ctx.Err() == nil; <-time.After(pace) {
			pace += pace / 50 // a parcel has 200 events at most, however slow the machine is
			n, err := w.report(t.Context(), f.front, "in_transit")
			r.failures += n
			if err != nil {
				r.err = err
				break
			}
		}
		done <- r
	}()
	for _, p := range f.all() {
		ended, began := p.stop(syscall.SIGTERM), time.Now()
		p.start()
		t.Logf("%s ended in %v and was ready again after %v", p.env["TRACKER_ROLES"], ended.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	}
	stop()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	w.deliver(t, f.front)
	n := w.sequence(f.front)
	t.Logf("%d events to %d watchers over the restart of %d processes; %d writes had to be repeated", n, len(streams)+len(others), len(f.all()), r.failures)
	for _, s := range streams {
		select {
		case <-s.end:
		case <-time.After(patience):
			t.Fatal("the watcher of a finished order was not let go")
		}
		s.check(t, n)
	}
	for _, o := range others {
		o.check(t, n)
	}
	for _, p := range f.all() {
		if overdue := p.metric(`tracker_payments{condition="overdue"}`); overdue > 0 {
			t.Errorf("%v payments are overdue", overdue)
		}
	}
}
