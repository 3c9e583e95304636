package notify_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tracker/notify"
	"tracker/notify/eventwire"
)

// dialRaw opens a stream by hand, so that the test owns the socket.
func (r *rig) dialRaw(t *testing.T, key eventwire.Key, query string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "GET /%s/%s/events%s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n", key.Kind.Plural(), key.ID, query)
	return conn.(*net.TCPConn)
}

// paths are the two ways of a plain connection, on which a test can own the socket.
func eachPath(t *testing.T, test func(t *testing.T, w way)) {
	t.Parallel()
	for _, w := range []way{plain, r3} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

func (r *rig) streams() int64 { return r.count("sse", "parked") + r.count("sse", "r3labs") }

// enough events of 100 KB fill every buffer on the way to who does not read.
const enough = 300

func TestSlow_client_is_cut_and_resumes_while_others_get_everything(t *testing.T) {
	eachPath(t, func(t *testing.T, w way) {
		r := setup(t, w, func(o *notify.Options) { o.SendBuffer, o.WriteTimeout = 4<<10, 5*time.Second })
		f := newFeed(orderKey(1))
		if w.noPark {
			f.padding = 100 << 10 // the kernel's own buffers hold megabytes
		}
		r.emitted(f, 1)
		stalled := r.dialRaw(t, f.key, "")
		if !w.noPark {
			_ = stalled.SetReadBuffer(1 << 10)
		}
		until(t, "the stalled one joined", func() bool { return r.streams() == 1 })
		s := r.watch(t, r.feedURL(f.key, ""))
		s.want("1")
		until(t, "the healthy one joined", func() bool { return r.streams() == 2 })
		last := 1
		until(t, "the stalled one is cut", func() bool {
			if last < enough {
				r.emitted(f, 1)
				last++
				s.want(strconv.Itoa(last)) // the healthy one has each before the next is made
			}
			return r.Stats().Ended["slow"] == 1
		})
		if got := r.streams(); got != 1 {
			t.Errorf("%d streams, want the healthy one", got)
		}
		seq := lastWhole(t, stalled)
		again := r.watch(t, r.feedURL(f.key, ""), "Last-Event-ID", strconv.Itoa(seq))
		if seq < last {
			again.want(strconv.Itoa(seq + 1))
		}
	})
}

// lastWhole reads what a cut client had got and returns its cursor: the id of
// the last event that is complete.
func lastWhole(t *testing.T, conn net.Conn) (seq int) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body) // it ends, or with a reset
	blocks := strings.Split(string(text), "\n\n")
	for _, block := range blocks[:len(blocks)-1] {
		for line := range strings.SplitSeq(block, "\n") {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "id: "); ok {
				seq, _ = strconv.Atoi(id)
			}
		}
	}
	return seq
}

func TestClient_that_goes_is_noticed(t *testing.T) {
	for name, leave := range map[string]func(c *net.TCPConn){
		"close":      func(c *net.TCPConn) { _ = c.Close() },
		"reset":      func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
		"half-close": func(c *net.TCPConn) { _ = c.CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			eachPath(t, func(t *testing.T, w way) {
				r := setup(t, w, func(o *notify.Options) { o.Heartbeat = time.Hour })
				f := newFeed(orderKey(1))
				r.emitted(f, 1)
				c := r.dialRaw(t, f.key, "")
				until(t, "it joined", func() bool { return r.streams() == 1 })
				leave(c)
				until(t, "it is gone", func() bool { return r.streams() == 0 && r.Stats().Ended["gone"] == 1 })
			})
		})
	}
}

func TestClient_that_sends_after_its_request_harms_nobody(t *testing.T) {
	eachPath(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		c := r.dialRaw(t, f.key, "?after=1")
		until(t, "it joined", func() bool { return r.streams() == 1 })
		_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		sent, _ := io.Copy(c, endless{})
		t.Logf("the kernel took %d bytes", sent)
		s := r.watch(t, r.feedURL(f.key, ""))
		r.emitted(f, 1)
		s.want("1", "2")
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestFrame_larger_than_the_buffer_arrives_by_resuming(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.SendBuffer = 4 << 10 })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	s := r.watch(t, r.feedURL(f.key, ""))
	s.want("1")
	e := f.next(false)
	e.Resource = []byte(`{"id":"` + f.key.ID + `","text":"` + strings.Repeat("x", 8<<20) + `"}`)
	r.emit(e)
	if m := s.next(); m.name != "END" {
		t.Fatalf("got %s %d bytes, want a cut", m.id, len(m.data))
	}
	s = r.watch(t, r.feedURL(f.key, "?after=1"))
	s.want("2")
}

func TestLimits(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*notify.Options)
		want   int
		limit  string
	}{
		"total":   {func(o *notify.Options) { o.MaxWatchers = 2 }, http.StatusServiceUnavailable, "total"},
		"feed":    {func(o *notify.Options) { o.MaxPerFeed = 2 }, http.StatusTooManyRequests, "feed"},
		"address": {func(o *notify.Options) { o.MaxPerAddress = 2 }, http.StatusTooManyRequests, "address"},
	} {
		t.Run(name, func(t *testing.T) {
			eachPath(t, func(t *testing.T, w way) {
				r := setup(t, w, test.change)
				f := newFeed(orderKey(1))
				r.emitted(f, 1)
				var open []*stream
				for range 20 {
					response := r.get(t, r.feedURL(f.key, ""), "Accept", "text/event-stream", "X-Address", "192.0.2.1")
					if response.StatusCode != http.StatusOK {
						body, _ := io.ReadAll(response.Body)
						if response.StatusCode != test.want || strings.TrimSpace(string(body)) != test.limit {
							t.Fatalf("%s %s, want %d %s", response.Status, body, test.want, test.limit)
						}
						break
					}
					open = append(open, &stream{t: t, response: response})
				}
				if len(open) != 2 {
					t.Fatalf("%d got in", len(open))
				}
				if got := r.Stats().Refused[test.limit]; got != 1 {
					t.Errorf("%d refused, want 1", got)
				}
				open[0].close()
				until(t, "there is room again", func() bool {
					response := r.get(t, r.feedURL(f.key, ""), "Accept", "text/event-stream", "X-Address", "192.0.2.1")
					return response.StatusCode == http.StatusOK
				})
			})
		})
	}
}

func TestLimits_do_not_touch_short_polls(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.MaxWatchers = 1 })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	r.watch(t, r.feedURL(f.key, ""))
	for range 30 {
		if p, response := r.poll(t, r.feedURL(f.key, "")); p.Cursor != 1 {
			t.Fatal(response.Status)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, l := range lanes() {
		if strings.Contains(l.name, "poll") {
			continue // TestDrain_answers_waiting_polls
		}
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, l.way, nil)
			f := newFeed(orderKey(1))
			r.emitted(f, 1)
			const clients = 5
			ended := make(chan string, clients)
			for range clients {
				c := l.follow(t, r, f.key, 1)
				go func() { ended <- c.next() }()
			}
			until(t, "all are in", func() bool { return r.watching() == clients })
			if err := r.Drain(context.Background()); err != nil {
				t.Fatal(err)
			}
			for range clients {
				if got := <-ended; got != "END" {
					t.Errorf("got %s, want the end", got)
				}
			}
			if got := r.watching(); got != 0 {
				t.Errorf("%d watchers left", got)
			}
			response := r.get(t, r.feedURL(f.key, ""), "Accept", "text/event-stream")
			if response.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("a newcomer gets %s, want 503", response.Status)
			}
		})
	}
}

func TestDrain_answers_waiting_polls(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		got := make(chan *http.Response, 1)
		go func() {
			_, response := r.poll(t, r.feedURL(f.key, "?after=1&wait=60"))
			got <- response
		}()
		until(t, "the poll waits", func() bool { return r.watching() == 1 })
		if err := r.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if response := <-got; response.StatusCode != http.StatusOK || response.Header.Get("Retry-After") == "" {
			t.Errorf("a drained poll got %s", response.Status)
		}
	})
}

func (r *rig) watching() (total int64) {
	for _, w := range r.Stats().Watchers {
		total += w.Count
	}
	return total
}

func TestDrain_tells_streams_when_to_come_back(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		s := r.watch(t, r.feedURL(f.key, ""))
		s.raw()
		s.want("1")
		until(t, "it joined", func() bool { return r.streams() == 1 })
		go func() { _ = r.Drain(context.Background()) }()
		if m := s.raw(); m.wait == "" || m.name != "" || m.data != "" || (m.id != "" && m.id != "1") {
			t.Errorf("the goodbye is %+v, want a reconnection time and nothing else", m)
		}
	})
}

func TestDrain_gives_up_with_its_context(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.DrainWindow = time.Hour })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	for range 3 {
		r.watch(t, r.feedURL(f.key, ""))
	}
	until(t, "all joined", func() bool { return r.streams() == 3 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := r.Drain(ctx); err == nil {
		t.Error("Drain reports success with watchers left")
	}
}

func TestRun_end_cuts_everybody(t *testing.T) {
	t.Parallel()
	for _, l := range lanes() {
		if strings.Contains(l.name, "poll") {
			continue // a poll ends by itself
		}
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, l.way, nil)
			f := newFeed(orderKey(1))
			r.emitted(f, 1)
			c := l.follow(t, r, f.key, 0)
			expect(t, c, "1")
			until(t, "it joined", func() bool { return r.watching() == 1 })
			r.stop()
			expect(t, c, "END")
			until(t, "nobody is left", func() bool { return r.watching() == 0 })
		})
	}
}
