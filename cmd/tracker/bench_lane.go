package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tracker/notify/eventwire"
)

// The lanes: ways to serve an event stream.
const (
	laneParked    = "parked"
	laneR3        = "r3labs"
	lanePlain     = "plain"
	laneR3AsIs    = "r3labs-as-is"
	laneWriteLoop = "write-loop"
	laneBare      = "bare-echo"
)

// benchLane serves event streams in one way, and is told by HTTP on a second
// port what to publish. It ends with its standard input.
type benchLane struct {
	Name string `arg:""`
	Dir  string `help:"Where it may keep what it stores."`
}

// streamLane is a way to serve the streams of many orders.
type streamLane interface {
	http.Handler
	// publish brings events to all who watch their orders. It is called by one
	// goroutine at a time.
	publish(ctx context.Context, events []eventwire.Event) error
}

// Run serves until the standard input ends.
func (c *benchLane) Run(ctx context.Context, out *console) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // the end of the parent, however it ends
		cancel()
	}()
	if err := raise(); err != nil {
		return err
	}
	figures := prometheus.NewRegistry()
	l, err := newLane(ctx, c.Name, c.Dir, newLags(figures))
	if err != nil {
		return err
	}
	s := &laneServer{lane: l, past: map[string][]eventwire.Transition{}, figures: figures}
	feed, err := s.serve(ctx, l)
	if err != nil {
		return err
	}
	control, err := s.serve(ctx, s.control())
	if err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "%s %s\n", feed, control)
	<-ctx.Done()
	return nil
}

// serve answers on a port of its own until ctx ends.
func (s *laneServer) serve(ctx context.Context, h http.Handler) (net.Addr, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go server.Serve(l)
	context.AfterFunc(ctx, func() { server.Close() })
	return l.Addr(), nil
}

// laneServer publishes on a lane as it is told. Its requests come one at a time.
type laneServer struct {
	lane streamLane
	past map[string][]eventwire.Transition
	size int

	figures *prometheus.Registry
}

func (s *laneServer) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		var p publishing
		err := json.NewDecoder(r.Body).Decode(&p)
		if err == nil {
			err = s.publish(r.Context(), p)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /pids", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "[%d]\n", os.Getpid()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.figures, promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /collect", func(http.ResponseWriter, *http.Request) { runtime.GC() })
	if a, ok := s.lane.(*sameAnswer); ok {
		mux.HandleFunc("POST /answer", a.learn)
	}
	return mux
}

// largestBatch is how many events are published together where they are due.
const largestBatch = 256

func (s *laneServer) publish(ctx context.Context, p publishing) error {
	s.size = p.Size
	began := time.Now()
	for i := 0; i < p.Events; {
		due := p.Events
		if p.Rate > 0 {
			if err := pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(p.Rate)))); err != nil {
				return err
			}
			due = min(due, int(time.Since(began)*time.Duration(p.Rate)/time.Second)+1)
		}
		var batch []eventwire.Event
		for ; i < due && len(batch) < largestBatch; i++ {
			batch = append(batch, s.next(benchOrder(p.From+i%max(p.Feeds, 1))))
		}
		if err := s.lane.publish(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

const benchMerchant = "mer_00000000000000000000000001"

func benchOrder(n int) string { return fmt.Sprintf("ord_%026d", n) }

// usualSize is about what an order with one item and no parcel takes.
const usualSize = 1200

// next is the next event of an order. It carries the moment of its making, by
// which a client tells its delay, and is filled up to the size that was asked for.
func (s *laneServer) next(order string) eventwire.Event {
	now := time.Now()
	list := s.past[order]
	t := eventwire.Transition{Seq: int64(len(list) + 1), Type: "order.payment_changed", From: "processing", To: "paid",
		At: now.UTC().Truncate(time.Millisecond), Cause: "payment", Evidence: "evt_00000000000000000000000000"}
	list = append(list, t)
	s.past[order] = list
	e := eventwire.Event{
		ID: eventwire.EventID(order, t.Seq), Kind: eventwire.Orders, Type: t.Type, Subject: order, Time: t.At, Seq: t.Seq, Merchant: benchMerchant,
		Owner: order, Epoch: 1, Transition: t, Timeline: list[:len(list):len(list)],
	}
	size := s.size
	if size == 0 {
		size = usualSize
	}
	fill := func(n int) json.RawMessage {
		return fmt.Appendf(nil, `{"sent":%d,"id":%q,"status":"confirmed","payment_status":"paid","note":%q}`, now.UnixNano(), order, strings.Repeat("x", max(n, 0)))
	}
	e.Resource = fill(size - envelopeSize)
	return e
}

// envelopeSize is what such an event takes without its note.
const envelopeSize = 669
