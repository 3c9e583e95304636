package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/r3labs/sse/v2"

	"tracker/notify"
	"tracker/notify/eventwire"
)

func newLane(ctx context.Context, name string) (feedLane, error) {
	switch name {
	case laneParked, laneR3:
		return newTrackerLane(ctx, name == laneR3), nil
	case lanePlain:
		return &plainLane{watchers: map[string]map[chan []byte]struct{}{}}, nil
	case laneR3AsIs:
		server := sse.New()
		server.AutoReplay = false // it would number the events anew
		return &r3Lane{server: server}, nil
	case laneEcho:
		return newEchoLane(), nil
	case laneWriteLoop:
		return &writeLoop{fds: map[string][]int{}}, nil
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

// trackerLane is tracker's own feed over a log in memory.
type trackerLane struct {
	n    *notify.Notifier
	mu   sync.Mutex
	last map[string]eventwire.Event
}

func newTrackerLane(ctx context.Context, noParking bool) *trackerLane {
	l := &trackerLane{last: map[string]eventwire.Event{}}
	l.n = notify.New(notify.Options{Log: l, NoParking: noParking})
	go l.n.Run(ctx)
	for !noParking && !l.n.Parks() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	return l
}

func (l *trackerLane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := eventwire.Key{Merchant: benchMerchant, Kind: eventwire.Orders, ID: orderOf(r)}
	if err := l.n.ServeFeed(w, r, notify.Access{Key: key}); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

func (l *trackerLane) publish(seq uint64, e eventwire.Event) {
	l.mu.Lock()
	l.last[e.Subject] = e
	l.mu.Unlock()
	l.n.Publish(seq, e)
}

func (l *trackerLane) cut() { l.n.CloseKey("") }

// Last implements [notify.Log].
func (l *trackerLane) Last(_ context.Context, key eventwire.Key) (eventwire.Event, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.last[key.ID]
	return e, ok, nil
}

// Replay implements [notify.Log].
func (*trackerLane) Replay(ctx context.Context, _ []string, _ uint64, _ func(uint64, eventwire.Event) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// Incarnation implements [notify.Log].
func (*trackerLane) Incarnation() string { return "bench" }

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

// publish blocks on a client that is 64 events behind, as such handlers do.
func (l *plainLane) publish(_ uint64, e eventwire.Event) {
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

func (*plainLane) cut() {}

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

func (l *r3Lane) publish(_ uint64, e eventwire.Event) {
	data, _ := json.Marshal(e.Public()) // an event that we made
	l.server.Publish(e.Subject, &sse.Event{ID: []byte(strconv.FormatInt(e.Seq, 10)), Event: []byte(e.Type), Data: data})
}

func (*r3Lane) cut() {}

// writeLoop is the least that a delivery can cost: write(2) on each socket.
type writeLoop struct {
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

func (l *writeLoop) publish(_ uint64, e eventwire.Event) {
	text := wire(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fd := range l.fds[e.Subject] {
		_, _ = syscall.Write(fd, text) // a client that is gone costs nothing
	}
}

func (*writeLoop) cut() {}

// silent is a lane without events.
type silent struct{}

func (silent) publish(uint64, eventwire.Event) {}
func (silent) cut()                            {}

// connBook knows the open connections of a server, so that they can be cut.
type connBook struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func (b *connBook) note(c net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		b.conns = map[net.Conn]struct{}{}
	}
	switch state {
	case http.StateNew:
		b.conns[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(b.conns, c)
	}
}

func (b *connBook) closeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		_ = c.Close()
	}
}
