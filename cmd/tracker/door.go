package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// door is a listener whose address is known to be free from the start, and which
// lets nobody in before the process is ready: a connection that is refused goes
// to another process at once, one that is accepted and not served would wait.
type door struct {
	variable string
	addr     net.Addr

	mu     sync.Mutex
	inner  net.Listener // nil: not open yet
	closed bool
}

// newDoor takes the address and, where somebody may know it, gives it back until
// open. A port that the system has chosen nobody can know, so it is kept.
func newDoor(variable, addr string) (*door, error) {
	d := &door{variable: variable}
	inner, err := d.listen(addr)
	if err != nil {
		return nil, err
	}
	d.addr = inner.Addr()
	if _, port, _ := net.SplitHostPort(addr); port == "0" {
		d.inner = inner
		return d, nil
	}
	return d, inner.Close()
}

func (d *door) listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be used: %w", d.variable, err)
	}
	return l, nil
}

// open lets connections in.
func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner != nil || d.closed {
		return nil
	}
	inner, err := d.listen(d.addr.String())
	d.inner = inner
	return err
}

var errShut = errors.New("the door is not open")

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	d.mu.Lock()
	inner := d.inner
	d.mu.Unlock()
	if inner == nil {
		return nil, errShut
	}
	return inner.Accept()
}

// Addr implements net.Listener.
func (d *door) Addr() net.Addr { return d.addr }

// Close implements net.Listener.
func (d *door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.inner == nil {
		return nil
	}
	return d.inner.Close()
}

// openDoors begins to let connections in. The admin door is the last, since who
// asks there whether the process is ready takes it at its word.
func (p *process) openDoors() error {
	for _, d := range []*door{p.public, p.bank, p.admin} {
		if d == nil {
			continue
		}
		if err := d.open(); err != nil {
			return err
		}
	}
	return nil
}
