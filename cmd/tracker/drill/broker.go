package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// broker is one server of the NATS cluster.
type broker struct {
	*child
	client  string // host:port
	monitor string
	profile string // where its goroutines can be seen
	store   string
}

// cluster starts three servers. Their routes go over links of their own, which
// are found by the names of the servers.
func (r *Rig) cluster(ctx context.Context) error {
	const n = 3
	var routes [n]string
	for i := range n {
		b := &broker{client: freeAddr(), monitor: freeAddr(), profile: freeAddr(), store: filepath.Join(r.dir, fmt.Sprint("nats-", i+1))}
		routes[i] = freeAddr()
		b.child = &child{name: fmt.Sprint("nats-", i+1), dir: r.dir, env: os.Environ(), ready: b.healthy}
		r.brokers = append(r.brokers, b)
	}
	for i, b := range r.brokers {
		var peers []string
		for j := range n {
			if j == i {
				continue
			}
			k, err := r.link(b.name, r.brokers[j].name, routes[j])
			if err != nil {
				return err
			}
			peers = append(peers, fmt.Sprintf("%q", "nats://"+k.Addr()))
		}
		file := filepath.Join(r.dir, b.name+".conf")
		if err := os.WriteFile(file, []byte(b.conf(routes[i], peers)), 0o600); err != nil {
			return err
		}
		b.args = append(append([]string{}, r.o.NATS...), file)
		if err := b.boot(); err != nil {
			return err
		}
	}
	return r.brokersReady(ctx)
}

// boot starts without waiting: one server alone is never ready.
func (c *child) boot() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = true
	return c.spawn()
}

func (r *Rig) brokersReady(ctx context.Context) error {
	for _, b := range r.brokers {
		if err := b.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// conf is config/deploy/nats.conf without TLS, and with addresses of our own. The
// servers advertise what nobody can reach, so that all of their traffic stays on
// the links.
func (b *broker) conf(route string, peers []string) string {
	_, profile, _ := strings.Cut(b.profile, ":") // on the address of listen
	return fmt.Sprintf(`server_name: %q
listen: %q
http: %q
prof_port: %s
jetstream { store_dir: %q, max_file_store: 2GB, max_memory_store: 256MB, sync_interval: "10s" }
cluster { name: drill, listen: %q, cluster_advertise: "127.0.0.1:1", no_advertise: true, pool_size: 1, routes: [%s] }
max_payload: 1MB
write_deadline: "5s"
ping_interval: "5s"
ping_max: 2
lame_duck_duration: "30s"
`, b.name, b.client, b.monitor, profile, b.store, route, strings.Join(peers, ", "))
}

func (b *broker) healthy(ctx context.Context) error {
	return b.ask(ctx, "/healthz?js-enabled-only=false", nil)
}

// leads reports whether the server leads the stream's group.
func (b *broker) leads(ctx context.Context) bool {
	var answer struct {
		Accounts []struct {
			Streams []struct {
				Name    string `json:"name"`
				Cluster struct {
					Leader string `json:"leader"`
				} `json:"cluster"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if b.ask(ctx, "/jsz?streams=true", &answer) != nil {
		return false
	}
	for _, a := range answer.Accounts {
		for _, s := range a.Streams {
			if s.Name == "TRACKER" && s.Cluster.Leader == b.name {
				return true
			}
		}
	}
	return false
}

// ask reads the monitoring port.
func (b *broker) ask(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.monitor+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// leader is the server that leads the stream.
func (r *Rig) leader(ctx context.Context) (*broker, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, b := range r.brokers {
			if b.leads(ctx) {
				return b, nil
			}
		}
		if err := rest(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the stream has no leader")
}

// wipe ends the servers, deletes what they have stored, and starts them again.
func (r *Rig) wipe(ctx context.Context, list ...*broker) error {
	for _, b := range list {
		if err := b.end(syscall.SIGKILL); err != nil {
			return err
		}
	}
	for _, b := range list {
		if err := os.RemoveAll(b.store); err != nil {
			return err
		}
	}
	for _, b := range list {
		if err := b.boot(); err != nil {
			return err
		}
	}
	return r.brokersReady(ctx)
}
