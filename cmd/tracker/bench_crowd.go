package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// laneProcess is a lane that runs in a process of its own.
type laneProcess struct {
	feed, control string
	stdin         io.Closer
	cmd           *exec.Cmd
}

// startLane starts this very program as a lane.
func startLane(ctx context.Context, name string) (*laneProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &laneProcess{cmd: exec.CommandContext(ctx, self, "bench", "lane", name)}
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("the lane did not start: %w", err)
	}
	p.feed, p.control, _ = strings.Cut(strings.TrimSpace(line), " ")
	return p, nil
}

func (p *laneProcess) stop() {
	_ = p.stdin.Close()
	_ = p.cmd.Wait() // it was told to end
}

func (p *laneProcess) ask(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.control+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(into)
}

func (p *laneProcess) publish(ctx context.Context, w publishing) error {
	return p.ask(ctx, "POST", "/publish", w, nil)
}

func (p *laneProcess) usage(ctx context.Context, memory bool) (u usage, err error) {
	path := "/usage"
	if memory {
		path += "?memory"
	}
	return u, p.ask(ctx, "GET", path, nil, &u)
}

// crowd is many clients of one lane. A client remembers its cursor.
type crowd struct {
	address string
	members []*member
	delay   histogram
	got     atomic.Int64 // events
	missed  atomic.Int64 // sequences that were jumped over
	doubled atomic.Int64 // sequences that came again
	lost    atomic.Int64 // connections that ended by themselves
	since   atomic.Int64 // delays count from this moment on, unix nanoseconds
	over    chan struct{}
}

func newCrowd(address string) *crowd { return &crowd{address: address, over: make(chan struct{})} }

type member struct {
	order string
	mu    sync.Mutex
	conn  net.Conn
	done  chan struct{} // closed when the reader of conn has ended
	last  atomic.Int64
	stall atomic.Bool
}

// join adds n clients, the i-th of them on order of(i).
func (c *crowd) join(ctx context.Context, n int, of func(i int) string) error {
	begin := len(c.members)
	for i := range n {
		c.members = append(c.members, &member{order: of(i)})
	}
	return c.connect(ctx, c.members[begin:])
}

const dialers = 64

// connect opens a stream for each member, a bounded number at a time.
func (c *crowd) connect(ctx context.Context, members []*member) error {
	var group sync.WaitGroup
	next, failed := make(chan *member), make(chan error, 1)
	for range dialers {
		group.Go(func() {
			for m := range next {
				if err := c.open(ctx, m); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	for _, m := range members {
		next <- m
	}
	close(next)
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return ctx.Err()
	}
}

// open connects one member at its cursor and begins to read.
func (c *crowd) open(ctx context.Context, m *member) error {
	m.mu.Lock()
	before := m.done
	m.mu.Unlock()
	if before != nil {
		<-before // what the old connection still had counts first
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	cursor := ""
	if last := m.last.Load(); last > 0 {
		cursor = "Last-Event-ID: " + strconv.FormatInt(last, 10) + "\r\n"
	}
	_, err = fmt.Fprintf(conn, "GET /v1/orders/%s/events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n%s\r\n", m.order, cursor)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReaderSize(conn, 2048)
	head, err := r.ReadString('\n')
	if err != nil || !strings.Contains(head, " 200 ") {
		return errors.Join(fmt.Errorf("a stream was refused: %q, %v", strings.TrimSpace(head), err), conn.Close())
	}
	_ = conn.SetReadDeadline(time.Time{})
	m.mu.Lock()
	done := make(chan struct{})
	m.conn, m.done = conn, done
	m.mu.Unlock()
	go func() {
		defer close(done)
		c.read(m, r, conn)
	}()
	return nil
}

// read counts what comes. Lines of the transfer encoding in between look like
// neither an id nor data and are passed over.
func (c *crowd) read(m *member, r *bufio.Reader, conn net.Conn) {
	defer conn.Close()
	seq := int64(0)
	for !m.stall.Load() {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			c.lost.Add(1)
			return
		}
		if id, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			seq, _ = strconv.ParseInt(string(bytes.TrimSpace(id)), 10, 64) // 0 is no sequence
			continue
		}
		if bytes.HasPrefix(line, []byte("data:")) && seq > 0 {
			c.count(m, seq, line)
			seq = 0
		}
	}
	<-c.over // a client that stalls keeps its connection and does not read
}

func (c *crowd) count(m *member, seq int64, line []byte) {
	switch last := m.last.Load(); {
	case seq <= last:
		c.doubled.Add(1)
		return
	case last > 0 && seq > last+1:
		c.missed.Add(seq - last - 1)
	}
	m.last.Store(seq)
	c.got.Add(1)
	_, rest, ok := bytes.Cut(line, []byte(`"sent":`))
	if !ok {
		return
	}
	digits, _, _ := bytes.Cut(rest, []byte(","))
	sent, err := strconv.ParseInt(string(digits), 10, 64)
	if err == nil && sent >= c.since.Load() {
		c.delay.add(time.Duration(time.Now().UnixNano() - sent))
	}
}

// fresh makes the delays count from now on.
func (c *crowd) fresh() { c.since.Store(time.Now().UnixNano()) }

// caughtUp waits until every member that reads has seen sequence last.
func (c *crowd) caughtUp(ctx context.Context, last func(m *member) int64) (behind int, err error) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		behind = 0
		for _, m := range c.members {
			if !m.stall.Load() && m.last.Load() < last(m) {
				behind++
			}
		}
		if behind == 0 || time.Now().After(deadline) {
			return behind, nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return behind, ctx.Err()
		}
	}
}

// gone reports whether the member's connection has ended.
func (m *member) gone() bool {
	m.mu.Lock()
	done := m.done
	m.mu.Unlock()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// keep connects again whoever was cut off, a moment later, until ctx ends: what
// every EventSource does.
func (c *crowd) keep(ctx context.Context) {
	for pause(ctx, 250*time.Millisecond) == nil {
		var cut []*member
		for _, m := range c.members {
			if !m.stall.Load() && m.gone() {
				cut = append(cut, m)
			}
		}
		_ = c.connect(ctx, cut) // who fails is tried in the next round
	}
}

// leave closes everything.
func (c *crowd) leave() {
	close(c.over)
	for _, m := range c.members {
		m.mu.Lock()
		if m.conn != nil {
			_ = m.conn.Close()
		}
		m.mu.Unlock()
	}
}
