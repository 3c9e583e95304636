package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// benchLongPoll lets many wait for one payment.
type benchLongPoll struct {
	benchFlags
	Clients int `default:"5000" help:"Clients that wait, at most 19000. Default: 5000."`
}

// Help is the longer help of the command.
func (benchLongPoll) Help() string {
	return `The whole program. All wait for news of one payment, which is then cancelled:
each must be answered with the event. Memory is the growth of the server process
from a tenth of the waiting clients to all.`
}

// Run measures.
func (c *benchLongPoll) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	return c.run(ctx, out, "longpoll", c)
}

func (c *benchLongPoll) setting() string { return fmt.Sprintf("%d wait for one payment", c.Clients) }

func (c *benchLongPoll) measure(ctx context.Context, out *console, r *report) error {
	return on(ctx, laneTracker, nil, func(s subject, _ *crowd) error {
		tracker := s.(*whole)
		book, err := s.orders(ctx, 1)
		if err != nil {
			return err
		}
		var p paymentView
		if err := tracker.api.call(ctx, "POST", "/v1/payments", map[string]any{"order_id": book.ids[0]}, &p); err != nil {
			return err
		}
		w := &waiting{address: s.address(), request: question(s, fmt.Sprintf("/v1/payments/%s/events?after=%d&wait=60", p.ID, p.Sequence), "")}
		defer w.leave()
		return c.wait(ctx, out, r, tracker, w, p.ID)
	})
}

func (c *benchLongPoll) wait(ctx context.Context, out *console, r *report, s *whole, w *waiting, payment string) error {
	first := max(c.Clients/10, 1)
	if err := w.join(ctx, first); err != nil {
		return err
	}
	before, err := settledPSS(ctx, s)
	if err != nil {
		return err
	}
	if err := w.join(ctx, c.Clients-first); err != nil {
		return err
	}
	after, err := settledPSS(ctx, s)
	if err != nil {
		return err
	}
	progress(out, "longpoll: %d wait", c.Clients)
	var delay histogram
	began := make(chan time.Time, 1)
	answered := make(chan int64, 1)
	go func() { answered <- w.collect(ctx, began, &delay) }()
	start := time.Now()
	began <- start
	spent, err := usage(s, func() error {
		if err := s.api.call(ctx, "POST", "/v1/payments/"+payment+"/cancel", map[string]any{}, nil); err != nil {
			return err
		}
		r.none("longpoll", s.name(), "unanswered", int64(c.Clients)-<-answered, "clients")
		return nil
	})
	if err != nil {
		return err
	}
	r.delays("longpoll", s.name(), "from the call to the answer", &delay)
	r.add("longpoll", s.name(), "CPU per answer", float64(spent.Microseconds())/float64(c.Clients), "µs")
	r.add("longpoll", s.name(), "memory per waiting client", float64(after-before)/1024/float64(max(c.Clients-first, 1)), "KB")
	r.atMost("longpoll", "p99, from the call to the answer", 1000, delay.percentile(99).Seconds()*1000, "ms")
	return nil
}

// waiting are clients that have asked and not been answered.
type waiting struct {
	address string
	request []byte
	conns   []net.Conn
}

func (w *waiting) join(ctx context.Context, n int) error {
	conns := make([]net.Conn, n)
	c := newCrowd(w.address, "")
	err := parallel(ctx, n, dialers, func(i int) (err error) {
		if conns[i], err = c.dial(ctx, 0); err == nil {
			_, err = conns[i].Write(w.request)
		}
		return err
	})
	for _, conn := range conns {
		if conn != nil {
			w.conns = append(w.conns, conn)
		}
	}
	return err
}

// collect waits for all answers, and counts those with the event. Delays count
// from the moment that comes over began.
func (w *waiting) collect(ctx context.Context, began <-chan time.Time, delay *histogram) int64 {
	var answered atomic.Int64
	start := <-began
	_ = parallel(ctx, len(w.conns), len(w.conns), func(i int) error { // who is not answered is counted
		conn := w.conns[i]
		_ = conn.SetReadDeadline(start.Add(catchUpTime)) // then the read ends by itself
		res, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
		if err != nil {
			return nil
		}
		defer res.Body.Close()
		took := time.Since(start)
		body, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode == http.StatusOK && strings.Contains(string(body), `"payment.cancelled"`) {
			answered.Add(1)
			delay.add(took)
		}
		return nil
	})
	return answered.Load()
}

func (w *waiting) leave() {
	for _, conn := range w.conns {
		_ = conn.Close()
	}
}
