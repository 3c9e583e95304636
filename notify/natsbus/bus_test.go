package natsbus_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func portOf(address string) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Port())
}

func TestBus_Last(t *testing.T) {
	t.Parallel()
	b, id := embedded(t, t.TempDir()), newOrder()
	if _, ok, err := b.Last(t.Context(), orderKey(id)); ok || err != nil {
		t.Fatalf("an empty stream has a last message: %v, %v", ok, err)
	}
	publish(t, b, id, 1, 2, 3)
	e, ok, err := b.Last(t.Context(), orderKey(id))
	if err != nil || !ok || e.Seq != 3 || len(e.Timeline) != 3 {
		t.Fatalf("got %+v, %v, %v", e, ok, err)
	}
}

func TestBus_Publish_drops_repetitions_and_keeps_order(t *testing.T) {
	t.Parallel()
	b, id, other := embedded(t, t.TempDir()), newOrder(), newOrder()
	s := follow(t, b)
	list := []natsbus.Message{
		message(t, event(t, id, 1)), message(t, event(t, other, 1)), message(t, event(t, id, 2)), message(t, event(t, id, 3)),
	}
	for range 3 {
		if err := b.Publish(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, b, other, 2)
	s.await(t, 5)
	if got := s.of(id); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
	if n, err := b.Count(t.Context()); err != nil || n != 5 {
		t.Errorf("%d messages, %v; want 5", n, err)
	}
	if first, end, err := b.Bounds(t.Context()); err != nil || first != 1 || end != 5 {
		t.Errorf("the end is at %d, %v; want 5", end, err)
	}
}

func TestOpen_finds_what_was_stored(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), newOrder()
	b := embedded(t, dir)
	if !b.WasEmpty() {
		t.Error("a new stream is not empty")
	}
	publish(t, b, id, 1, 2)
	life := b.Incarnation()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = embedded(t, dir)
	e, ok, err := b.Last(t.Context(), orderKey(id))
	if err != nil || !ok || e.Seq != 2 {
		t.Fatalf("got %+v, %v, %v", e, ok, err)
	}
	if b.WasEmpty() || b.Incarnation() != life {
		t.Error("the stream is taken for another one")
	}
}

func TestOpen_after_the_store_was_deleted(t *testing.T) {
	t.Parallel()
	dir, id := filepath.Join(t.TempDir(), "nats"), newOrder()
	b := embedded(t, dir)
	publish(t, b, id, 1, 2)
	life := b.Incarnation()
	if err := errors.Join(b.Close(), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	b = embedded(t, dir)
	if !b.WasEmpty() || b.Incarnation() == life {
		t.Error("the new stream is taken for the old one")
	}
	publish(t, b, id, 2)
	if e, ok, err := b.Last(t.Context(), orderKey(id)); err != nil || !ok || e.Seq != 2 {
		t.Fatalf("got %+v, %v, %v", e, ok, err)
	}
}

// A life without trouble leaves no word in the log, not even at its end.
func TestBus_is_quiet(t *testing.T) {
	t.Parallel()
	var text syncBuffer
	o := quiet(natsbus.Options{StoreDir: t.TempDir()})
	o.Logger = slog.New(slog.NewTextHandler(&text, nil))
	for range 2 {
		b, err := natsbus.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		s := newSeen()
		stopFollowing := run(t, func(ctx context.Context) error {
			return b.Follow(ctx, natsbus.Follower{Event: func(_ uint64, e eventwire.Event) { s.add(e) }})
		})
		stopReacting := run(t, func(ctx context.Context) error {
			return b.React(ctx, "quiet", eventwire.Orders, func(ctx context.Context, e eventwire.Event) error {
				s.add(e)
				if e.Seq == 3 {
					<-ctx.Done() // it is told to end in the middle
				}
				return ctx.Err()
			})
		})
		publish(t, b, newOrder(), 1, 2, 3)
		s.await(t, 3)
		stopReacting()
		stopFollowing()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := text.String(); got != "" {
		t.Errorf("logged %s", got)
	}
}

// syncBuffer is a buffer for several writers.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestOpen_says_what_is_wrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := "nats://" + freeAddress(t)
	for name, o := range map[string]natsbus.Options{
		"nothing":      {},
		"not a folder": {StoreDir: filepath.Join(file, "nats")},
		"nobody":       {URL: nobody},
		"no such file": {URL: nobody, RootCAFile: filepath.Join(file, "ca.pem")},
	} {
		if b, err := natsbus.Open(t.Context(), quiet(o)); err == nil {
			t.Errorf("%s: no error", name)
			_ = b.Close() // the test has failed already
		}
	}
}

func TestBus_Restore(t *testing.T) {
	t.Parallel()
	b, id, fresh := embedded(t, t.TempDir()), newOrder(), newOrder()
	publish(t, b, id, 1, 2)
	for _, c := range []struct {
		id     string
		seq    int64
		stored bool
	}{{id, 1, false}, {id, 2, false}, {id, 4, true}, {id, 3, false}, {fresh, 7, true}, {fresh, 7, false}} {
		stored, err := b.Restore(t.Context(), event(t, c.id, c.seq))
		if err != nil || stored != c.stored {
			t.Errorf("restore %d: %v, %v; want %v", c.seq, stored, err, c.stored)
		}
	}
	if e, _, err := b.Last(t.Context(), orderKey(id)); err != nil || e.Seq != 4 {
		t.Errorf("the last one is %d, %v", e.Seq, err)
	}
}

func TestBus_Reset(t *testing.T) {
	t.Parallel()
	b, id := embedded(t, t.TempDir()), newOrder()
	s := follow(t, b)
	publish(t, b, id, 1, 2)
	s.await(t, 2)
	life := b.Incarnation()
	if err := b.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Count(t.Context()); err != nil || n != 0 || b.Incarnation() == life {
		t.Fatalf("%d messages, %v", n, err)
	}
	s.awaitGap(t)
	publish(t, b, id, 2, 3) // the ids are forgotten with the stream
	s.await(t, 4)
	if got := s.of(id); !slices.Equal(got, []int64{1, 2, 2, 3}) {
		t.Errorf("got %v", got)
	}
}

func TestBus_Publish_makes_a_stream_that_is_gone(t *testing.T) {
	t.Parallel()
	out := newOutside(t)
	b, id := open(t, out.options()), newOrder()
	s := follow(t, b)
	out.stop()
	if err := b.Publish(t.Context(), []natsbus.Message{message(t, event(t, id, 1))}); err == nil {
		t.Fatal("published to nobody")
	}
	if err := b.Healthy(t.Context()); err == nil {
		t.Error("healthy without a server")
	}
	if err := os.RemoveAll(filepath.Join(out.dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	out.start()
	untilNil(t, func() error { return b.Publish(t.Context(), []natsbus.Message{message(t, event(t, id, 1))}) })
	s.awaitGap(t)
	publish(t, b, id, 2)
	s.until(t, "the event after the gap", func() bool { got := s.of(id); return len(got) > 0 && got[len(got)-1] == 2 })
	untilNil(t, func() error { return b.Healthy(t.Context()) })
}

// untilNil tries until fn returns nil.
func untilNil(t *testing.T, fn func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("still: %v", err)
		}
	}
}

func TestBus_Follow_misses_nothing_over_a_restart_of_the_server(t *testing.T) {
	t.Parallel()
	out := newOutside(t)
	b, id := open(t, out.options()), newOrder()
	s := follow(t, b)
	publish(t, b, id, 1, 2)
	s.await(t, 2)
	out.stop()
	out.start()
	other := open(t, out.options()) // back before b is
	publish(t, other, id, 3)
	untilNil(t, func() error { return b.Publish(t.Context(), []natsbus.Message{message(t, event(t, id, 4))}) })
	s.await(t, 4)
	if got := s.of(id); !slices.Equal(got, []int64{1, 2, 3, 4}) || s.reasons() != "" {
		t.Errorf("got %v, gaps %q", got, s.reasons())
	}
}

// The stream comes back without its end and grows again: the same sequences now
// mean other messages.
func TestBus_Follow_notices_a_lost_tail(t *testing.T) {
	t.Parallel()
	out := newOutside(t)
	b, id, other := open(t, out.options()), newOrder(), newOrder()
	publish(t, b, id, 1)
	out.stop()
	saved := t.TempDir()
	if err := os.CopyFS(saved, os.DirFS(out.dir)); err != nil {
		t.Fatal(err)
	}
	out.start()
	untilNil(t, func() error { return b.Healthy(t.Context()) })
	s := follow(t, b)
	publish(t, b, id, 2, 3)
	s.await(t, 2)
	out.stop()
	if err := errors.Join(os.RemoveAll(out.dir), os.CopyFS(out.dir, os.DirFS(saved))); err != nil {
		t.Fatal(err)
	}
	out.start()
	publish(t, open(t, out.options()), other, 1, 2, 3)
	s.awaitGap(t)
}

func TestBus_Scan(t *testing.T) {
	t.Parallel()
	b, id, other := embedded(t, t.TempDir()), newOrder(), newOrder()
	publish(t, b, id, 1, 2)
	publish(t, b, other, 1)
	publish(t, b, id, 3)

	s := newSeen()
	scan := func(after, upTo uint64) {
		t.Helper()
		err := b.Scan(t.Context(), eventwire.MerchantWildcards(merchant), after, upTo, func(_ uint64, e eventwire.Event) error {
			s.add(e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	scan(1, 3)
	if got := s.of(id); !slices.Equal(got, []int64{2}) || s.count() != 2 {
		t.Errorf("up to the third: %v of %d", got, s.count())
	}
	scan(3, 4)
	scan(4, 4) // nothing is left
	if got := s.of(id); !slices.Equal(got, []int64{2, 3}) || s.count() != 3 {
		t.Errorf("up to the end: %v of %d", got, s.count())
	}
	// Nothing on these subjects behind the position: it ends all the same.
	if err := b.Scan(t.Context(), []string{orderKey(other).Subject()}, 3, 4, nil); err != nil {
		t.Errorf("of what is not there: %v", err)
	}
	boom := errors.New("boom")
	err := b.Scan(t.Context(), []string{orderKey(other).Subject()}, 0, 4, func(uint64, eventwire.Event) error { return boom })
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if err := b.Scan(t.Context(), []string{eventwire.Wildcard}, 99, 100, nil); !errors.Is(err, natsbus.ErrBeyond) {
		t.Errorf("beyond the end: %v", err)
	}
}

func TestBus_Scan_of_what_is_purged(t *testing.T) {
	t.Parallel()
	o := quiet(natsbus.Options{StoreDir: t.TempDir(), PerSubject: 2})
	b, id := open(t, o), newOrder()
	publish(t, b, id, 1, 2, 3, 4, 5)
	err := b.Scan(t.Context(), []string{eventwire.Wildcard}, 1, 5, nil)
	if !errors.Is(err, natsbus.ErrPurged) {
		t.Errorf("got %v", err)
	}
}
