package drill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httputil"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Crowd is many watchers on bare sockets. Each stays at a feed until it is told
// that it is at its end, and then goes to another one.
type Crowd struct {
	history *History
	key     string
	places  []string // addresses of feeds, in turn
	front   string   // where one watcher in five goes, if anywhere, and meets the faults of the network
	pick    func() *Feed

	latest  atomic.Int64 // when the last event arrived anywhere, unix nanoseconds
	gap     atomic.Int64 // the longest time without one since fresh, nanoseconds
	most    atomic.Int64 // the longest of all before
	open    atomic.Int64 // watchers whose stream is open
	refused atomic.Int64 // connects that were answered with 429 or 503
	dialed  atomic.Int64
	watched sync.WaitGroup

	mu     sync.Mutex
	era    context.Context // ends when every watcher is cut
	endEra context.CancelFunc
}

// now is the era that connections which are made now belong to.
func (c *Crowd) now() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.era == nil {
		c.era, c.endEra = context.WithCancel(context.Background())
	}
	return c.era
}

// cut resets every watcher's connection at once.
func (c *Crowd) cut() {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endEra()
	c.era = nil
}

// silent is how long a watcher listens to a dead line. A heartbeat comes about
// every 15 s.
const silent = 40 * time.Second

// run keeps n watchers until ctx ends.
func (c *Crowd) run(ctx context.Context, n int) {
	for i := range n {
		c.watched.Go(func() {
			if rest(ctx, time.Duration(i)*300*time.Microsecond) != nil { // not all in one moment
				return
			}
			for ctx.Err() == nil {
				if f := c.pick(); f != nil {
					c.stay(ctx, f, i)
					continue
				}
				_ = rest(ctx, 100*time.Millisecond) // ctx is asked in any case
			}
		})
	}
}

// stay watches one feed to its end.
func (c *Crowd) stay(ctx context.Context, f *Feed, i int) {
	v := c.history.Join(f)
	closed := false
	defer func() { c.history.Leave(v, closed) }()
	wait := firstWait
	for turn := i; ctx.Err() == nil; turn++ {
		before := v.Last
		err := c.stream(ctx, v, c.place(i, turn))
		if errors.Is(err, errClosed) {
			closed = true
			return
		}
		wait = min(2*wait, mostWait)
		if v.Last > before {
			wait = firstWait
		}
		_ = rest(ctx, wait/2+rand.N(wait)) // ctx is asked in any case
	}
}

// place is where watcher i connects. Who goes through a link always does: each takes
// three descriptors, and if all went there while the others are away there would
// be none left.
func (c *Crowd) place(i, turn int) string {
	if c.front != "" && i%5 == 4 {
		return c.front
	}
	return c.places[turn%len(c.places)]
}

// How long a watcher waits before it comes again. Who waits less than a client of
// ours does takes a small machine down when all come at once.
const (
	firstWait = 500 * time.Millisecond
	mostWait  = 8 * time.Second
)

var (
	errClosed  = errors.New("the feed is at its end")
	errRefused = errors.New("the stream was refused")
)

// stream opens one connection and reads it until it ends.
func (c *Crowd) stream(ctx context.Context, v *View, place string) error {
	conn, err := c.dial(ctx, place)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { reset(conn) })
	defer stop()
	uncut := context.AfterFunc(c.now(), func() { reset(conn) })
	defer uncut()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(silent)); err != nil {
		return err
	}
	kind := "orders"
	if v.Feed.Parent != "" {
		kind = "payments"
	}
	_, err = fmt.Fprintf(conn, "GET /v1/%s/%s/events HTTP/1.1\r\nHost: drill\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\nLast-Event-ID: %d\r\n\r\n",
		kind, v.Feed.ID, c.key, v.Last)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(conn, 1024)
	chunked, err := c.admitted(r, v)
	if err != nil {
		return err
	}
	if chunked {
		r = bufio.NewReaderSize(httputil.NewChunkedReader(r), 1024)
	}
	c.open.Add(1)
	defer c.open.Add(-1)
	return c.read(conn, r, v)
}

// fromAddresses are the addresses that watchers come from in turn, so that no pair
// of addresses runs out of ports. Only Linux has all of 127.0.0.0/8 by itself.
const fromAddresses = 4

func (c *Crowd) dial(ctx context.Context, place string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if runtime.GOOS == "linux" {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+c.dialed.Add(1)%fromAddresses))}
	}
	return d.DialContext(ctx, "tcp", place)
}

// admitted reads the head of the answer. A feed itself ends with its connection;
// a proxy in front of it sends it in chunks.
func (c *Crowd) admitted(r *bufio.Reader, v *View) (chunked bool, err error) {
	head, err := r.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	fields := bytes.Fields(head)
	if len(fields) < 2 {
		return false, errRefused
	}
	switch string(fields[1]) {
	case "200":
	case "204":
		return false, errClosed
	case "404":
		c.history.Denied(v.Feed)
		return false, errRefused
	case "429", "503":
		c.refused.Add(1)
		return false, errRefused
	default:
		return false, errRefused
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			chunked = bytes.Contains(bytes.ToLower(value), []byte("chunked"))
		}
	}
}

// read takes events until the connection ends. An event counts once its empty
// line has come: one that was cut off in the middle did not arrive.
func (c *Crowd) read(conn net.Conn, r *bufio.Reader, v *View) error {
	var e struct {
		seq  int64
		kind string
		data bool
	}
	whole := true // the line before ended
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		begins := whole
		whole = err == nil
		if !begins {
			continue
		}
		switch line = bytes.TrimRight(line, "\r\n"); {
		case bytes.HasPrefix(line, []byte("id:")):
			e.seq, _ = strconv.ParseInt(string(bytes.TrimSpace(line[3:])), 10, 64) // 0 is no sequence
		case bytes.HasPrefix(line, []byte("event:")):
			e.kind = string(bytes.TrimSpace(line[6:]))
		case bytes.HasPrefix(line, []byte("data:")):
			e.data = true
		case bytes.HasPrefix(line, []byte(":")):
			_ = conn.SetDeadline(time.Now().Add(silent)) // a heartbeat; who cannot set one finds out by reading
		case len(line) == 0 && e.kind != "":
			if done := c.event(v, e.seq, e.kind, e.data); done != nil {
				return done
			}
			_ = conn.SetDeadline(time.Now().Add(silent)) // as above
			e.seq, e.kind, e.data = 0, "", false
		}
	}
}

func (c *Crowd) event(v *View, seq int64, kind string, data bool) error {
	switch {
	case kind == "closed":
		return errClosed
	case kind == "reset":
		c.history.Reset(v)
		return nil
	case !data:
		return nil
	}
	c.history.Saw(v, seq, kind)
	now := time.Now().UnixNano()
	if last := c.latest.Swap(now); last > 0 && now-last > c.gap.Load() {
		c.gap.Store(now - last)
	}
	return nil
}

// fresh begins a new count of the longest time without an event, now.
func (c *Crowd) fresh() {
	c.most.Store(max(c.most.Load(), c.gap.Swap(0)))
	c.latest.Store(time.Now().UnixNano())
}

// silence is the longest time between two events since fresh.
func (c *Crowd) silence() time.Duration { return time.Duration(c.gap.Load()) }

// longest is the same since most was cleared.
func (c *Crowd) longest() time.Duration { return time.Duration(max(c.gap.Load(), c.most.Load())) }
