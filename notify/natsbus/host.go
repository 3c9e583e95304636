package natsbus

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// reviveAfter is how long a server that could not write is left alone before it
// is started anew: about as long as a full disk needs to be noticed by somebody.
const reviveAfter = time.Second

// host keeps an embedded server running. After a write that failed, such as on a
// full disk, a server refuses every message until it is started again, and would
// do so for ever: nobody restarts a part of a process. The connection to it comes
// back by itself, as to any server that was away.
type host struct {
	o      Options
	broken chan struct{} // received from once the server can no longer write
	quit   chan struct{}
	stop   sync.Once // closes quit
	done   chan struct{}

	mu     sync.Mutex
	server *server.Server // nil while there is none
}

var errNoServer = errors.New("natsbus: the embedded server is being started anew")

// newHost starts a server and keeps it.
func newHost(o Options) (_ *host, err error) {
	h := &host{o: o, broken: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	if h.server, err = embed(o, h.broken); err != nil {
		return nil, err
	}
	go h.keep()
	return h, nil
}

// InProcessConn implements nats.InProcessConnProvider.
func (h *host) InProcessConn() (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.server == nil {
		return nil, errNoServer
	}
	return h.server.InProcessConn()
}

// keep starts the server anew whenever it says that it is broken, until close.
func (h *host) keep() {
	defer close(h.done)
	for {
		select {
		case <-h.quit:
			return
		case <-h.broken:
		}
		h.end()
		for begun := false; !begun; begun = h.begin() {
			select {
			case <-h.quit:
				return
			case <-time.After(reviveAfter):
			}
		}
	}
}

// begin starts a server, and reports whether it did.
func (h *host) begin() bool {
	select {
	case <-h.broken: // the last word of the one before
	default:
	}
	s, err := embed(h.o, h.broken)
	if err != nil {
		h.o.Logger.Warn("the embedded NATS server does not start; trying again", "error", err)
		return false
	}
	h.o.Logger.Warn("the embedded NATS server was started anew")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server = s
	return true
}

func (h *host) end() {
	h.mu.Lock()
	s := h.server
	h.server = nil
	h.mu.Unlock()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// close ends the server for good. It may be called again.
func (h *host) close() {
	h.stop.Do(func() { close(h.quit) })
	<-h.done
	h.end()
}
