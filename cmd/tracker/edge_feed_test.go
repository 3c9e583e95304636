package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// stream is an SSE connection that a test reads event by event.
type stream struct {
	answer *http.Response
	events chan sseEvent
	beats  chan struct{} // heartbeats
}

// openStream asks for compression, as browsers do, and undoes what it is given.
func openStream(t *testing.T, client *http.Client, url, token string) *stream {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the stream was refused: %d", answer.StatusCode)
	}
	s := &stream{answer: answer, events: make(chan sseEvent, 100), beats: make(chan struct{}, 100)}
	go func() {
		defer close(s.events)
		var body io.Reader = answer.Body
		if answer.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(body)
			if err != nil {
				return
			}
			body = unzipped
		}
		readSSE(io.TeeReader(body, beatWriter(s.beats)), func(e sseEvent) bool { s.events <- e; return true })
	}()
	return s
}

// beatWriter sees the comments of a stream, each of which comes in one piece.
type beatWriter chan struct{}

func (w beatWriter) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte(":")) || bytes.Contains(p, []byte("\n:")) {
		w <- struct{}{}
	}
	return len(p), nil
}

// next is the event with this id, which must be the next one.
func (s *stream) next(t *testing.T, id int) {
	t.Helper()
	select {
	case e, open := <-s.events:
		if !open || e.id != strconv.Itoa(id) || !json.Valid([]byte(e.data)) {
			t.Fatalf("event %d was next, got %+v (open: %v)", id, e, open)
		}
	case <-time.After(patience):
		t.Fatalf("event %d did not come", id)
	}
}

// shipped is an order under way, whose feed can be made to move.
type shipped struct {
	walk
	moves int
	seq   int
}

// newShipped is the main path up to the parcel, under keys of the test's own.
func newShipped(p *program) *shipped {
	p.t.Helper()
	w, key := &shipped{}, p.t.Name()
	o := p.must(201, "POST", "/v1/orders", object{"reference": "2042", "currency": "EUR", "items": []object{
		{"sku": "mug", "name": "Mug", "quantity": 2, "unit_amount": 1500}}}, "Idempotency-Key", key+"/place")
	w.order, w.token = o["id"].(string), o["tracking_token"].(string)
	o = p.must(201, "POST", "/v1/payments", object{"order_id": w.order}, "Idempotency-Key", key+"/pay")
	p.decide(o["next_action"].(object)["url"].(string), "approve")
	p.until("the order is confirmed", func() bool { return p.field("/v1/orders/"+w.order, "status") == "confirmed" })
	p.must(201, "POST", "/v1/orders/"+w.order+"/shipments", object{"carrier": "DHL", "tracking_number": "00340434"}, "Idempotency-Key", key+"/ship")
	w.shipment = p.must(200, "GET", "/v1/orders/"+w.order, nil)["shipments"].([]any)[0].(object)["id"].(string)
	w.seq = w.sequence(p)
	return w
}

func (w *shipped) sequence(p *program) int {
	n, err := strconv.Atoi(p.field("/v1/orders/"+w.order, "sequence"))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// move makes one more event and returns its sequence.
func (w *shipped) move(p *program) int {
	p.t.Helper()
	status := []string{"in_transit", "delayed"}[w.moves%2]
	w.moves++
	if code, o := p.call("POST", "/v1/shipments/"+w.shipment+"/events", object{"status": status, "occurred_at": carriedAt(w.moves)}); code/100 != 2 {
		p.t.Fatalf("carrier event: %d %v", code, o)
	}
	w.seq++
	return w.seq
}

func (w *shipped) feed() string { return "/v1/orders/" + w.order + "/events" }

func TestEdge_feed_arrives_event_by_event(t *testing.T) {
	t.Parallel()
	direct := startProgram(t, map[string]string{"TRACKER_TRUSTED_PROXIES": "127.0.0.1"})
	e := startEdge(t, allIn(direct.env["TRACKER_ADDR"]))
	p := e.behind(t, direct)
	w := newShipped(p)

	for version, base := range map[int]string{1: e.plain, 2: e.secure} {
		t.Run(fmt.Sprint("SSE over HTTP/", version), func(t *testing.T) {
			s := openStream(t, e.client, base+w.feed()+"?after="+strconv.Itoa(w.seq), w.token)
			if s.answer.ProtoMajor != version {
				t.Errorf("answered over %s", s.answer.Proto)
			}
			for _, header := range []string{"Content-Encoding", "Content-Length"} {
				if v := s.answer.Header.Get(header); v != "" {
					t.Errorf("a stream with %s: %s", header, v)
				}
			}
			for range 3 {
				s.next(t, w.move(p))
			}
		})
	}
	t.Run("long poll", func(t *testing.T) {
		answer, body := visit(t, e.client, e.plain+w.feed()+"?wait=1&after="+strconv.Itoa(w.seq), "Authorization", "Bearer "+w.token)
		if answer.StatusCode != 200 || !strings.Contains(body, `"events":[]`) {
			t.Errorf("nothing new for a second: %d %s", answer.StatusCode, body)
		}
		news := make(chan string, 1)
		waiting, seq := direct.watchers(), w.seq
		go func() {
			_, body := visit(t, e.client, e.plain+w.feed()+"?wait=60&after="+strconv.Itoa(seq), "Authorization", "Bearer "+w.token)
			news <- body
		}()
		direct.until("the poll waits", func() bool { return direct.watchers() > waiting })
		seq = w.move(p)
		if body := <-news; !strings.Contains(body, `"cursor":`+strconv.Itoa(seq)) {
			t.Errorf("the news: %s", body)
		}
	})
	t.Run("short poll", func(t *testing.T) {
		for _, url := range []string{e.plain + w.feed() + "?after=0", e.secure + "/v1/orders/" + w.order + "/status"} {
			first, body := visit(t, e.client, url, "Authorization", "Bearer "+w.token)
			again, rest := visit(t, e.client, url, "Authorization", "Bearer "+w.token, "If-None-Match", first.Header.Get("ETag"))
			if first.StatusCode != 200 || len(body) == 0 || again.StatusCode != 304 || rest != "" {
				t.Errorf("%s: %d, then %d %s", url, first.StatusCode, again.StatusCode, rest)
			}
		}
	})
	t.Run("WebSocket", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c, _, err := websocket.Dial(ctx, e.plain+w.feed()+"?after="+strconv.Itoa(w.seq), &websocket.DialOptions{
			Subprotocols: []string{"tracker.v1"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		for range 3 {
			want := w.move(p)
			_, text, err := c.Read(ctx)
			if err != nil || !strings.Contains(string(text), `"seq":`+strconv.Itoa(want)) {
				t.Fatalf("event %d was next: %s %v", want, text, err)
			}
		}
	})
	t.Run("many streams on one connection", func(t *testing.T) {
		var tabs []*stream
		for range 40 {
			tabs = append(tabs, openStream(t, e.client, e.secure+w.feed()+"?after="+strconv.Itoa(w.seq), w.token))
		}
		seq := w.move(p)
		for _, s := range tabs {
			s.next(t, seq)
		}
	})
	t.Run("pages", func(t *testing.T) {
		page, body := visit(t, e.client, e.secure+"/track/"+w.order, "Authorization", "Bearer "+w.token)
		if page.StatusCode != 200 || !strings.Contains(body, "<h1") {
			t.Errorf("%d %s", page.StatusCode, body)
		}
	})
}

// defaultNginx is what a distribution comes with and one proxy_pass: buffering,
// HTTP/1.0 to the upstream, and compression of everything that it can be told to.
const defaultNginx = `
events {}
http {
    access_log off;
    client_body_temp_path DIR/tmp/body;
    proxy_temp_path DIR/tmp/proxy;
    gzip on;
    gzip_types *;
    gzip_proxied any;
    server {
        listen PLAIN;
        location / { proxy_pass http://UPSTREAM; }
    }
}
`

func TestEdge_feed_arrives_through_an_nginx_that_knows_nothing_of_it(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	w := newShipped(p)
	e := newEdge(t)
	e.conf(t, defaultNginx, []string{"DIR", e.dir, "PLAIN", strings.TrimPrefix(e.plain, "http://"), "UPSTREAM", p.env["TRACKER_ADDR"]})
	e.run(t)
	s := openStream(t, e.client, e.plain+w.feed()+"?after="+strconv.Itoa(w.seq-1), w.token)
	s.next(t, w.seq)
	for range 5 {
		s.next(t, w.move(p))
	}
	answer, body := visit(t, e.client, e.plain+w.feed()+"?wait=1&after="+strconv.Itoa(w.seq), "Authorization", "Bearer "+w.token)
	if answer.StatusCode != 200 || !strings.Contains(body, `"events":[]`) {
		t.Errorf("a long poll: %d %s", answer.StatusCode, body)
	}
}

func TestEdge_idle_stream_outlives_the_read_timeout(t *testing.T) {
	t.Parallel()
	const short = 25 * time.Second // more than one heartbeat, less than two
	p := startProgram(t, nil)
	w := newShipped(p)
	e := startEdge(t, allIn(p.env["TRACKER_ADDR"]), "proxy_read_timeout 90s;", "proxy_read_timeout "+short.String()+";")
	s := openStream(t, e.client, e.plain+w.feed()+"?after="+strconv.Itoa(w.seq), w.token)
	began := time.Now()
	for time.Since(began) <= short {
		select {
		case <-s.beats:
		case e, open := <-s.events:
			t.Fatalf("not a heartbeat: %+v (open: %v)", e, open)
		case <-time.After(patience):
			t.Fatal("no heartbeat")
		}
	}
	s.next(t, w.move(p))
}

func TestEdge_waits_longer_than_any_long_poll(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(deployDir, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	feed := conf[strings.Index(conf, "location ~ ^/v1/(events"):]
	feed = feed[:strings.Index(feed, "}\n")]
	wait := regexp.MustCompile(`proxy_read_timeout (\d+)s;`).FindStringSubmatch(feed)
	if wait == nil {
		t.Fatalf("the feed has no time-out of its own:\n%s", feed)
	}
	if s, _ := strconv.Atoi(wait[1]); s <= 60+15 {
		t.Errorf("a long poll of 60 s and a heartbeat's time do not fit into %d s", s)
	}
	if !strings.Contains(feed, "proxy_buffering off;") {
		t.Error("the feed is buffered")
	}
	types := regexp.MustCompile(`gzip_types ([^;]*);`).FindStringSubmatch(conf)
	if types == nil || strings.Contains(types[1], "event-stream") || strings.Contains(types[1], "*") {
		t.Errorf("streams are compressed: %v", types)
	}
}
