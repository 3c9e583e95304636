package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	broker "github.com/nats-io/nats-server/v2/server" // package main has a server of its own
)

// TestDeploy_nats_cluster runs three servers from nats.conf and a tracker on them
// that keeps three copies, speaks TLS and logs in; one server is then lost.
func TestDeploy_nats_cluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate(t, filepath.Join(dir, "ca.crt"), filepath.Join(dir, "server.key"))
	var routes, clients []string
	for range 3 {
		routes, clients = append(routes, freeAddr(t)), append(clients, freeAddr(t))
	}
	var servers []*broker.Server
	for i := range 3 {
		conf := strings.NewReplacer(
			"$NATS_NAME", fmt.Sprint("nats-", i+1), "$NATS_PASSWORD", "hunter2", "0.0.0.0:4222", clients[i], "0.0.0.0:6222", routes[i],
			"tls://nats-1:6222", "tls://route:hunter2@"+routes[0], "tls://nats-2:6222", "tls://route:hunter2@"+routes[1], "tls://nats-3:6222", "tls://route:hunter2@"+routes[2],
			"/etc/nats/tls/server.crt", dir+"/ca.crt", "/etc/nats/tls/", dir+"/", "/var/lib/nats", filepath.Join(dir, fmt.Sprint(i)), "50GB", "1GB",
		).Replace(deployFile(t, "nats.conf"))
		name := file(t, dir, fmt.Sprint("nats-", i, ".conf"), conf)
		o, err := broker.ProcessConfigFile(name)
		if err != nil {
			t.Fatal(err)
		}
		o.NoSigs, o.NoLog = true, true
		s, err := broker.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers = append(servers, s)
	}
	for deadline := time.Now().Add(patience); !servers[0].JetStreamIsClustered() || servers[0].NumRoutes() == 0 || !anyLeads(servers); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the cluster finds no leader")
		}
	}
	for i, c := range clients {
		clients[i] = "tls://tracker:hunter2@" + c
	}
	p := startProgram(t, map[string]string{"TRACKER_NATS_URL": strings.Join(clients, ","), "TRACKER_NATS_CA": filepath.Join(dir, "ca.crt"), "TRACKER_NATS_REPLICAS": "3"})
	w := newShipped(p)
	watching := p.follow(w.feed(), w.token)
	servers[1].Shutdown()
	servers[1].WaitForShutdown()
	w.insist(t, p, "in_transit")
	w.deliver(t, p)
	<-watching.end
	watching.check(t, w.sequence(p))
	if _, err := os.Stat(filepath.Join(dir, "2", "jetstream")); err != nil {
		t.Error(err)
	}
}

func anyLeads(servers []*broker.Server) bool {
	for _, s := range servers {
		if s.JetStreamIsLeader() {
			return true
		}
	}
	return false
}
