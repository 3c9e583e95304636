//go:build !linux

package notify

import (
	"context"
	"net"
	"time"
)

// parking parks nothing on this system: every stream goes through r3labs.
type parking struct{ retry func() time.Duration }

type parked struct {
	nowhere
	watch *watcher
}

func (p *parking) open() error { return errNotParkable{"not on this system"} }
func (p *parking) ready() bool { return false }

func (p *parking) watch(context.Context, func(*watcher)) {}

func (p *parking) take(net.Conn, *watcher, int) (*parked, error) {
	return nil, errNotParkable{"not on this system"}
}

func (c *parked) arm() {}

func (c *parked) write([]byte) reason { return gone }
