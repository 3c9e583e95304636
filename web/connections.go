package web

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// connections counts how the public listener's connections end. Somebody who
// connects and sends nothing, or never the end of a request, costs a connection for
// headerTimeout and makes no line in any log; here it shows. So does who begins
// HTTP/2 requests only to reset them, and is cut for it.
type connections struct {
	open  prometheus.Gauge
	ended *prometheus.CounterVec

	known sync.Map // net.Conn → *connection
}

// connection is what is known of one that is open.
type connection struct {
	conn    net.Conn
	begun   atomic.Bool // a byte of a request came
	handled atomic.Bool // a request was whole
	cut     atomic.Bool // it had reset too much

	mu     sync.Mutex
	resets int       // within the window
	since  time.Time // when the window began
}

type connectionKey struct{}

func newConnections(r prometheus.Registerer) *connections {
	c := &connections{
		open: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tracker_http_connections", Help: "Connections that the HTTP server has open; parked streams and WebSockets are not among them."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tracker_http_connections_ended_total",
			Help: "Connections that ended, by what they had brought: silent (nothing), incomplete (the beginning of a first request), served (one request or more), resets (HTTP/2 requests that were reset as soon as they had begun, and so many that the connection was cut), taken (a parked stream or a WebSocket, which goes on elsewhere)."}, []string{"after"}),
	}
	for _, after := range []string{"silent", "incomplete", "served", "resets", "taken"} {
		c.ended.WithLabelValues(after)
	}
	r.MustRegister(c.open, c.ended)
	return c
}

// watch has the server tell about its connections.
func (c *connections) watch(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		one := &connection{conn: conn}
		c.known.Store(conn, one)
		c.open.Inc()
		return context.WithValue(ctx, connectionKey{}, one)
	}
	srv.ConnState = c.changed
}

func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateActive:
		if one, ok := c.known.Load(conn); ok {
			one.(*connection).begun.Store(true)
		}
	case http.StateClosed, http.StateHijacked:
		if one, ok := c.known.LoadAndDelete(conn); ok {
			c.open.Dec()
			c.ended.WithLabelValues(one.(*connection).after(state)).Inc()
		}
	}
}

func (o *connection) after(state http.ConnState) string {
	switch {
	case state == http.StateHijacked:
		return "taken"
	case o.cut.Load():
		return "resets"
	case o.handled.Load():
		return "served"
	case o.begun.Load():
		return "incomplete"
	}
	return "silent"
}

// handles notes that a request of the connection was whole. What it returns is
// called when the request was handled.
func handles(r *http.Request) (done func()) {
	one, ok := r.Context().Value(connectionKey{}).(*connection)
	if ok && !one.handled.Load() {
		one.handled.Store(true)
	}
	if !ok || r.ProtoMajor < 2 {
		return func() {}
	}
	begun := time.Now()
	return func() {
		if now := time.Now(); r.Context().Err() != nil && now.Sub(begun) < early {
			one.reset(now)
		}
	}
}

// Resetting a request is a client's right, and one that stands for many, such as a
// proxy, may have all of its streams leave it at once. But who resets what has just
// begun, again and again, makes us work for nothing and evades the bound on its
// streams (CVE-2023-44487). net/http bounds what that costs at a time, and has no
// limit on how long it goes on.
const (
	early       = time.Second      // how old a request is at most that was reset too soon to have been meant
	resetWindow = 10 * time.Second // in which
	maxResets   = streamsPerConnection
)

// reset notes that a request was reset early, and cuts a connection that does
// nothing else.
func (o *connection) reset(at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at.Sub(o.since) > resetWindow {
		o.since, o.resets = at, 0
	}
	o.resets++
	if o.resets > maxResets && o.cut.CompareAndSwap(false, true) {
		go func() { _ = o.conn.Close() }() // TLS would wait to say farewell
	}
}
