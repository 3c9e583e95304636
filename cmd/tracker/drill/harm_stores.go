package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

func natsNode(ctx context.Context, s *session) (int, error) {
	times := 0
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		for _, b := range s.rig.brokers {
			if err := s.without(ctx, signal, b); err != nil {
				return times, err
			}
			times++
		}
	}
	return times, nil
}

// without ends servers, lets the others be alone for a while, and waits until all
// are back.
func (s *session) without(ctx context.Context, signal syscall.Signal, list ...*broker) error {
	for _, b := range list {
		if err := b.end(signal); err != nil {
			return err
		}
	}
	if err := rest(ctx, s.o.Pause/2); err != nil {
		return err
	}
	for _, b := range list {
		if err := b.boot(); err != nil {
			return err
		}
	}
	return s.rig.brokersReady(ctx)
}

func natsQuorum(ctx context.Context, s *session) (int, error) {
	first, err := s.rig.leader(ctx)
	if err != nil {
		return 0, err
	}
	two := []*broker{first}
	for _, b := range s.rig.brokers {
		if b != first && len(two) < 2 {
			two = append(two, b)
		}
	}
	if err := s.without(ctx, syscall.SIGKILL, two...); err != nil {
		return 0, err
	}
	return 5, s.without(ctx, syscall.SIGKILL, s.rig.brokers...)
}

func natsPause(ctx context.Context, s *session) (int, error) {
	b, err := s.rig.leader(ctx)
	if err != nil {
		return 0, err
	}
	if err := b.signal(syscall.SIGSTOP); err != nil {
		return 0, err
	}
	slept := rest(ctx, s.o.Pause)
	return 1, errors.Join(slept, b.signal(syscall.SIGCONT))
}

func natsStoreOne(ctx context.Context, s *session) (int, error) {
	b, err := s.rig.leader(ctx)
	if err != nil {
		return 0, err
	}
	return 1, s.rig.wipe(ctx, b)
}

func natsStoreAll(ctx context.Context, s *session) (int, error) {
	return 3, s.rig.wipe(ctx, s.rig.brokers...)
}

// pgRestart ends PostgreSQL as an operator does, as a crash does, and by the death
// of one backend, after which it begins anew by itself.
func pgRestart(ctx context.Context, s *session) (int, error) {
	for n, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		if err := s.rig.pg.end(signal); err != nil {
			return n, err
		}
		if err := rest(ctx, s.o.Pause/4); err != nil {
			return n, err
		}
		if err := s.rig.pg.start(ctx); err != nil {
			return n, err
		}
		if err := rest(ctx, s.o.Pause/4); err != nil {
			return n, err
		}
	}
	pid, err := s.rig.backend(ctx)
	if err != nil {
		return 2, err
	}
	return 3, syscall.Kill(pid, syscall.SIGKILL)
}

// backend is a process of PostgreSQL that serves somebody.
func (r *Rig) backend(ctx context.Context) (pid int, err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; {
		db, err := r.sql(ctx)
		if err == nil {
			err = errors.Join(db.Read(ctx).Raw(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1`).Scan(&pid).Error, db.Close())
		}
		if err == nil && pid > 0 {
			return pid, nil
		}
		_ = rest(ctx, 100*time.Millisecond) // ctx is asked in any case
	}
	return 0, errors.New("nobody is connected to PostgreSQL")
}

func pgPause(ctx context.Context, s *session) (int, error) {
	if err := s.rig.pg.signalAll(syscall.SIGSTOP); err != nil {
		return 0, fmt.Errorf("stop PostgreSQL: %w", err)
	}
	slept := rest(ctx, s.o.Pause)
	return 1, errors.Join(slept, s.rig.pg.signalAll(syscall.SIGCONT))
}

// pgCut resets connections of one process after the other, and has the server
// terminate some of all.
func pgCut(ctx context.Context, s *session) (int, error) {
	db, err := s.rig.sql(ctx)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	links, times := s.rig.between("", "postgres"), 0
	for end := time.Now().Add(2 * s.o.Pause); time.Now().Before(end); {
		times += links[rand.IntN(len(links))].Reset()
		var ended int
		const query = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle' AND random() < 0.5`
		if err := db.Read(ctx).Raw(query).Scan(&ended).Error; err == nil { // our own connections may be among the victims
			times += ended
		}
		if err := rest(ctx, 200*time.Millisecond); err != nil {
			return times, err
		}
	}
	return times, nil
}

// network puts every fault on a link between every two kinds of parts, one at a time.
func network(ctx context.Context, s *session) (int, error) {
	ways := [][2]string{{"client", "orders"}, {"client", "payments"}, {"client", "notify"}, {"orders", "postgres"}, {"payments", "postgres"}, {"notify", "postgres"},
		{"orders", "nats"}, {"payments", "nats"}, {"notify", "nats"}, {"nats", "nats"}, {"payments", "bank"}, {"bank", "payments"}}
	times := 0
	for _, mode := range faulty() {
		for _, way := range ways {
			list := s.rig.between(way[0], way[1])
			if len(list) == 0 {
				return times, fmt.Errorf("no link leads from %s to %s", way[0], way[1])
			}
			k := list[rand.IntN(len(list))]
			k.Set(mode)
			if err := rest(ctx, s.o.Pause/4); err != nil {
				return times, err
			}
			k.Set(Pass)
			times++
		}
	}
	return times, nil
}
