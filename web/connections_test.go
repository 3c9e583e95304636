package web

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Each way for a connection to end is told from the others.
func TestConnections_are_counted_by_what_they_brought(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { handles(r)() })
	mux.HandleFunc("/park", func(w http.ResponseWriter, r *http.Request) {
		defer handles(r)()
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close() // what becomes of it is not the server's business
		}
	})
	srv := watchServer(t, mux, func(srv *http.Server) { srv.ReadHeaderTimeout = time.Minute }) // it is the client that gives up
	for after, request := range map[string]string{
		"silent":     "",
		"incomplete": "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"served":     "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"taken":      "GET /park HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", srv.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Minute)) // then the read fails
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if after == "silent" || after == "incomplete" {
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatalf("%s: the server did not end it: %v", after, err)
		}
	}
	srv.ended(t, map[string]float64{"silent": 1, "incomplete": 1, "served": 1, "taken": 1})
}

// watchedServer is a server whose connections are counted.
type watchedServer struct {
	*http.Server
	figures *prometheus.Registry
}

// watchServer starts one at a port of the loopback; set may change it before.
func watchServer(t *testing.T, h http.Handler, set func(*http.Server)) watchedServer {
	t.Helper()
	figures := prometheus.NewRegistry()
	srv := newHTTPServer(context.Background(), "", h, slog.New(slog.DiscardHandler))
	set(srv)
	newConnections(figures).watch(srv)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv.Addr = l.Addr().String()
	go srv.Serve(l)
	t.Cleanup(func() { _ = srv.Close() })
	return watchedServer{srv, figures}
}

// ended ends the server and compares what its connections had brought.
func (s watchedServer) ended(t *testing.T, want map[string]float64) {
	t.Helper()
	if err := s.Shutdown(t.Context()); err != nil { // every state was told before it returns
		t.Fatal(err)
	}
	families, err := s.figures.Gather()
	if err != nil || len(families) != 2 {
		t.Fatalf("%v, %v", families, err)
	}
	if n := families[0].Metric[0].Gauge.GetValue(); n != 0 {
		t.Errorf("%v are open", n)
	}
	for _, m := range families[1].Metric {
		after := m.Label[0].GetValue()
		if n := m.Counter.GetValue(); n != want[after] {
			t.Errorf("%v ended after %s, want %v", n, after, want[after])
		}
	}
}
