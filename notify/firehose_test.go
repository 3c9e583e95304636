package notify_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tracker/notify"
)

func TestFirehose(t *testing.T) {
	t.Parallel()
	for _, w := range []way{plain, r3, h2c, overTLS, h2, hidden} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, w, nil)
			a, b, foreign := newFeed(orderKey(1)), newFeed(paymentKey(1)), newFeed(orderKey(2))
			foreign.key.Merchant = stranger
			r.emitted(a, 2)
			r.emitted(foreign, 1)
			r.emitted(b, 1)
			s := r.watch(t, r.url+"/events")
			if first := s.raw(); first.wait == "" {
				t.Errorf("the first block is %+v, want retry", first)
			}
			s.want("life1-1", "life1-2", "life1-4")
			r.emitted(foreign, 1)
			r.emitted(a, 1)
			s.want("life1-6")
			s.close()
			r.emitted(b, 1)
			s = r.watch(t, r.url+"/events?after=life1-0", "Last-Event-ID", s.last)
			s.want("life1-7")
			s = r.watch(t, r.url+"/events?after=life1-4")
			s.want("life1-6", "life1-7")
		})
	}
}

func TestFirehose_begins_with_retry(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	lines := bufio.NewScanner(r.get(t, r.url+"/events?after=latest").Body)
	for _, want := range []string{"retry: ", "id: life1-0"} {
		if lines.Scan(); !strings.HasPrefix(lines.Text(), want) {
			t.Errorf("got %q, want %q", lines.Text(), want)
		}
	}
}

func TestFirehose_cursor_of_another_life_is_reset(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	r.emitted(newFeed(orderKey(1)), 2)
	s := r.watch(t, r.url+"/events", "Last-Event-ID", "life0-77")
	if m := s.wantName("reset"); m.id != "life1-0" {
		t.Errorf("reset has id %q", m.id)
	}
	s.want("life1-1", "life1-2")
}

func TestFirehose_bad_cursors(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	for _, query := range []string{"?after=", "?after=7", "?after=-7", "?after=life1-", "?after=life1-x", "?after=life1-%2B1", "?after=life1-99999999999999999999", "?after=%zz"} {
		response := r.get(t, r.url+"/events"+query)
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s, want 400", query, response.Status)
		}
	}
}

func TestFirehose_carries_a_burst_and_a_patient_reader(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 500) // far more than every queue holds
	s := r.watch(t, r.url+"/events")
	for seq := range 500 {
		if m := s.next(); m.id == "" || m.name == "END" {
			t.Fatalf("got %+v at %d", m, seq)
		}
	}
}

func TestFirehose_client_that_never_reads_is_cut(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.WriteTimeout = 2 * time.Second })
	f := newFeed(orderKey(1))
	f.padding = 100 << 10 // the kernel's buffers hold megabytes
	r.get(t, r.url+"/events")
	until(t, "it is connected", func() bool { return r.count("firehose", "r3labs") == 1 })
	r.emitted(f, enough)
	until(t, "it is cut", func() bool { return r.Stats().Ended["slow"] == 1 })
}

func TestFirehose_ends_with_its_key_and_at_its_age(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.Lifetime = 100 * time.Millisecond })
	r.emitted(newFeed(orderKey(1)), 1)
	s := r.watch(t, r.url+"/events")
	for m := s.next(); m.name != "END"; m = s.next() { // its time may be over before the event
		if m.id != "life1-1" {
			t.Errorf("got %+v", m)
		}
	}
	until(t, "the age is counted", func() bool { return r.Stats().Ended["lifetime"] == 1 })

	r = setup(t, plain, nil)
	r.emitted(newFeed(orderKey(1)), 1)
	s = r.watch(t, r.url+"/events")
	s.want("life1-1")
	r.CloseKey("key")
	s.wantName("END")
	until(t, "the key is counted", func() bool { return r.Stats().Ended["key_closed"] == 1 })
}

// held is a response whose client can stop reading.
type held struct {
	recorder
	holding atomic.Bool
	free    chan struct{}
}

func (h *held) Write(p []byte) (int, error) {
	if h.holding.Load() {
		<-h.free
	}
	return h.recorder.Write(p)
}

// A stream that ends in order, with an event just on its way, is no trouble.
func TestFirehose_that_ends_in_order_warns_of_nothing(t *testing.T) {
	t.Parallel()
	logs := &recorder{}
	warnings := func(o *notify.Options) { o.Logger = slog.New(slog.NewTextHandler(logs, nil)) }
	bubble(t, warnings, func(t *testing.T, n *notify.Notifier, f *feed) {
		w := &held{recorder: recorder{header: http.Header{}}, free: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- n.ServeFirehose(w, get(t, "?after=latest"), f.key.Merchant, "p", "") }()
		synctest.Wait()
		w.holding.Store(true)
		n.Publish(2, f.next(false)) // is being written
		synctest.Wait()
		n.CloseKey("p")
		n.Publish(3, f.next(false)) // comes too late
		synctest.Wait()
		close(w.free)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	if text := logs.take(); text != "" {
		t.Errorf("logged %s", text)
	}
}

func TestFirehose_drains(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	r.emitted(newFeed(orderKey(1)), 1)
	s := r.watch(t, r.url+"/events")
	s.want("life1-1")
	if err := r.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.wantName("END")
	if s.last != "life1-1" {
		t.Errorf("the goodbye changed the cursor to %q", s.last)
	}
}

func TestFirehose_goodbye_keeps_the_cursor_of_who_got_nothing(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	r.emitted(newFeed(orderKey(1)), 3)
	s := r.watch(t, r.url+"/events?after=life1-3")
	s.raw()
	until(t, "it is connected", func() bool { return r.count("firehose", "r3labs") == 1 })
	go func() { _ = r.Drain(context.Background()) }()
	if m := s.raw(); m.wait == "" || m.id != "life1-3" {
		t.Errorf("the goodbye is %+v", m)
	}
}

func TestFirehose_cursor_beyond_the_end_is_reset(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	r.emitted(newFeed(orderKey(1)), 2)
	s := r.watch(t, r.url+"/events?after=life1-99")
	s.wantName("reset")
	s.want("life1-1", "life1-2")
}

func TestFirehose_from_now_on(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 2)
	s := r.watch(t, r.url+"/events?after=latest")
	first := s.raw()
	if first.id != "life1-2" || first.wait == "" || first.data != "" {
		t.Errorf("the first block is %+v, want the cursor and retry", first)
	}
	s.close()
	r.emitted(f, 1)
	// Who was cut before its first event has a cursor all the same.
	s = r.watch(t, r.url+"/events?after=latest", "Last-Event-ID", first.id)
	s.want("life1-3")
	r.emitted(f, 1)
	s.want("life1-4")
}

// Many firehoses read the log once each, however long they stay and however much
// comes, and all get everything in order.
func TestFirehose_many_share_the_tail(t *testing.T) {
	t.Parallel()
	const clients, events = 20, 50
	r := setup(t, plain, nil)
	f, foreign := newFeed(orderKey(1)), newFeed(orderKey(2))
	foreign.key.Merchant = stranger
	r.emitted(f, 3)
	var all []*stream
	for range clients {
		s := r.watch(t, r.url+"/events")
		s.want("life1-1", "life1-2", "life1-3")
		all = append(all, s)
	}
	for range events {
		r.emitted(foreign, 1)
		r.emitted(f, 1)
	}
	for _, s := range all {
		for i := range events {
			s.want("life1-" + strconv.Itoa(3+2*(i+1)))
		}
	}
	if n := r.book.scanned(); n != clients {
		t.Errorf("the log was read %d times by %d clients", n, clients)
	}
}

// Who falls further behind than the tail reaches gets the rest from the log.
func TestFirehose_behind_the_tail(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	f.padding = 20 << 10
	s := r.watch(t, r.url+"/events")
	s.raw()
	until(t, "it is connected", func() bool { return r.count("firehose", "r3labs") == 1 })
	const events = 600 // more than a tail holds, and megabytes: the client is behind
	r.emitted(f, events)
	for i := range events {
		s.want("life1-" + strconv.Itoa(i+1))
	}
}

// After a gap in what the stream's follower saw, nothing is missing; in another
// life, the client is told to start over.
func TestFirehose_over_a_resync(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	s := r.watch(t, r.url+"/events")
	s.want("life1-1")
	r.book.append(f.next(false)) // the follower never hears of it
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want("life1-2")
	r.emitted(f, 1)
	s.want("life1-3")

	r.book.reborn("life2")
	if err := r.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantName("END")
	s = r.watch(t, r.url+"/events", "Last-Event-ID", "life1-3")
	s.wantName("reset")
}

func TestFirehose_cursor_whose_successors_are_gone_is_reset(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	r.emitted(newFeed(orderKey(1)), 5)
	r.book.purge(4)
	s := r.watch(t, r.url+"/events?after=life1-3") // the next one is the fourth
	s.want("life1-4")
	s = r.watch(t, r.url+"/events?after=life1-2")
	s.wantName("reset")
}
