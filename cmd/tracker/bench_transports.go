package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// benchTransports compares the four transports on the same changes.
type benchTransports struct {
	benchFlags
	Clients  int           `default:"200" help:"Clients of each transport. Default: 200."`
	Events   int           `default:"10" help:"Changes of the order that they all follow. Default: 10."`
	Every    time.Duration `default:"1s" help:"One change in so long. Default: 1s."`
	Interval time.Duration `default:"2s" help:"How often a short poll asks. Default: 2s."`
}

// Help is the longer help of the command.
func (benchTransports) Help() string {
	return `One order changes a few times; the same number of clients follows it over each
transport in turn. Delay is from the change to the client's having read it.
CPU is the server process's, bytes are what went over the clients' sockets.
"Per update" is per change and client.`
}

// Run measures.
func (c *benchTransports) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	if c.Events < 1 || c.Interval <= 0 {
		return errors.New("--events must be at least 1, and --interval longer than nothing")
	}
	return c.run(ctx, out, "transports", c)
}

func (c *benchTransports) setting() string {
	return fmt.Sprintf("%d clients, %d changes, one every %s, short poll every %s", c.Clients, c.Events, c.Every, c.Interval)
}

func (c *benchTransports) measure(ctx context.Context, out *console, r *report) error {
	for _, t := range []struct {
		name   string
		follow func(*oneClient, context.Context)
	}{{"short poll", (*oneClient).shortPoll}, {"long poll", (*oneClient).longPoll}, {"SSE", (*oneClient).sse}, {"WebSocket", (*oneClient).webSocket}} {
		progress(out, "transports: %s", t.name)
		err := on(ctx, laneParked, nil, func(s subject, _ *crowd) error { return c.over(ctx, r, s, t.name, t.follow) })
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// traffic is what all followers of one transport did together.
type traffic struct {
	requests, bytes, conns, most, got, failed atomic.Int64
	delay                                     histogram
}

func (c *benchTransports) over(ctx context.Context, r *report, s subject, name string, follow func(*oneClient, context.Context)) error {
	book, err := s.orders(ctx, 1)
	if err != nil {
		return err
	}
	var all traffic
	following, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	for i := range c.Clients {
		f := newOneClient(&all, "http://"+s.address()+"/v1/orders/"+book.ids[0]+"/events", c.Interval, i, c.Clients)
		group.Go(func() { follow(f, following) })
	}
	if err := pause(ctx, max(time.Second, c.Interval)); err != nil {
		return err
	}
	requests, sent := all.requests.Load(), all.bytes.Load()
	updates := int64(c.Clients * c.Events)
	spent, err := usage(s, func() error {
		for range c.Events {
			if err := s.change(ctx, book, changes{Feeds: 1, Events: 1}); err != nil {
				return err
			}
			if err := pause(ctx, c.Every); err != nil {
				return err
			}
		}
		return all.await(ctx, updates)
	})
	if err != nil {
		return err
	}
	per := float64(updates)
	r.delays("transports", name, "delay", &all.delay)
	r.add("transports", name, "requests", float64(all.requests.Load()-requests)/per, "per update and client")
	r.add("transports", name, "bytes", float64(all.bytes.Load()-sent)/per, "per update and client")
	r.add("transports", name, "connections", float64(all.most.Load())/float64(c.Clients), "per client")
	r.add("transports", name, "CPU", float64(spent.Microseconds())/per, "µs per update and client")
	r.none("transports", name, "missed", updates-all.got.Load(), "updates")
	return nil
}

// await returns when so many updates have come, or will not come any more.
func (t *traffic) await(ctx context.Context, updates int64) error {
	for deadline := time.Now().Add(catchUpTime); t.got.Load() < updates && time.Now().Before(deadline); {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// oneClient is one client.
type oneClient struct {
	all      *traffic
	url      string
	interval time.Duration
	offset   time.Duration
	cursor   int64
	http     *http.Client
}

func newOneClient(all *traffic, url string, interval time.Duration, i, n int) *oneClient {
	var d net.Dialer
	transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		now := all.conns.Add(1)
		for most := all.most.Load(); now > most && !all.most.CompareAndSwap(most, now); most = all.most.Load() {
		}
		return &countedConn{Conn: conn, all: all}, nil
	}}
	return &oneClient{all: all, url: url, interval: interval, offset: interval * time.Duration(i) / time.Duration(n), cursor: 1, http: &http.Client{Transport: transport}}
}

// countedConn counts bytes in both directions.
type countedConn struct {
	net.Conn
	all  *traffic
	once sync.Once
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.all.bytes.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.all.bytes.Add(int64(n))
	return n, err
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.all.conns.Add(-1) })
	return c.Conn.Close()
}

// see counts an event.
func (f *oneClient) see(seq int64, data []byte) {
	if seq <= f.cursor {
		return
	}
	f.cursor = seq
	f.all.got.Add(1)
	_, rest, _ := bytes.Cut(data, []byte(`"sent":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	if sent, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
		f.all.delay.add(time.Duration(time.Now().UnixNano() - sent))
	}
}

func (f *oneClient) shortPoll(ctx context.Context) {
	defer f.http.CloseIdleConnections()
	if pause(ctx, f.offset) != nil { // not all at the same moment
		return
	}
	for ctx.Err() == nil {
		f.poll(ctx, "")
		if pause(ctx, f.interval) != nil {
			return
		}
	}
}

func (f *oneClient) longPoll(ctx context.Context) {
	defer f.http.CloseIdleConnections()
	for ctx.Err() == nil {
		f.poll(ctx, "&wait=30")
	}
}

// poll asks once. An empty answer to a short poll is a 304.
func (f *oneClient) poll(ctx context.Context, wait string) {
	f.all.requests.Add(1)
	res, err := f.get(ctx, f.url+"?after="+strconv.FormatInt(f.cursor, 10)+wait, map[string]string{"If-None-Match": fmt.Sprintf("%q", strconv.FormatInt(f.cursor, 10))})
	if err != nil {
		f.fail(ctx)
		return
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode == http.StatusNotModified {
		return
	}
	var page struct {
		Events []json.RawMessage `json:"events"`
	}
	if json.Unmarshal(text, &page) != nil {
		f.fail(ctx)
		return
	}
	for _, e := range page.Events {
		f.see(seqOf(e), e)
	}
}

func (f *oneClient) get(ctx context.Context, url string, header map[string]string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return f.http.Do(req)
}

// fail counts a request that failed and keeps the loop from spinning.
func (f *oneClient) fail(ctx context.Context) {
	if ctx.Err() == nil {
		f.all.failed.Add(1)
		_ = pause(ctx, 100*time.Millisecond) // the loop sees the end by itself
	}
}

func seqOf(event []byte) int64 {
	var e struct {
		Seq int64 `json:"seq"`
	}
	_ = json.Unmarshal(event, &e) // 0 is seen by nobody
	return e.Seq
}

func (f *oneClient) sse(ctx context.Context) {
	for ctx.Err() == nil {
		f.all.requests.Add(1)
		res, err := f.get(ctx, f.url, map[string]string{"Accept": "text/event-stream", "Last-Event-ID": strconv.FormatInt(f.cursor, 10)})
		if err != nil {
			f.fail(ctx)
			continue
		}
		var retry time.Duration
		reader := &feedReader{event: func(e frame) error { f.see(seqOf(e.Data), e.Data); return nil }}
		_ = reader.read(res.Body, &retry, func() {}) // it ends with the connection, and is opened again
		_ = res.Body.Close()
	}
}

func (f *oneClient) webSocket(ctx context.Context) {
	for ctx.Err() == nil {
		f.all.requests.Add(1)
		conn, _, err := websocket.Dial(ctx, f.url+"?after="+strconv.FormatInt(f.cursor, 10), &websocket.DialOptions{HTTPClient: f.http, Subprotocols: []string{"tracker.v1"}})
		if err != nil {
			f.fail(ctx)
			continue
		}
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				break
			}
			f.see(seqOf(text), text)
		}
		_ = conn.CloseNow()
	}
}
