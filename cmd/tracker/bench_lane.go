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
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"tracker/notify/eventwire"
)

// The lanes: ways to serve an event stream.
const (
	laneParked    = "parked"
	laneR3        = "r3labs"
	lanePlain     = "plain"
	laneR3AsIs    = "r3labs-as-is"
	laneWriteLoop = "write-loop"
)

// benchLane serves event streams in one way, and is told by HTTP on a second
// port what to publish. It ends with its standard input.
type benchLane struct {
	Name string `arg:""`
}

// feedLane is a way to serve the streams of many orders.
type feedLane interface {
	http.Handler
	// publish brings an event to all who watch its order.
	publish(seq uint64, e eventwire.Event)
	// cut ends every connection, without a word.
	cut()
}

// Run serves until the standard input ends.
func (c *benchLane) Run(ctx context.Context, out *console) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // the end of the parent, however it ends
		cancel()
	}()
	raise()
	l, err := newLane(ctx, c.Name)
	if err != nil {
		return err
	}
	conns := &connBook{}
	feed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &laneServer{lane: l, seqs: map[string][]eventwire.Transition{}, conns: conns}
	for on, handler := range map[net.Listener]http.Handler{feed: l, control: s.control()} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		if on == feed {
			server.ConnState = conns.note
		}
		go server.Serve(on)
		defer server.Close()
	}
	fmt.Fprintf(out.stdout, "%s %s\n", feed.Addr(), control.Addr())
	<-ctx.Done()
	return nil
}

// raise allows as many descriptors as the machine does.
func raise() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // then the old limit says what is possible
	}
}

// laneServer publishes on a lane as it is told. Its requests come one at a time.
type laneServer struct {
	lane  feedLane
	seqs  map[string][]eventwire.Transition
	at    uint64
	conns *connBook
}

// publishing is an order to publish: on each of the feeds first … first+feeds-1
// in turn, until there were events of them, at a rate (0: as fast as it goes).
type publishing struct {
	First  int `json:"first"`
	Feeds  int `json:"feeds"`
	Events int `json:"events"`
	Rate   int `json:"rate"`
}

// usage is what the lane's process has used so far.
type usage struct {
	CPU        time.Duration `json:"cpu"`
	PSS        int64         `json:"pss"`
	Goroutines int           `json:"goroutines"`
	Streams    int64         `json:"streams"`
}

func (s *laneServer) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		var p publishing
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.publish(r.Context(), p)
	})
	mux.HandleFunc("GET /usage", func(w http.ResponseWriter, r *http.Request) {
		u := usage{CPU: cpuTime(), Goroutines: runtime.NumGoroutine()}
		if r.URL.Query().Has("memory") {
			debug.FreeOSMemory()
			u.PSS = pssOf("self")
		}
		_ = json.NewEncoder(w).Encode(u)
	})
	mux.HandleFunc("POST /cut", func(http.ResponseWriter, *http.Request) {
		s.lane.cut()
		s.conns.closeAll()
	})
	return mux
}

func (s *laneServer) publish(ctx context.Context, p publishing) {
	began := time.Now()
	for i := range p.Events {
		if p.Rate > 0 {
			due := began.Add(time.Duration(i) * time.Second / time.Duration(p.Rate))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return
			}
		}
		s.at++
		s.lane.publish(s.at, s.next(benchOrder(p.First+i%max(p.Feeds, 1))))
	}
}

const benchMerchant = "mer_00000000000000000000000001"

func benchOrder(n int) string { return fmt.Sprintf("ord_%026d", n) }

// next is the next event of an order, about as large as a real one. It carries
// the moment of its making, by which a client tells its delay.
func (s *laneServer) next(order string) eventwire.Event {
	now := time.Now()
	list := s.seqs[order]
	t := eventwire.Transition{Seq: int64(len(list) + 1), Type: "order.payment_changed", From: "processing", To: "paid",
		At: now.UTC().Truncate(time.Millisecond), Cause: "payment", Evidence: "evt_00000000000000000000000000"}
	list = append(list, t)
	s.seqs[order] = list
	resource := fmt.Sprintf(`{"sent":%d,"id":%q,"status":"confirmed","payment_status":"paid","note":%q}`, now.UnixNano(), order, strings.Repeat("x", 600))
	return eventwire.Event{
		ID: eventwire.EventID(order, t.Seq), Kind: eventwire.Orders, Type: t.Type, Subject: order, Time: t.At, Seq: t.Seq, Merchant: benchMerchant,
		Owner: order, Epoch: 1, Transition: t, Resource: json.RawMessage(resource), Timeline: list[:len(list):len(list)],
	}
}

// cpuTime is what this process has computed so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pssOf is the memory of a process by the kernel's count, in bytes; 0 where the
// system has no such count.
func pssOf(process string) int64 {
	text, _ := os.ReadFile("/proc/" + process + "/smaps_rollup") // then 0
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	var kilobytes int64
	_, _ = fmt.Sscan(rest, &kilobytes) // then 0
	return kilobytes << 10
}
