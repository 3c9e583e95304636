package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// kill9 kills processes in turn, so that each role has its share, in an order and
// at moments of chance. Every second time the next one is killed before the last
// one is back.
func kill9(ctx context.Context, s *session) (int, error) {
	var all []*child
	for _, p := range s.rig.servers {
		all = append(all, p.child)
	}
	all = append(all, s.rig.bank)
	for n := range s.o.Kills {
		if n%len(all) == 0 {
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		c := all[n%len(all)]
		if err := c.kill(); err != nil {
			return n, err
		}
		if n%2 == 0 {
			if err := c.await(ctx); err != nil {
				return n, err
			}
		}
		if err := rest(ctx, 100*time.Millisecond+rand.N(900*time.Millisecond)); err != nil {
			return n, err
		}
	}
	return s.o.Kills, nil
}

// relayFailover kills whoever relays, and lets it come back only when the others
// have taken over.
func relayFailover(ctx context.Context, s *session) (int, error) {
	const times = 3
	var worst time.Duration
	for n := range times {
		holder, err := s.rig.relay(ctx)
		if err != nil {
			return n, err
		}
		if err := rest(ctx, rand.N(time.Second)); err != nil {
			return n, err
		}
		s.crowd.fresh()
		if err := holder.end(syscall.SIGKILL); err != nil {
			return n, err
		}
		attended := s.attend(ctx, s.o.FailOver)
		err = errors.Join(rest(ctx, s.o.FailOver+2*time.Second), s.flows(ctx))
		attended()
		if err != nil {
			return n, err
		}
		worst = max(worst, s.crowd.silence())
		if err := holder.start(ctx); err != nil {
			return n, err
		}
	}
	s.note = fmt.Sprintf("changes flowed again within %s", worst.Round(10*time.Millisecond))
	if worst > s.o.FailOver {
		s.load.fail(fmt.Errorf("changes flowed again only after %s", worst.Round(10*time.Millisecond)))
	}
	return times, nil
}

// fail notes an error that is a fault.
func (l *Load) fail(err error) {
	select {
	case l.failed <- err:
	default: // one is enough
	}
}

// relay is the process that brings the outbox to the stream.
func (r *Rig) relay(ctx context.Context) (*server, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, p := range r.servers {
			if n, err := p.metric(ctx, "tracker_outbox_leading"); err == nil && n == 1 {
				return p, nil
			}
		}
		if err := rest(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("nobody relays")
}

// clockSteps sets the clock of one process of each role an hour forward, then an
// hour back, then right.
func clockSteps(ctx context.Context, s *session) (int, error) {
	times := 0
	for _, role := range []string{"orders", "payments", "notify", "web"} {
		p := s.rig.of(role)[0]
		for _, offset := range []time.Duration{time.Hour, -time.Hour, 0} {
			if err := p.tell(offset.String()); err != nil {
				return times, err
			}
			times++
			if err := rest(ctx, s.o.Pause/2); err != nil {
				return times, err
			}
		}
	}
	return times, nil
}

// tell writes a line to a process's standard input.
func (c *child) tell(line string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stdin == nil {
		return errors.New(c.name + " does not listen")
	}
	_, err := fmt.Fprintln(c.stdin, line)
	return err
}

// watcherStorm cuts every watcher at once, as a proxy that dies does.
func watcherStorm(ctx context.Context, s *session) (int, error) {
	const times = 3
	for n := range times {
		s.crowd.cut()
		if err := rest(ctx, s.o.Pause/2); err != nil {
			return n, err
		}
	}
	if err := s.warm(ctx); err != nil {
		return times, err
	}
	return times, nil
}
