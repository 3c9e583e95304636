package notify_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tracker/notify"
)

// recorder is a response without a network, so that time can be a bubble's.
type recorder struct {
	mu     sync.Mutex
	header http.Header
	body   bytes.Buffer
	status int
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Flush()              {}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body.Write(p)
}

func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.body.Reset()
	return r.body.String()
}

// bubble runs a notifier with a quiet feed in a bubble of its own time.
func bubble(t *testing.T, change func(*notify.Options), test func(t *testing.T, n *notify.Notifier, f *feed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		f := newFeed(orderKey(1))
		b.append(f.next(false))
		opt := notify.Options{Log: b, NoParking: true}
		if change != nil {
			change(&opt)
		}
		n := notify.New(opt)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		test(t, n, f)
		cancel()
		<-done
	})
}

func get(t *testing.T, query string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestHeartbeat_comes_about_every_15_seconds_and_only_in_silence(t *testing.T) {
	t.Parallel()
	bubble(t, func(o *notify.Options) { o.Lifetime = time.Hour }, func(t *testing.T, n *notify.Notifier, f *feed) {
		w := &recorder{header: http.Header{}}
		served := make(chan error, 1)
		go func() {
			served <- n.ServeFeed(w, get(t, "?after=1", "Accept", "text/event-stream"), notify.Access{Key: f.key, Principal: "p"})
		}()
		synctest.Wait()
		w.take()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := strings.Count(w.take(), ": hb\n\n"); got < 18 || got > 21 {
			t.Errorf("%d heartbeats in 5 minutes, want about 20", got)
		}
		for range 60 { // an event every 5 s: no silence
			time.Sleep(5 * time.Second)
			n.Publish(1, f.next(false))
		}
		synctest.Wait()
		if got := strings.Count(w.take(), ": hb\n\n"); got > 1 {
			t.Errorf("%d heartbeats between events", got)
		}
		n.CloseKey("p")
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// silences is a response that remembers its longest silence.
type silences struct {
	recorder
	last    time.Time
	longest time.Duration
}

func (s *silences) Write(p []byte) (int, error) {
	s.longest, s.last = max(s.longest, time.Since(s.last)), time.Now()
	return s.recorder.Write(p)
}

func TestHeartbeat_ends_every_silence_within_15_seconds(t *testing.T) {
	t.Parallel()
	bubble(t, func(o *notify.Options) { o.Lifetime = time.Hour }, func(t *testing.T, n *notify.Notifier, f *feed) {
		tabs := make([]*silences, 50) // enough for every slot of the wheel
		var open sync.WaitGroup
		for i := range tabs {
			tabs[i] = &silences{recorder: recorder{header: http.Header{}}, last: time.Now()}
			open.Go(func() {
				_ = n.ServeFeed(tabs[i], get(t, "?after=1", "Accept", "text/event-stream"), notify.Access{Key: f.key, Principal: "p"})
			})
		}
		for _, quiet := range []time.Duration{time.Minute, 3 * time.Second, 8 * time.Second, time.Minute, 13 * time.Second, 100 * time.Second} {
			time.Sleep(quiet)
			n.Publish(1, f.next(false))
		}
		synctest.Wait()
		n.CloseKey("p")
		open.Wait()
		for i, tab := range tabs {
			if tab.longest > 15*time.Second {
				t.Errorf("stream %d was silent for %s", i, tab.longest)
			}
		}
	})
}

func TestLifetime_is_8_to_10_minutes_and_spread(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, n *notify.Notifier, f *feed) {
		const clients = 200
		start := time.Now()
		ages := make(chan time.Duration, clients)
		for range clients {
			go func() {
				w := &recorder{header: http.Header{}}
				_ = n.ServeFeed(w, get(t, "?after=1", "Accept", "text/event-stream"), notify.Access{Key: f.key})
				ages <- time.Since(start)
			}()
		}
		perMinute := map[int]int{}
		for range clients {
			age := <-ages
			if age < 8*time.Minute || age > 10*time.Minute+15*time.Second {
				t.Errorf("a connection lived for %s", age)
			}
			perMinute[int(age/(30*time.Second))]++
		}
		for half, count := range perMinute {
			if count > clients/2 {
				t.Errorf("%d of %d ended in half minute %d: a herd", count, clients, half)
			}
		}
	})
}

// A wall clock that is set back by an hour silences no stream and prolongs none.
func TestClock_that_is_set_back_changes_no_stream(t *testing.T) {
	t.Parallel()
	var back atomic.Int64
	now := func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
	bubble(t, func(o *notify.Options) { o.Now = now }, func(t *testing.T, n *notify.Notifier, f *feed) {
		start := time.Now()
		w := &silences{recorder: recorder{header: http.Header{}}, last: start}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = n.ServeFeed(w, get(t, "?after=1", "Accept", "text/event-stream"), notify.Access{Key: f.key})
		}()
		time.Sleep(time.Minute)
		back.Store(int64(time.Hour))
		<-ended
		if w.longest > 15*time.Second {
			t.Errorf("a silence of %s", w.longest)
		}
		if age := time.Since(start); age > 10*time.Minute+15*time.Second {
			t.Errorf("it lived for %s", age)
		}
	})
}

func TestLongPoll_waits_exactly(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, n *notify.Notifier, f *feed) {
		start := time.Now()
		w := &recorder{header: http.Header{}}
		if err := n.ServeFeed(w, get(t, "?after=1&wait=60"), notify.Access{Key: f.key}); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != time.Minute || w.take() != `{"events":[],"cursor":1,"closed":false}` {
			t.Errorf("answered after %s", got)
		}
	})
}

func TestDrain_is_paced(t *testing.T) {
	t.Parallel()
	bubble(t, func(o *notify.Options) { o.DrainWindow = 10 * time.Second }, func(t *testing.T, n *notify.Notifier, f *feed) {
		const clients = 100
		start := time.Now()
		ended := make(chan time.Duration, clients)
		for range clients {
			go func() {
				w := &recorder{header: http.Header{}}
				_ = n.ServeFeed(w, get(t, "?after=1", "Accept", "text/event-stream"), notify.Access{Key: f.key})
				ended <- time.Since(start)
			}()
		}
		synctest.Wait()
		if err := n.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("it took %s, want about 10 s", took)
		}
		perSecond := map[time.Duration]int{}
		for range clients {
			perSecond[(<-ended).Truncate(time.Second)]++
		}
		for second, count := range perSecond {
			if count > 15 {
				t.Errorf("%d left in second %s: a herd", count, second)
			}
		}
	})
}
