package drill

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Mode is what a [Link] does to what passes through it.
type Mode int

// The modes of a link.
const (
	Pass  Mode = iota
	Delay      // every piece takes 50 ms to 250 ms longer
	Loss       // one piece in ten waits as long as a retransmission takes; one in two hundred ends in a reset
	Cut        // connections are reset, and new ones too
	Hole       // half-open: connections stand, nothing passes either way
	Mute       // requests pass, answers do not
)

func (m Mode) String() string {
	return [...]string{"pass", "delay", "loss", "cut", "half-open", "mute"}[m]
}

// faulty are the modes that do harm.
func faulty() []Mode { return []Mode{Delay, Loss, Cut, Hole, Mute} }

// Link is a TCP proxy between two parts, and what is wrong with the network
// between them. It takes the first of its targets that accepts, beginning with
// another one each time. Safe for concurrent use.
type Link struct {
	From, To string

	listener net.Listener
	targets  []string

	mu      sync.Mutex
	next    int
	mode    Mode
	changed chan struct{} // closed when the mode changes
	pairs   map[*pair]struct{}
	passing sync.WaitGroup
}

// pair is one connection through a link.
type pair struct{ in, out net.Conn }

// NewLink listens on a free port of loopback.
func NewLink(from, to string, targets ...string) (*Link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &Link{From: from, To: to, listener: l, targets: targets, changed: make(chan struct{}), pairs: map[*pair]struct{}{}}
	k.passing.Go(k.accept)
	return k, nil
}

// Addr is where the link is entered.
func (k *Link) Addr() string { return k.listener.Addr().String() }

// Set changes what the link does. Connections that stood in a hole are reset when
// it closes: whatever kept them open in between has forgotten them.
func (k *Link) Set(m Mode) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mode == m {
		return
	}
	old := k.mode
	k.mode = m
	close(k.changed)
	k.changed = make(chan struct{})
	if m == Cut || old == Hole || old == Mute {
		for p := range k.pairs {
			p.reset()
		}
	}
}

// Reset ends the connections that are open now, in the middle of whatever they
// are at, and says how many those were.
func (k *Link) Reset() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p := range k.pairs {
		p.reset()
	}
	return len(k.pairs)
}

// Close ends the link and everything in it.
func (k *Link) Close() {
	_ = k.listener.Close() // it is not used again
	k.Set(Cut)
	k.passing.Wait()
}

// acceptAgain is how long a link waits after a connection that could not be taken.
const acceptAgain = 20 * time.Millisecond

func (k *Link) accept() {
	for {
		conn, err := k.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files, which passes
			waitFor(acceptAgain, nil)
			continue
		}
		if m, _ := k.now(); m == Cut {
			reset(conn)
			continue
		}
		k.passing.Go(func() { k.carry(conn) })
	}
}

func (k *Link) now() (Mode, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mode, k.changed
}

func (k *Link) carry(in net.Conn) {
	p := &pair{in: in, out: k.dial()}
	if p.out == nil {
		reset(in)
		return
	}
	k.mu.Lock()
	k.pairs[p] = struct{}{}
	if k.mode == Cut {
		p.reset()
	}
	k.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { k.pump(p, p.out, p.in, false) })
	both.Go(func() { k.pump(p, p.in, p.out, true) })
	both.Wait()
	k.mu.Lock()
	delete(k.pairs, p)
	k.mu.Unlock()
	p.close()
}

// dial is nil when no target accepts.
func (k *Link) dial() net.Conn {
	k.mu.Lock()
	first := k.next
	k.next++
	k.mu.Unlock()
	for i := range k.targets {
		conn, err := net.DialTimeout("tcp", k.targets[(first+i)%len(k.targets)], 2*time.Second)
		if err == nil {
			return conn
		}
	}
	return nil
}

// pump carries one direction.
func (k *Link) pump(p *pair, to, from net.Conn, answers bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !k.gate(p, answers) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				p.reset()
				return
			}
		}
		if err != nil {
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite() // the other direction may go on
			}
			return
		}
	}
}

// gate does to one piece what the mode demands. It reports false when the
// connection is over.
func (k *Link) gate(p *pair, answers bool) bool {
	mode, changed := k.now()
	switch {
	case mode == Hole, mode == Mute && answers:
		<-changed
		return false // Set has reset it
	case mode == Delay:
		waitFor(50*time.Millisecond+rand.N(200*time.Millisecond), changed)
	case mode == Loss && rand.IntN(200) == 0:
		p.reset()
		return false
	case mode == Loss && rand.IntN(10) == 0:
		waitFor(200*time.Millisecond+rand.N(800*time.Millisecond), changed)
	}
	return true
}

func waitFor(d time.Duration, sooner <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-sooner:
	}
}

func (p *pair) reset() {
	reset(p.in)
	reset(p.out)
}

func (p *pair) close() {
	_ = p.in.Close()  // both ends
	_ = p.out.Close() // are done
}

// reset ends a connection as a machine does that lost it: with RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else the end is an orderly one
	}
	_ = conn.Close() // it may be closed already
}
