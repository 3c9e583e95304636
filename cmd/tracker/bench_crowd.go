package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// crowd is many clients of one lane. A client remembers its cursor.
type crowd struct {
	address string
	key     string  // a Bearer, or ""
	book    *ledger // tells when an event was begun, where the event itself does not
	members []*member
	receive int  // of the clients' receive buffers; 0 is the system's
	deaf    bool // who joins does not read
	tells   bool // the book is told of what came
	dialed  atomic.Int64
	frame   atomic.Int64 // bytes of the newest event's data
	delay   histogram
	got     atomic.Int64 // events
	missed  atomic.Int64 // sequences that were jumped over
	doubled atomic.Int64 // sequences that came again
	lost    atomic.Int64 // connections that ended by themselves
	since   atomic.Int64 // delays count from this moment on, unix nanoseconds
	over    chan struct{}
}

func newCrowd(address, key string) *crowd {
	return &crowd{address: address, key: key, over: make(chan struct{})}
}

type member struct {
	order   string
	receive int // of its receive buffer; 0 is the system's
	mu      sync.Mutex
	conn    net.Conn
	done    chan struct{} // closed when the reader of conn has ended
	last    atomic.Int64
	stall   atomic.Bool
}

// join adds n clients, the i-th of them on order of(i).
func (c *crowd) join(ctx context.Context, n int, of func(i int) string) error {
	begin := len(c.members)
	for i := range n {
		m := &member{order: of(i), receive: c.receive}
		m.stall.Store(c.deaf)
		c.members = append(c.members, m)
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
	conn, err := c.dial(ctx, m.receive)
	if err != nil {
		return err
	}
	header := ""
	if last := m.last.Load(); last > 0 {
		header = "Last-Event-ID: " + strconv.FormatInt(last, 10) + "\r\n"
	}
	if c.key != "" {
		header += "Authorization: Bearer " + c.key + "\r\n"
	}
	_, err = fmt.Fprintf(conn, "GET /v1/orders/%s/events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n%s\r\n", m.order, header)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	_ = conn.SetReadDeadline(time.Now().Add(catchUpTime))
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

// fromAddresses are the addresses that clients come from in turn, so that no pair of
// addresses runs out of ports. Only Linux has all of 127.0.0.0/8 by itself.
const fromAddresses = 4

// dial connects with a receive buffer of so many bytes, or with the system's for 0.
func (c *crowd) dial(ctx context.Context, receive int) (net.Conn, error) {
	var d net.Dialer
	if runtime.GOOS == "linux" {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+c.dialed.Add(1)%fromAddresses))}
	}
	conn, err := d.DialContext(ctx, "tcp", c.address)
	if err != nil || receive == 0 {
		return conn, err
	}
	return conn, conn.(*net.TCPConn).SetReadBuffer(receive)
}

// read counts what comes. Lines of the transfer encoding in between look like
// neither an id nor data and are passed over.
// An event counts once its empty line has come: one that was cut off in the
// middle did not arrive.
func (c *crowd) read(m *member, r *bufio.Reader, conn net.Conn) {
	defer conn.Close()
	seq, sent, size := int64(0), int64(0), 0
	for !m.stall.Load() {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			c.lost.Add(1)
			return
		}
		switch {
		case bytes.HasPrefix(line, []byte("id:")):
			seq, _ = strconv.ParseInt(string(bytes.TrimSpace(line[3:])), 10, 64) // 0 is no sequence
		case bytes.HasPrefix(line, []byte("data:")):
			if sent = numberIn(line, `"sent":`); seq == 0 {
				seq = numberIn(line, `"seq":`)
			}
			size = len(line)
		case len(line) == 1:
			if seq > 0 && size > 0 {
				c.frame.Store(int64(size))
				c.count(m, seq, sent)
			}
			seq, sent, size = 0, 0, 0
		case size > 0 && err == nil:
			size += len(line)
		}
	}
	<-c.over // a client that stalls keeps its connection and does not read
}

// numberIn is the number behind a JSON name, or 0.
func numberIn(line []byte, name string) int64 {
	_, rest, _ := bytes.Cut(line, []byte(name))
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseInt(string(rest[:end]), 10, 64) // then 0
	return n
}

func (c *crowd) count(m *member, seq, sent int64) {
	now := time.Now()
	switch last := m.last.Load(); {
	case seq <= last:
		c.doubled.Add(1)
		return
	case last > 0 && seq > last+1:
		c.missed.Add(seq - last - 1)
	}
	m.last.Store(seq)
	c.got.Add(1)
	if c.tells {
		c.book.pages[m.order].came(seq, now)
	}
	if sent == 0 && c.book != nil {
		if t := c.book.since(m.order, seq); !t.IsZero() {
			sent = t.UnixNano()
		}
	}
	if sent > 0 && sent >= c.since.Load() {
		c.delay.add(time.Duration(now.UnixNano() - sent))
	}
}

// fresh makes the delays count from now on.
func (c *crowd) fresh() { c.since.Store(time.Now().UnixNano()) }

// caughtUp waits until every member that reads has seen the last event of its
// order, and returns how many have not. No events may be made meanwhile: who has
// caught up once is not looked at again, which at 19,000 would cost the server's core.
func (c *crowd) caughtUp(ctx context.Context) (behind int64, err error) {
	isBehind := func(m *member) bool { return !m.stall.Load() && m.last.Load() < c.book.last(m.order) }
	left := c.members
	for deadline := time.Now().Add(catchUpTime); time.Now().Before(deadline); {
		for len(left) > 0 && !isBehind(left[0]) {
			left = left[1:]
		}
		if len(left) == 0 {
			return 0, nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return 0, err
		}
	}
	for _, m := range left {
		if isBehind(m) {
			behind++
		}
	}
	return behind, nil
}

// catchUpTime is how long a crowd may take on a machine that does other things, too.
const catchUpTime = 2 * time.Minute

// faults reports what was missed, what came twice, and who never caught up.
func (c *crowd) faults(ctx context.Context, r *report, group, lane string) error {
	behind, err := c.caughtUp(ctx)
	if err != nil {
		return err
	}
	r.none(group, lane, "missed", c.missed.Load(), "events")
	r.none(group, lane, "doubled", c.doubled.Load(), "events")
	r.none(group, lane, "never caught up", behind, "clients")
	return nil
}

// cut resets every connection at once, as a proxy that dies does.
func (c *crowd) cut() {
	for _, m := range c.members {
		m.mu.Lock()
		if tcp, ok := m.conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // else the end is an orderly one
			_ = tcp.Close()
		}
		m.mu.Unlock()
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

// keep connects again whichever of the members was cut off, a moment later, until
// ctx ends: what every EventSource does.
func (c *crowd) keep(ctx context.Context, members []*member) {
	for pause(ctx, 250*time.Millisecond) == nil {
		var cut []*member
		for _, m := range members {
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
