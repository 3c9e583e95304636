package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/r3labs/sse/v2"

	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

func newLane(ctx context.Context, name, dir string, lag *lags) (streamLane, error) {
	switch name {
	case laneParked, laneR3:
		return newFeedLane(ctx, dir, name == laneR3, lag)
	case lanePlain:
		return &plainLane{watchers: map[string]map[chan []byte]struct{}{}}, nil
	case laneR3AsIs:
		server := sse.New()
		server.AutoReplay = false // it would number the events anew
		return &r3Lane{server: server}, nil
	case laneWriteLoop:
		return &writeLoop{fds: map[string][]int{}, lag: lag}, nil
	case laneBare:
		return newSameAnswer(), nil
	}
	return nil, fmt.Errorf("there is no lane %q", name)
}

// orderOf is the order that a request is about.
func orderOf(r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) < 4 {
		return ""
	}
	return parts[3] // /v1/orders/{id}/events
}

// feedLane is tracker's own feed behind an embedded stream: from the NATS message
// to the socket.
type feedLane struct {
	n   *notify.Notifier
	bus *natsbus.Bus
}

func newFeedLane(ctx context.Context, dir string, noParking bool, lag *lags) (*feedLane, error) {
	bus, err := natsbus.Open(ctx, natsbus.Options{StoreDir: filepath.Join(dir, "nats"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	l := &feedLane{bus: bus, n: notify.New(notify.Options{Log: bus, NoParking: noParking, FannedOut: lag.fannedOut})}
	follows := make(chan struct{})
	go l.n.Run(ctx)
	go bus.Follow(ctx, natsbus.Follower{Wants: l.n.Awaits, Event: l.n.Publish, Passed: lag.passed, Ready: sync.OnceFunc(func() { close(follows) })})
	select {
	case <-follows:
	case <-ctx.Done():
	}
	for !noParking && !l.n.Parks() && ctx.Err() == nil {
		_ = pause(ctx, time.Millisecond) // the condition sees the end
	}
	return l, ctx.Err()
}

func (l *feedLane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := eventwire.Key{Merchant: benchMerchant, Kind: eventwire.Orders, ID: orderOf(r)}
	if err := l.n.ServeFeed(w, r, notify.Access{Key: key}); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

func (l *feedLane) publish(ctx context.Context, events []eventwire.Event) error {
	list := make([]natsbus.Message, len(events))
	for i, e := range events {
		body, err := e.Encode()
		if err != nil {
			return err
		}
		list[i] = natsbus.Message{Subject: e.Key().Subject(), ID: e.ID, Body: body}
	}
	return l.bus.Publish(ctx, list)
}

// wire is an event as every other lane sends it.
func wire(e eventwire.Event) []byte {
	data, _ := json.Marshal(e.Public()) // an event that we made
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, data)
}

// plainLane is the handler that everybody writes first: a goroutine and a
// channel for each client.
type plainLane struct {
	mu       sync.Mutex
	watchers map[string]map[chan []byte]struct{}
}

func (l *plainLane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	order, events := orderOf(r), make(chan []byte, 64)
	l.mu.Lock()
	if l.watchers[order] == nil {
		l.watchers[order] = map[chan []byte]struct{}{}
	}
	l.watchers[order][events] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.watchers[order], events)
		l.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	_ = flusher.Flush() // a client that is gone shows in the context
	for {
		select {
		case <-r.Context().Done():
			return
		case text := <-events:
			if _, err := w.Write(text); err != nil || flusher.Flush() != nil {
				return
			}
		}
	}
}

// publish blocks for a moment on a client that is 64 events behind, as such handlers do.
func (l *plainLane) publish(_ context.Context, events []eventwire.Event) error {
	for _, e := range events {
		l.deliver(e)
	}
	return nil
}

func (l *plainLane) deliver(e eventwire.Event) {
	text := wire(e)
	l.mu.Lock()
	list := make([]chan []byte, 0, len(l.watchers[e.Subject]))
	for events := range l.watchers[e.Subject] {
		list = append(list, events)
	}
	l.mu.Unlock()
	for _, events := range list {
		select {
		case events <- text:
		case <-time.After(time.Second): // the measurement must end
		}
	}
}

// r3Lane is r3labs' server as its documentation shows it: one stream per order.
type r3Lane struct{ server *sse.Server }

func (l *r3Lane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	order := orderOf(r)
	if !l.server.StreamExists(order) {
		l.server.CreateStream(order)
	}
	q := r.URL.Query()
	q.Set("stream", order)
	r.URL.RawQuery = q.Encode()
	l.server.ServeHTTP(w, r)
}

func (l *r3Lane) publish(_ context.Context, events []eventwire.Event) error {
	for _, e := range events {
		data, _ := json.Marshal(e.Public()) // an event that we made
		l.server.Publish(e.Subject, &sse.Event{ID: []byte(strconv.FormatInt(e.Seq, 10)), Event: []byte(e.Type), Data: data})
	}
	return nil
}

// writeLoop is the least that a delivery can cost: write(2) on each socket.
type writeLoop struct {
	lag *lags
	mu  sync.Mutex
	fds map[string][]int
}

func (l *writeLoop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
	_ = buffered.Flush()
	raw, err := conn.(*net.TCPConn).File() // a descriptor of its own, in blocking mode
	_ = conn.Close()
	if err != nil {
		return
	}
	fd, err := syscall.Dup(int(raw.Fd()))
	_ = raw.Close()
	if err != nil {
		return
	}
	l.mu.Lock()
	l.fds[orderOf(r)] = append(l.fds[orderOf(r)], fd)
	l.mu.Unlock()
}

func (l *writeLoop) publish(_ context.Context, events []eventwire.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		came := time.Now()
		text := wire(e)
		first := time.Now()
		for _, fd := range l.fds[e.Subject] {
			_, _ = syscall.Write(fd, text) // a client that is gone costs nothing
		}
		l.lag.fannedOut(came, first, time.Now())
	}
	return nil
}
