package notify_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tracker/notify"
	"tracker/notify/eventwire"
)

func newest(t *testing.T, n *notify.Notifier, key eventwire.Key) int64 {
	t.Helper()
	e, err := n.Newest(context.Background(), notify.Access{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return e.Seq
}

func TestColdRead_is_shared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		f := newFeed(orderKey(1))
		b.append(f.next(false))
		n := notify.New(notify.Options{Log: b})
		var reads atomic.Int64
		release := make(chan struct{})
		b.lastFunc = func(context.Context, eventwire.Key) { reads.Add(1); <-release }
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got := newest(t, n, f.key); got != 1 {
					t.Errorf("seq %d, want 1", got)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		if reads.Load() != 1 {
			t.Errorf("%d reads of the log, want 1", reads.Load())
		}
	})
}

func TestColdRead_outlives_who_asked_first(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		f := newFeed(orderKey(1))
		b.append(f.next(false))
		n := notify.New(notify.Options{Log: b})
		release := make(chan struct{})
		b.lastFunc = func(context.Context, eventwire.Key) { <-release }
		ctx, cancel := context.WithCancel(context.Background())
		first := make(chan error, 1)
		go func() {
			_, err := n.Newest(ctx, notify.Access{Key: f.key})
			first <- err
		}()
		second := make(chan int64, 1)
		synctest.Wait()
		go func() { second <- newest(t, n, f.key) }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first got %v", err)
		}
		close(release)
		if got := <-second; got != 1 {
			t.Errorf("the second got %d", got)
		}
	})
}

func TestColdRead_never_hides_what_was_published_meanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		f := newFeed(orderKey(1))
		old, fresh := f.next(false), f.next(false)
		b.append(old)
		n := notify.New(notify.Options{Log: b})
		release := make(chan struct{})
		b.lastFunc = func(context.Context, eventwire.Key) { <-release }
		got := make(chan int64, 1)
		go func() { got <- newest(t, n, f.key) }()
		synctest.Wait()
		n.Publish(2, fresh) // while the log is asked, which will answer with the old one
		close(release)
		if seq := <-got; seq != 2 {
			t.Errorf("seq %d, want 2", seq)
		}
		if seq := newest(t, n, f.key); seq != 2 {
			t.Errorf("seq %d afterwards, want 2", seq)
		}
	})
}

func TestColdRead_repeats_when_the_newer_one_was_evicted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		f := newFeed(orderKey(1))
		old, fresh := f.next(false), f.next(false)
		b.append(old)
		n := notify.New(notify.Options{Log: b, CacheBytes: 1}) // one message per shard
		b.after = func() {                                     // after the log has looked, before the answer arrives
			b.after = nil
			n.Publish(b.append(fresh), fresh)
			for i := 2; i < 2000; i++ { // pushes it out of its shard
				g := newFeed(orderKey(i))
				b.append(g.next(false))
				newest(t, n, g.key)
			}
		}
		if got := newest(t, n, f.key); got != 2 {
			t.Errorf("seq %d, want 2", got)
		}
	})
}

func TestFeed_that_went_back_without_a_word(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.CacheBytes = 1 })
	f := newFeed(orderKey(1))
	r.emitted(f, 3)
	s := r.watch(t, r.feedURL(f.key, "?after=2"))
	s.want("3")
	r.book.lose(f.key)
	again := newFeed(f.key)
	r.book.append(again.next(false))
	for i := 2; i < 500; i++ { // f's message leaves the memory, its topic stays
		g := newFeed(orderKey(i))
		r.book.append(g.next(false))
		newest(t, r.Notifier, g.key)
	}
	late := r.watch(t, r.feedURL(f.key, "?after=3"))
	late.wantName("reset")
	late.want("1")
}

// The log may know an event before the stream's reader brings it. Who watches
// gets it when it is read, because Publish will then take it for a repetition.
func TestColdRead_ahead_of_the_stream_reaches_who_watches(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.CacheBytes = 1 })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	s := r.watch(t, r.feedURL(f.key, ""))
	s.want("1")
	for i := 2; i < 500; i++ { // f's message leaves the memory, its watcher stays
		g := newFeed(orderKey(i))
		r.book.append(g.next(false))
		newest(t, r.Notifier, g.key)
	}
	second := f.next(false)
	at := r.book.append(second) // in the log, not yet told
	if got := newest(t, r.Notifier, f.key); got != 2 {
		t.Fatalf("the log answers %d", got)
	}
	r.Publish(at, second)
	s.want("2") // and not only with the next one
	r.emitted(f, 1)
	s.want("3")
}

func TestColdRead_that_fails(t *testing.T) {
	t.Parallel()
	b := newBook()
	b.err = errors.New("no servers")
	n := notify.New(notify.Options{Log: b})
	_, err := n.Newest(context.Background(), notify.Access{Key: orderKey(1)})
	if !errors.Is(err, notify.ErrUnavailable) || !errors.Is(err, b.err) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	b.err = nil
	f := newFeed(orderKey(1))
	b.append(f.next(false))
	if got := newest(t, n, f.key); got != 1 {
		t.Errorf("a failure was remembered: %d", got)
	}
}

func TestColdRead_has_its_own_time_limit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		b.err = context.DeadlineExceeded
		b.lastFunc = func(ctx context.Context, _ eventwire.Key) { <-ctx.Done() }
		n := notify.New(notify.Options{Log: b})
		start := time.Now()
		_, err := n.Newest(context.Background(), notify.Access{Key: orderKey(1)})
		if !errors.Is(err, notify.ErrUnavailable) || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestCache_is_bounded_and_follows_the_stream(t *testing.T) {
	t.Parallel()
	b := newBook()
	n := notify.New(notify.Options{Log: b, CacheBytes: 64 * 10_000}) // a few in each shard
	feeds := make([]*feed, 2000)
	for i := range feeds {
		feeds[i] = newFeed(orderKey(i))
		b.append(feeds[i].next(false))
		if got := newest(t, n, feeds[i].key); got != 1 {
			t.Fatal(got)
		}
	}
	s := n.Stats()
	if s.CacheBytes > 64*10_000 || s.Feeds > 64*10 || s.Feeds < 64 {
		t.Errorf("%d feeds and %d bytes in memory", s.Feeds, s.CacheBytes)
	}
	for i, f := range feeds { // kept or not, nobody reads the old state
		e := f.next(false)
		n.Publish(b.append(e), e)
		if i%50 == 0 {
			if got := newest(t, n, f.key); got != 2 {
				t.Fatalf("seq %d, want 2", got)
			}
		}
	}
}

func TestAwaits_what_is_watched_or_in_memory(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.CacheBytes = 1 })
	f, other := newFeed(orderKey(1)), newFeed(orderKey(2))
	if r.Awaits(f.key) {
		t.Error("an event is awaited that nobody ever asked for")
	}
	r.emitted(f, 1)
	s := r.watch(t, r.feedURL(f.key, "?after=0"))
	s.want("1")
	if !r.Awaits(f.key) || r.Awaits(other.key) {
		t.Errorf("awaited: %v, the other: %v", r.Awaits(f.key), r.Awaits(other.key))
	}
}

func TestCache_forgets_what_does_not_exist(t *testing.T) {
	t.Parallel()
	n := notify.New(notify.Options{Log: newBook()})
	for i := range 1000 {
		if _, err := n.Newest(context.Background(), notify.Access{Key: orderKey(i)}); !errors.Is(err, notify.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if got := n.Stats().Feeds; got != 0 {
		t.Errorf("%d feeds that do not exist are in memory", got)
	}
}

func TestResync(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		watched, idle, restored := newFeed(orderKey(1)), newFeed(orderKey(2)), newFeed(orderKey(3))
		r.emitted(watched, 1)
		r.emitted(idle, 1)
		r.emitted(restored, 3)
		s, back := r.watch(t, r.feedURL(watched.key, "")), r.watch(t, r.feedURL(restored.key, "?after=3"))
		s.want("1")
		until(t, "both joined", func() bool { return r.streams() == 2 })
		_ = newest(t, r.Notifier, idle.key)
		for _, f := range []*feed{watched, idle} { // the follower misses these
			r.book.append(f.next(false))
			r.book.append(f.next(false))
		}
		again := newFeed(restored.key) // and this one's database was restored
		r.book.append(again.next(false))
		if err := r.Resync(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.want("2", "3")
		back.wantName("reset")
		back.want("1")
		if got := newest(t, r.Notifier, idle.key); got != 3 {
			t.Errorf("an unwatched feed stands at %d, want 3", got)
		}
		r.book.err = errors.New("no servers")
		if err := r.Resync(context.Background()); !errors.Is(err, r.book.err) {
			t.Errorf("Resync without a log: %v", err)
		}
	})
}

func TestResync_cuts_who_watches_what_is_lost(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		s := r.watch(t, r.feedURL(f.key, ""))
		s.want("1")
		until(t, "it joined", func() bool { return r.streams() == 1 })
		r.book.lose(f.key)
		if err := r.Resync(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.wantName("END")
		if response := r.get(t, r.feedURL(f.key, "?after=1"), "Accept", "text/event-stream"); response.StatusCode != http.StatusNotFound {
			t.Errorf("asking again gets %s, want 404", response.Status)
		}
	})
}

func TestCloseKey(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		byKey := r.watch(t, r.feedURL(f.key, ""))
		byToken := r.watch(t, r.feedURL(f.key, ""), "X-Owner", f.key.ID, "X-Epoch", "1")
		byKey.want("1")
		byToken.want("1")
		until(t, "both joined", func() bool { return r.streams() == 2 })
		r.CloseKey("key")
		byKey.wantName("END")
		r.emitted(f, 1)
		byToken.want("2")
	})
}

func TestRun_twice_is_refused(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	if err := r.Run(context.Background()); err == nil {
		t.Error("a second Run is accepted")
	}
	r.stop()
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	response := r.get(t, r.feedURL(f.key, ""), "Accept", "text/event-stream")
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after Run a stream gets %s, want 503", response.Status)
	}
	if p, _ := r.poll(t, r.feedURL(f.key, "")); p.Cursor != 1 {
		t.Error("after Run a short poll is not answered")
	}
}

func TestWithout_Run_streams_go_through_r3labs(t *testing.T) {
	t.Parallel()
	b := newBook()
	r := &rig{Notifier: notify.New(notify.Options{Log: b}), book: b}
	r.url, r.http = plain.start(t, handler(r.Notifier))
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	s := r.watch(t, r.feedURL(f.key, ""))
	s.want("1")
	if r.count("sse", "r3labs") != 1 {
		t.Error("it is not on the handler's path")
	}
	s.close()
	until(t, "it is gone", func() bool { return r.streams() == 0 })
}
