package notify

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	receiveBuffer = 4 << 10          // what a client may send after its request and nobody reads
	peerTimeout   = 30 * time.Second // without an acknowledgement the kernel gives the peer up
)

// parking holds the connections that nothing but the kernel looks after: their
// descriptors belong to no goroutine and are not in the runtime's poller.
type parking struct {
	retry func() time.Duration // the jittered reconnection time

	mu    sync.Mutex
	epoll int
	file  *os.File  // the epoll descriptor, itself waited for by the runtime's poller; nil: not open
	lot   []*parked // by descriptor
	stamp int32     // tells a descriptor from its predecessor of the same number
}

// parked is the sink of one parked connection. Its lock stands between a write
// and the descriptor's reuse for somebody else.
type parked struct {
	park  *parking
	watch *watcher

	mu    sync.Mutex
	fd    int // -1: closed
	stamp int32
	cut   bool // the client did not get all of a frame, and gets nothing more
}

func (p *parking) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // else os.File would block a thread on it
		_ = unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoll, p.file = fd, os.NewFile(uintptr(fd), "epoll")
	return nil
}

func (p *parking) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.file != nil
}

func (p *parking) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.file.Close() // nothing was written to it
	p.file = nil
}

// watch calls onGone for every parked client that hangs up, until ctx ends.
func (p *parking) watch(ctx context.Context, onGone func(*watcher)) {
	if !p.ready() {
		return
	}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, p.close)()
	events := make([]unix.EpollEvent, 256)
	for {
		count := 0
		err := raw.Read(func(fd uintptr) bool {
			n, err := unix.EpollWait(int(fd), events, 0)
			count = max(0, n)
			return count > 0 || (err != nil && !errors.Is(err, unix.EINTR))
		})
		if err != nil {
			return
		}
		for _, e := range events[:count] {
			if w := p.at(e.Fd, e.Pad); w != nil {
				onGone(w)
			}
		}
	}
}

func (p *parking) at(fd, stamp int32) *watcher {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(fd) >= len(p.lot) || p.lot[fd] == nil || p.lot[fd].stamp != stamp {
		return nil
	}
	return p.lot[fd].watch
}

// take moves conn's socket to a descriptor of our own and closes conn, which
// frees everything that the runtime kept for it.
func (p *parking) take(conn net.Conn, watch *watcher, sendBuffer int) (*parked, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errNotParkable{"not a plain TCP connection"}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	dup := func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }
	if failed := raw.Control(dup); failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	// Bounds, not needs: a connection works without them.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(peerTimeout.Milliseconds()))
	_ = conn.Close() // the socket lives on in fd
	return &parked{park: p, watch: watch, fd: fd}, nil
}

// arm has the poller tell when the client hangs up, also if it already has.
func (c *parked) arm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.park
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.fd < 0 || p.file == nil {
		return
	}
	p.stamp++
	c.stamp = p.stamp
	for len(p.lot) <= c.fd {
		p.lot = append(p.lot, nil)
	}
	p.lot[c.fd] = c
	// Only hang-ups, no input: who sends after the request wakes nobody. Where
	// this fails, the heartbeat notices instead.
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{
		Events: unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(c.fd), Pad: c.stamp})
}

func (c *parked) send(f *frame) reason { return c.write(f.text) }

func (c *parked) beat() reason { return c.write([]byte(": " + heartbeat + "\n\n")) }

// write hands the kernel a whole frame or gives the connection up: an SSE event
// without its end is ignored by every client, and the cursor gets it back. The
// caller ends the watcher then, which closes the connection: not here, where those
// who can be written to wait for their turn.
func (c *parked) write(text []byte) reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return gone
	}
	if c.cut {
		return slow
	}
	for {
		n, err := unix.Write(c.fd, text)
		switch {
		case n == len(text):
			return goesOn
		case errors.Is(err, unix.EINTR):
			continue
		}
		c.cut = true
		if err == nil || errors.Is(err, unix.EAGAIN) {
			return slow
		}
		return gone
	}
}

func (c *parked) end(why reason) {
	if why == drained {
		c.write(retryText(c.park.retry()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close(c.cut)
}

// close gives the descriptor back. A reset frees the kernel's buffers at once;
// otherwise what was sent still arrives, for which nothing may be left unread.
func (c *parked) close(reset bool) {
	if c.fd < 0 {
		return
	}
	if reset {
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	} else {
		var unread [1024]byte
		for range 2 * receiveBuffer / len(unread) {
			if n, err := unix.Read(c.fd, unread[:]); n <= 0 || err != nil {
				break
			}
		}
	}
	c.park.mu.Lock()
	if c.fd < len(c.park.lot) && c.park.lot[c.fd] == c {
		c.park.lot[c.fd] = nil
	}
	c.park.mu.Unlock()
	_ = unix.Close(c.fd) // it leaves the poller by itself
	c.fd = -1
}
