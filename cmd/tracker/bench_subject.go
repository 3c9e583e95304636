package main

import (
	"context"
	"time"
)

// subject is a server under measurement, in processes of its own.
type subject interface {
	name() string
	address() string // of its streams
	key() string     // a Bearer for them, or ""
	pids() []int
	// collect runs the garbage collector, where there is one.
	collect(ctx context.Context) error
	// metrics is its metrics page, where it has one.
	metrics(ctx context.Context) ([]byte, error)
	// orders makes so many orders, each with its first event.
	orders(ctx context.Context, n int) (*ledger, error)
	// change makes events on the orders in turn, at a rate per second (0: one
	// after the other), and records in the ledger when each was begun.
	change(ctx context.Context, book *ledger, work changes) error
	stop()
}

// changes are events to make: on so many orders of a ledger in turn.
type changes struct {
	From   int // the first of the orders
	Feeds  int
	Events int
	Rate   int
}

// newSubject starts the whole tracker or a lane by name, or a peer.
func newSubject(ctx context.Context, name string, peers map[string]string) (subject, error) {
	if name == laneTracker {
		return startWhole(ctx, "")
	}
	return startLane(ctx, name, peers[name])
}

// on runs fn on a fresh subject with a crowd before it.
func on(ctx context.Context, name string, peers map[string]string, fn func(subject, *crowd) error) error {
	s, err := newSubject(ctx, name, peers)
	if err != nil {
		return err
	}
	defer s.stop()
	c := newCrowd(s.address(), s.key())
	defer c.leave()
	return fn(s, c)
}

// usage measures the CPU time that the subject takes for fn.
func usage(s subject, fn func() error) (time.Duration, error) {
	before, err := familyCPU(s.pids())
	if err != nil {
		return 0, err
	}
	if err := fn(); err != nil {
		return 0, err
	}
	after, err := familyCPU(s.pids())
	return after - before, err
}

// peerFlags bring servers of others into the same run on the same work.
type peerFlags struct {
	Peer map[string]string `placeholder:"NAME=COMMAND" help:"Another server, started by a command that speaks the protocol of a lane, such as centrifuge=bin/peerbench (cmd/peerbench)."`
}

// with adds the peers to the lanes.
func (f peerFlags) with(lanes ...string) []string {
	for name := range f.Peer {
		lanes = append(lanes, name)
	}
	return lanes
}
