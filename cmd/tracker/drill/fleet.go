package drill

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// tracker starts the bank and the processes in their roles.
func (r *Rig) tracker(ctx context.Context) error {
	if err := r.places(); err != nil {
		return err
	}
	shared, secret, bank := r.common(), "whsec_"+base64.StdEncoding.EncodeToString([]byte(rand.Text())), freeAddr()
	shared["TRACKER_BANK_SECRET"], shared["TRACKER_NATS_REPLICAS"] = secret, "3"
	callbacks, err := r.link("bank", "payments", r.addrs("payments")...)
	if err != nil {
		return err
	}
	shared["TRACKER_PUBLIC_URL"] = "http://" + callbacks.Addr()
	if r.edge != "" {
		shared["TRACKER_PUBLIC_URL"] = r.edge
	}
	if err := r.startBank(ctx, bank, secret); err != nil {
		return err
	}
	var group sync.WaitGroup
	failed := make([]error, len(r.servers))
	for i, s := range r.servers {
		env, err := r.environmentOf(s, shared, bank)
		if err != nil {
			return err
		}
		s.args, s.env, s.talk = r.o.Serve, environment(env), true
		group.Go(func() { failed[i] = s.start(ctx) })
	}
	group.Wait()
	return errors.Join(failed...)
}

// common is what every process of the tracker is told.
func (r *Rig) common() map[string]string {
	return map[string]string{
		"TRACKER_SANDBOX": "true", "TRACKER_SANDBOX_KEY": r.key, "TRACKER_LOG_LEVEL": "warn", "TRACKER_DRAIN": "500ms", "TRACKER_RECONCILE_AFTER": "2s",
		"TRACKER_TOKEN_SECRET": r.secret, "TRACKER_LIMIT_READS": "0", "TRACKER_LIMIT_WRITES": "0", "TRACKER_LIMIT_CONNECTS": "0",
		"TRACKER_TRUSTED_PROXIES": "127.0.0.1", "TRACKER_MAX_WATCHERS": "0", "TRACKER_MAX_WATCHERS_PER_ADDRESS": "0", "TRACKER_MAX_WATCHERS_PER_ORDER": "0",
	}
}

// startBank runs the sandbox bank, which keeps its journal in the rig's directory.
func (r *Rig) startBank(ctx context.Context, addr, secret string) error {
	r.bank = &child{name: "bank", dir: r.dir, args: append(append([]string{}, r.o.Program...), "bank"), ready: accepts(addr), env: environment(map[string]string{
		"TRACKER_BANK_ADDR": addr, "TRACKER_BANK_SECRET": secret, "TRACKER_DATA_DIR": filepath.Join(r.dir, "bank"), "TRACKER_LOG_LEVEL": "warn"})}
	return r.bank.start(ctx)
}

// places gives every process its addresses, and every role a front.
func (r *Rig) places() error {
	for _, role := range roles() {
		s := &server{role: role, addr: freeAddr(), admin: freeAddr()}
		s.child = &child{name: fmt.Sprint(role, "-", len(r.of(role))+1), dir: r.dir, ready: s.isReady}
		r.servers = append(r.servers, s)
	}
	for _, role := range roles() {
		if r.fronts[role] != nil {
			continue
		}
		k, err := r.link("client", role, r.addrs(role)...)
		if err != nil {
			return err
		}
		r.fronts[role] = k
	}
	return nil
}

// environmentOf gives a process links of its own to all that it needs.
func (r *Rig) environmentOf(s *server, shared map[string]string, bank string) (map[string]string, error) {
	env := maps.Clone(shared)
	env["TRACKER_ROLES"], env["TRACKER_ADDR"], env["TRACKER_ADMIN_ADDR"] = s.role, s.addr, s.admin
	env["TRACKER_BANK_ADDR"] = freeAddr() // nobody listens there: the bank is elsewhere
	env["TRACKER_DATA_DIR"] = filepath.Join(r.dir, s.name)
	db, err := r.link(s.name, "postgres", r.pg.addr)
	if err != nil {
		return nil, err
	}
	env["TRACKER_DATABASE_URL"] = "postgres://tracker@" + db.Addr() + "/postgres?sslmode=disable"
	money, err := r.link(s.name, "bank", bank)
	if err != nil {
		return nil, err
	}
	env["TRACKER_BANK_URL"] = "http://" + money.Addr()
	var urls []string
	for _, b := range r.brokers {
		k, err := r.link(s.name, b.name, b.client)
		if err != nil {
			return nil, err
		}
		urls = append(urls, "nats://"+k.Addr())
	}
	env["TRACKER_NATS_URL"] = strings.Join(urls, ",")
	return env, nil
}

// environment is ours without any TRACKER_ variable, and what is given.
func environment(vars map[string]string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TRACKER_") {
			env = append(env, v)
		}
	}
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

func (s *server) isReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}
