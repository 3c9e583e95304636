package web

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// connections counts how the public listener's connections end. Somebody who
// connects and sends nothing, or never the end of a request, costs a connection for
// headerTimeout and makes no line in any log; here it shows.
type connections struct {
	open  prometheus.Gauge
	ended *prometheus.CounterVec

	known sync.Map // net.Conn → *connection
}

// connection is what is known of one that is open.
type connection struct {
	begun   atomic.Bool // a byte of a request came
	handled atomic.Bool // a request was whole
}

type connectionKey struct{}

func newConnections(r prometheus.Registerer) *connections {
	c := &connections{
		open: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tracker_http_connections", Help: "Connections that the HTTP server has open; parked streams and WebSockets are not among them."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tracker_http_connections_ended_total",
			Help: "Connections that ended, by what they had brought: silent (nothing), incomplete (the beginning of a first request), served (one request or more), taken (a parked stream or a WebSocket, which goes on elsewhere)."}, []string{"after"}),
	}
	for _, after := range []string{"silent", "incomplete", "served", "taken"} {
		c.ended.WithLabelValues(after)
	}
	r.MustRegister(c.open, c.ended)
	return c
}

// watch has the server tell about its connections.
func (c *connections) watch(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		one := &connection{}
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
	case o.handled.Load():
		return "served"
	case o.begun.Load():
		return "incomplete"
	}
	return "silent"
}

// handles notes that a request of the connection was whole.
func handles(r *http.Request) {
	if one, ok := r.Context().Value(connectionKey{}).(*connection); ok && !one.handled.Load() {
		one.handled.Store(true)
	}
}
