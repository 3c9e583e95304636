package drill

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// diskSize is the file system that fills up. The process has its database and its
// stream there.
const diskSize = 192 << 20

// sqliteFull fills the disk of a process that has everything inside, frees it
// again, and kills the process the second time while there is no room.
func sqliteFull(ctx context.Context, o Options) (_ Result, err error) {
	r, err := newRig(o)
	if err != nil {
		return Result{}, err
	}
	disk := filepath.Join(r.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		return Result{}, err
	}
	if err := mountSmall(disk, diskSize); err != nil {
		return Result{}, errors.Join(fmt.Errorf("a small file system cannot be mounted, which takes root on Linux: %w", err), r.Close())
	}
	defer func() { err = errors.Join(err, r.end(), unmount(disk), r.remove(err)) }()
	if err := r.single(ctx, disk, nil); err != nil {
		return Result{}, err
	}
	o.Watchers = min(o.Watchers, 200)
	s := newSession(o, r)
	end := s.begin(ctx)
	defer end()
	if err := s.warm(ctx); err != nil {
		return Result{}, err
	}
	return s.drill(ctx, Drill{harm: func(ctx context.Context, s *session) (int, error) { return 2, s.fillTwice(ctx, disk) }})
}

func (s *session) fillTwice(ctx context.Context, disk string) error {
	for _, dies := range []bool{false, true} {
		if err := rest(ctx, s.o.Pause/2); err != nil {
			return err
		}
		ballast := filepath.Join(disk, "ballast")
		if err := fill(ballast); err != nil {
			return err
		}
		if err := rest(ctx, s.o.Pause/2); err != nil {
			return err
		}
		if dies {
			if err := s.rig.servers[0].kill(); err != nil {
				return err
			}
			if err := rest(ctx, s.o.Pause/2); err != nil {
				return err
			}
		}
		if err := os.Remove(ballast); err != nil {
			return err
		}
		if err := s.flows(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fill writes until there is no room for a byte.
func fill(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			return err
		}
	}
	return nil
}

// single is one process with database and stream inside, and the bank outside of
// it. env adds to its environment.
func (r *Rig) single(ctx context.Context, data string, env map[string]string) error {
	s := &server{role: "orders,payments,notify,web", addr: freeAddr(), admin: freeAddr()}
	s.child = &child{name: "tracker", dir: r.dir, ready: s.isReady, args: r.o.Serve, talk: true}
	r.servers = append(r.servers, s)
	r.data = data
	front, err := r.link("client", "tracker", s.addr)
	if err != nil {
		return err
	}
	for _, role := range roles() {
		r.fronts[role] = front
	}
	bank, secret := freeAddr(), "whsec_"+base64.StdEncoding.EncodeToString([]byte(rand.Text()))
	if err := r.startBank(ctx, bank, secret); err != nil {
		return err
	}
	all := map[string]string{
		"TRACKER_ADDR": s.addr, "TRACKER_ADMIN_ADDR": s.admin, "TRACKER_DATA_DIR": data, "TRACKER_PUBLIC_URL": "http://" + s.addr,
		"TRACKER_BANK_ADDR": freeAddr(), "TRACKER_BANK_URL": "http://" + bank, "TRACKER_BANK_SECRET": secret,
	}
	for _, more := range []map[string]string{r.common(), env} {
		for name, value := range more {
			all[name] = value
		}
	}
	s.env, r.bankURL = environment(all), "http://"+bank
	return s.start(ctx)
}
