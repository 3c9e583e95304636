package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// door is a listener that has its address from the start and lets nobody in
// before the process is ready: a connection that is refused goes to another
// process at once, one that is accepted and not served would wait.
type door struct {
	net.Listener
	variable string
	shut     bool
}

// newDoor takes the address, so that nobody else does, and shuts the door. Linux
// lets a listening socket go back to being bound; elsewhere the door stays open,
// and who comes early waits. A port that the system has chosen would be lost by
// that, and nobody can know it yet.
func newDoor(variable, addr string) (*door, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be used: %w", variable, err)
	}
	d := &door{Listener: l, variable: variable}
	if _, port, _ := net.SplitHostPort(addr); port != "0" {
		d.shut = d.control(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_RD) }) == nil
	}
	return d, nil
}

// backlog is cut by the kernel to what it allows.
const backlog = 1 << 15

// open lets connections in.
func (d *door) open() error {
	if !d.shut {
		return nil
	}
	if err := d.control(func(fd int) error { return syscall.Listen(fd, backlog) }); err != nil {
		return fmt.Errorf("%s cannot be used: %w", d.variable, err)
	}
	d.shut = false
	return nil
}

func (d *door) control(do func(fd int) error) error {
	socket, ok := d.Listener.(*net.TCPListener)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	err = raw.Control(func(fd uintptr) { done = do(int(fd)) })
	return errors.Join(err, done)
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
