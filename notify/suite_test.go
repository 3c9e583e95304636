package notify_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"tracker/notify"
	"tracker/notify/eventwire"
)

// follower is a client of any transport. next returns the seq of an event, or
// "reset", "closed" or "END".
type follower interface {
	next() string
	close()
}

// lane is a transport over a way.
type lane struct {
	name   string
	way    way
	follow func(t testing.TB, r *rig, key eventwire.Key, after int64) follower
}

func lanes() (list []lane) {
	for _, w := range ways() {
		list = append(list, lane{"sse " + w.name, w, followSSE})
	}
	for _, w := range []way{plain, overTLS, wrapped, behindNginx} {
		list = append(list, lane{"websocket " + w.name, w, followSocket})
	}
	for _, w := range []way{plain, h2, wrapped, behindNginx} {
		list = append(list, lane{"long poll " + w.name, w, followLong}, lane{"short poll " + w.name, w, followShort})
	}
	return list
}

type sseFollower struct{ *stream }

func followSSE(t testing.TB, r *rig, key eventwire.Key, after int64) follower {
	return sseFollower{r.watch(t, r.feedURL(key, "?after="+strconv.FormatInt(after, 10)))}
}

func (f sseFollower) next() string {
	m := f.stream.next()
	if m.name == "reset" || m.name == "closed" || m.name == "END" {
		return m.name
	}
	return m.id
}

type socketFollower struct {
	t    testing.TB
	conn *websocket.Conn
	done bool
}

func followSocket(t testing.TB, r *rig, key eventwire.Key, after int64) follower {
	conn, _, err := r.dial(t, r.feedURL(key, "?after="+strconv.FormatInt(after, 10)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if conn.Subprotocol() != notify.Subprotocol {
		t.Errorf("subprotocol %q", conn.Subprotocol())
	}
	return &socketFollower{t: t, conn: conn}
}

func (r *rig) dial(t testing.TB, url string, header http.Header) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, strings.Replace(url, "http", "ws", 1),
		&websocket.DialOptions{HTTPClient: r.http, Subprotocols: []string{notify.Subprotocol, "bearer.x"}, HTTPHeader: header})
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, response, err
}

func (f *socketFollower) next() string {
	if f.done {
		return "END"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := f.conn.Read(ctx)
	switch code := websocket.CloseStatus(err); {
	case code == 4000:
		f.done = true
		return "closed"
	case err != nil:
		return "END"
	}
	var m struct {
		Type string
		Seq  int64
	}
	if err := json.Unmarshal(data, &m); err != nil {
		f.t.Fatal(err)
	}
	if m.Type == "reset" {
		return "reset"
	}
	return strconv.FormatInt(m.Seq, 10)
}

func (f *socketFollower) close() { _ = f.conn.CloseNow() }

// pollFollower asks again and again from where it is.
type pollFollower struct {
	t      testing.TB
	r      *rig
	key    eventwire.Key
	after  int64
	query  string
	ready  []string
	closed bool
}

func followLong(t testing.TB, r *rig, key eventwire.Key, after int64) follower {
	return &pollFollower{t: t, r: r, key: key, after: after, query: "&wait=2"}
}

func followShort(t testing.TB, r *rig, key eventwire.Key, after int64) follower {
	return &pollFollower{t: t, r: r, key: key, after: after}
}

func (f *pollFollower) next() string {
	deadline := time.Now().Add(patience)
	for len(f.ready) == 0 && time.Now().Before(deadline) {
		if f.closed {
			return "END"
		}
		p, _ := f.r.poll(f.t, f.r.feedURL(f.key, "?after="+strconv.FormatInt(f.after, 10)+f.query))
		if p.Reset {
			f.ready = append(f.ready, "reset")
		}
		for _, seq := range p.seqs() {
			f.ready = append(f.ready, strconv.FormatInt(seq, 10))
		}
		if f.after = p.Cursor; p.Closed {
			f.closed, f.ready = true, append(f.ready, "closed")
		}
	}
	if len(f.ready) == 0 {
		return "END"
	}
	first := f.ready[0]
	f.ready = f.ready[1:]
	return first
}

func (f *pollFollower) close() {}

// TestFeed_conformance is every case over every transport and path.
func TestFeed_conformance(t *testing.T) {
	t.Parallel()
	cases := map[string]func(t *testing.T, l lane, r *rig){
		"history then live, then closed": caseHistoryThenLive,
		"resume at every cursor":         caseResume,
		"reset":                          caseReset,
		"cursor of a faster process":     caseFasterProcess,
		"closed already":                 caseClosedAlready,
		"change lands while joining":     caseJoinRace,
		"several changes at once":        caseGap,
		"two feeds do not mix":           caseTwoFeeds,
	}
	for _, l := range lanes() {
		for name, run := range cases {
			t.Run(l.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				run(t, l, setup(t, l.way, nil))
			})
		}
	}
}

func expect(t *testing.T, f follower, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := f.next(); got != w {
			t.Fatalf("got %s, want %s", got, w)
		}
	}
}

func caseHistoryThenLive(t *testing.T, l lane, r *rig) {
	f := newFeed(orderKey(1))
	r.emitted(f, 2)
	c := l.follow(t, r, f.key, 0)
	expect(t, c, "1", "2")
	r.emitted(f, 1)
	expect(t, c, "3")
	r.emit(f.next(true))
	expect(t, c, "4", "closed", "END")
}

func caseResume(t *testing.T, l lane, r *rig) {
	f := newFeed(orderKey(1))
	r.emitted(f, 4)
	for after := range int64(5) {
		c := l.follow(t, r, f.key, after)
		for seq := after + 1; seq <= 4; seq++ {
			expect(t, c, strconv.FormatInt(seq, 10))
		}
		if after == 4 {
			r.emitted(f, 1)
			expect(t, c, "5")
		}
		c.close()
	}
}

func caseReset(t *testing.T, l lane, r *rig) {
	f := newFeed(orderKey(1))
	r.emitted(f, 2)
	c := l.follow(t, r, f.key, 7)
	expect(t, c, "reset", "1", "2")
	r.emitted(f, 1)
	expect(t, c, "3")
}

// caseFasterProcess resumes with a cursor that another process has given out
// before this one heard of the event: no reset, and nothing twice when it does.
func caseFasterProcess(t *testing.T, l lane, r *rig) {
	f := newFeed(orderKey(1))
	r.emitted(f, 2)
	if p, _ := r.poll(t, r.feedURL(f.key, "?after=2")); p.Cursor != 2 { // so that it is in memory
		t.Fatalf("got %+v", p)
	}
	third := f.next(false)
	at := r.book.append(third)
	c := l.follow(t, r, f.key, 3)
	if p, _ := r.poll(t, r.feedURL(f.key, "?after=3")); p.Reset || p.Cursor != 3 || len(p.seqs()) != 0 {
		t.Fatalf("got %+v", p)
	}
	r.Publish(at, third)
	r.emitted(f, 1)
	expect(t, c, "4")
}

func caseClosedAlready(t *testing.T, l lane, r *rig) {
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	r.emit(f.next(true))
	expect(t, l.follow(t, r, f.key, 1), "2", "closed", "END")
}

// caseJoinRace commits while clients join, again and again: each must see every
// seq once and in order.
func caseJoinRace(t *testing.T, l lane, r *rig) {
	const clients, changes = 8, 40
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			after := int64(rand.IntN(2))
			c := l.follow(t, r, f.key, after)
			for seq := after + 1; seq <= changes; seq++ {
				if got := c.next(); got != strconv.FormatInt(seq, 10) {
					// Cut for being slow is allowed; a gap or a repetition is not.
					if got != "END" {
						t.Errorf("got %s, want %d", got, seq)
						return
					}
					c.close()
					c = l.follow(t, r, f.key, seq-1)
					seq--
				}
			}
			c.close()
		})
	}
	for range changes - 1 {
		r.emit(f.next(false))
	}
	all.Wait()
}

// caseGap publishes only the last of several changes, as after a gap in the
// stream: the others come from its timeline.
func caseGap(t *testing.T, l lane, r *rig) {
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	c := l.follow(t, r, f.key, 0)
	expect(t, c, "1")
	f.next(false)
	f.next(false)
	last := f.next(false)
	r.emit(last)
	expect(t, c, "2", "3", "4")
	r.emit(last) // and once more: a repetition
	r.emitted(f, 1)
	expect(t, c, "5")
}

func caseTwoFeeds(t *testing.T, l lane, r *rig) {
	a, b := newFeed(orderKey(1)), newFeed(paymentKey(1))
	r.emitted(a, 1)
	r.emitted(b, 1)
	one, two := l.follow(t, r, a.key, 1), l.follow(t, r, b.key, 1)
	r.emitted(a, 2)
	r.emitted(b, 1)
	expect(t, one, "2", "3")
	expect(t, two, "2")
}
