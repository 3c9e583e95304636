package notify_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"tracker/notify"
)

func eachWay(t *testing.T, test func(t *testing.T, w way)) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

func TestSSE_history_then_live(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 2)
		s := r.watch(t, r.feedURL(f.key, ""))
		if first := s.raw(); first.wait == "" {
			t.Errorf("the first block is %+v, want retry", first)
		}
		s.want("1", "2")
		r.emitted(f, 2)
		s.want("3", "4")
		r.emit(f.next(true))
		s.want("5")
		end := s.wantName("closed")
		if end.id != "5" {
			t.Errorf("closed has id %q: the client would lose its cursor", end.id)
		}
		s.wantName("END")
	})
}

func TestSSE_headers(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		s := r.watch(t, r.feedURL(f.key, ""))
		for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform",
			"X-Accel-Buffering": "no", "X-Request-Id": "req_1"} {
			if name == "X-Accel-Buffering" && w.name == "nginx" {
				continue // it is for nginx, which keeps it
			}
			if got := s.response.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if got := s.response.Header.Get("Date"); got == "" {
			t.Error("no Date")
		}
	})
}

func TestSSE_resumes_at_every_cursor(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 5)
		for after := range 5 {
			s := r.watch(t, r.feedURL(f.key, "?after=0"), "Last-Event-ID", strconv.Itoa(after))
			for seq := after + 1; seq <= 5; seq++ {
				s.want(strconv.Itoa(seq))
			}
			s.close()
			s = r.watch(t, r.feedURL(f.key, "?after="+strconv.Itoa(after)))
			s.want(strconv.Itoa(after + 1))
			s.close()
		}
	})
}

func TestSSE_cursor_from_another_life_is_reset(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 2)
		s := r.watch(t, r.feedURL(f.key, "?after=99"))
		s.wantName("reset")
		s.want("1", "2")
		r.emitted(f, 1)
		s.want("3")
	})
}

func TestSSE_finished_feed(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		r.emit(f.next(true))
		s := r.watch(t, r.feedURL(f.key, "?after=1"))
		s.want("2")
		s.wantName("closed")
		s.wantName("END")
		again := r.get(t, r.feedURL(f.key, ""), "Accept", "text/event-stream", "Last-Event-ID", "2")
		if again.StatusCode != http.StatusNoContent {
			t.Errorf("reconnecting answers %s, want 204", again.Status)
		}
		r.emit(f.next(false)) // delivered, then an exception: it goes on for whoever asks
		s = r.watch(t, r.feedURL(f.key, "?after=2"))
		s.want("3")
	})
}

func TestSSE_heartbeat(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, func(o *notify.Options) { o.Heartbeat = 20 * time.Millisecond })
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		s := r.watch(t, r.feedURL(f.key, "?after=1"))
		for s.raw().note != "hb" {
		}
	})
}

func TestSSE_lifetime(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, func(o *notify.Options) { o.Lifetime = 60 * time.Millisecond })
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		s := r.watch(t, r.feedURL(f.key, ""))
		s.want("1")
		s.wantName("END")
		until(t, "ended by lifetime", func() bool { return r.Stats().Ended["lifetime"] == 1 })
	})
}

func TestSSE_path_is_visible(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		s := r.watch(t, r.feedURL(f.key, ""))
		s.want("1")
		want := w.path
		until(t, "one watcher on "+want, func() bool { return r.count("sse", want) == 1 })
		s.close()
		until(t, "no watcher", func() bool { return r.count("sse", want) == 0 })
		until(t, "counted as gone", func() bool { return r.Stats().Ended["gone"] == 1 })
	})
}

func (r *rig) count(transport, path string) int64 {
	for _, w := range r.Stats().Watchers {
		if w.Transport == transport && w.Path == path {
			return w.Count
		}
	}
	return -1
}
