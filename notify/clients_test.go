package notify_test

import (
	"context"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	r3client "github.com/r3labs/sse/v2"

	"tracker/notify"
)

// Clients that nobody here wrote.

func TestClient_curl(t *testing.T) {
	t.Parallel()
	for _, w := range []way{plain, r3} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, w, nil)
			f := newFeed(orderKey(1))
			r.emitted(f, 2)
			go func() {
				until(t, "curl watches", func() bool { return r.streams() == 1 })
				r.emit(f.next(true))
			}()
			// It ends with the feed, and with success: the response is whole.
			out, err := exec.CommandContext(t.Context(), "curl", "-sSN", "--fail", "--max-time", "120", "-H", "Accept: text/event-stream", r.feedURL(f.key, "")).Output()
			if err != nil {
				t.Fatalf("curl: %v %s", err, out)
			}
			if got := ids(string(out)); !slices.Equal(got, []string{"1", "2", "3", "3"}) {
				t.Errorf("curl got the ids %v", got)
			}
		})
	}
}

func ids(text string) (list []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			list = append(list, id)
		}
	}
	return list
}

func TestClient_of_r3labs(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 2)
		client := r3client.NewClient(r.feedURL(f.key, ""))
		client.Connection = r.http
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var got []string
		err := client.SubscribeRawWithContext(ctx, func(e *r3client.Event) {
			if len(e.Data) == 0 {
				return
			}
			got = append(got, string(e.ID)+" "+string(e.Event))
			if string(e.ID) == "2" {
				r.emit(f.next(true))
			}
		})
		want := []string{"1 order.step_1", "2 order.step_2", "3 order.step_3", "3 closed"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	})
}

// TestHerd cuts everybody at once, again and again, while changes go on: each
// client must come out with every seq once and in order.
func TestHerd(t *testing.T) {
	t.Parallel()
	for _, l := range lanes() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, l.way, nil)
			const clients, changes = 20, 120
			f := newFeed(orderKey(1))
			r.emitted(f, 1)
			var all sync.WaitGroup
			for range clients {
				all.Go(func() { survive(t, l, r, f, changes) })
			}
			for i := range changes - 1 {
				if i == changes-2 {
					r.emit(f.next(true))
					break
				}
				r.emitted(f, 1)
				if i%40 == 20 {
					r.CloseKey("key")
				}
			}
			all.Wait()
		})
	}
}

func survive(t *testing.T, l lane, r *rig, f *feed, last int64) {
	c := l.follow(t, r, f.key, 0)
	for seq := int64(1); seq <= last; {
		switch got := c.next(); got {
		case strconv.FormatInt(seq, 10):
			seq++
		case "END":
			c.close()
			c = l.follow(t, r, f.key, seq-1)
		default:
			t.Errorf("got %s, want %d", got, seq)
			return
		}
	}
	c.close()
}

func TestWebSocket_slow_client_is_told_to_resume(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	f.padding = 100 << 10 // the kernel's buffers hold megabytes
	r.emitted(f, 1)
	conn, _, err := r.dial(t, r.feedURL(f.key, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	until(t, "it joined", func() bool { return r.count("websocket", "handler") == 1 })
	until(t, "it is cut", func() bool { r.emitted(f, 1); return r.Stats().Ended["slow"] == 1 })
	if got := closeCode(t, conn); got != websocket.StatusCode(4001) {
		t.Errorf("close code %d, want 4001", got)
	}
}

func TestLongPoll_answers_though_the_message_was_evicted(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, func(o *notify.Options) { o.CacheBytes = 1 })
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		got := make(chan polled, 1)
		go func() {
			p, _ := r.poll(t, r.feedURL(f.key, "?after=1&wait=1"))
			got <- p
		}()
		until(t, "it waits", func() bool { return r.polling() == 1 })
		for i := 2; i < 500; i++ {
			g := newFeed(orderKey(i))
			r.book.append(g.next(false))
			newest(t, r.Notifier, g.key)
		}
		select {
		case p := <-got:
			if p.Cursor != 1 || p.Events == nil || len(p.Events) != 0 {
				t.Errorf("%+v", p)
			}
		case <-time.After(patience):
			t.Error("no answer")
		}
	})
}
