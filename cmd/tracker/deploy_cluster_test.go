package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	broker "github.com/nats-io/nats-server/v2/server" // package main has a server of its own

	"tracker/config"
)

func mustAddr(t *testing.T, text string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// manifest is as much of a Kubernetes object as the test looks at.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name, Namespace string }
	Data       map[string]string
	Spec       struct {
		Replicas        int
		MinReadySeconds int `yaml:"minReadySeconds"`
		MaxUnavailable  int `yaml:"maxUnavailable"`
		Selector        any // a Service's is flat
		Rules           []ingressRule
		Template        struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Grace      int `yaml:"terminationGracePeriodSeconds"`
				Containers []container
			}
		}
	}
}

type ingressRule struct {
	HTTP struct {
		Paths []struct {
			Path    string
			Backend struct{ Service struct{ Name string } }
		}
	}
}

type container struct {
	Env       []struct{ Name, Value string }
	Readiness probe `yaml:"readinessProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Lifecycle struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

func TestDeploy_kubernetes_manifests_fit_together(t *testing.T) {
	t.Parallel()
	kinds, paths, shared := map[string]int{}, map[string]string{}, map[string]string{}
	for _, m := range documents[manifest](t, "kubernetes.yaml", false) {
		if m.APIVersion == "" || m.Metadata.Name == "" || (m.Kind != "Namespace" && m.Metadata.Namespace != "tracker") {
			t.Errorf("incomplete: %+v", m)
		}
		kinds[m.Kind]++
		role := m.Metadata.Name
		for _, r := range m.Spec.Rules {
			for _, p := range r.HTTP.Paths {
				paths[p.Path] = p.Backend.Service.Name
			}
		}
		switch m.Kind {
		case "ConfigMap":
			shared = m.Data
		case "Deployment":
			checkDeployment(t, m, shared)
		case "PodDisruptionBudget":
			if m.Spec.MaxUnavailable != 1 || !strings.Contains(fmt.Sprint(m.Spec.Selector), "role:"+role) {
				t.Errorf("the budget of %s: %+v", role, m.Spec)
			}
		case "Service":
			if !strings.Contains(fmt.Sprint(m.Spec.Selector), "role:"+role) {
				t.Errorf("the service %s selects %v", role, m.Spec.Selector)
			}
		}
	}
	if fmt.Sprint(kinds) != "map[ConfigMap:1 Deployment:4 Ingress:2 Namespace:1 PodDisruptionBudget:4 Service:4]" {
		t.Errorf("there are %v", kinds)
	}
	conf := deployFile(t, "nginx.conf")
	for path, role := range paths { // one table in two files
		if path == "/v1" {
			path = "/v1/"
		}
		at := max(strings.Index(conf, " "+path+" "), strings.Index(conf, "^"+path+" "))
		if at < 0 || !strings.HasPrefix(conf[at+strings.Index(conf[at:], "http://"):], "http://"+role+";") {
			t.Errorf("nginx.conf does not send %s to %s", path, role)
		}
	}
	if len(paths) != strings.Count(conf, "proxy_pass ") {
		t.Errorf("%d paths, and nginx.conf has %d", len(paths), strings.Count(conf, "proxy_pass "))
	}
}

func checkDeployment(t *testing.T, m manifest, shared map[string]string) {
	t.Helper()
	role, c := m.Metadata.Name, m.Spec.Template.Spec.Containers[0]
	settings := map[string]string{}
	for name, value := range shared {
		settings[name] = value
	}
	for _, e := range c.Env {
		settings[e.Name] = e.Value
	}
	cfg := loads(t, role, settings)
	if len(cfg.Roles) != 1 || !cfg.Has(config.Role(role)) || m.Spec.Template.Metadata.Labels["role"] != role {
		t.Errorf("%s runs %v", role, cfg.Roles)
	}
	if c.Readiness.HTTPGet != (struct{ Path, Port string }{"/readyz", "admin"}) || c.Liveness.HTTPGet != (struct{ Path, Port string }{"/livez", "admin"}) {
		t.Errorf("the probes of %s: %+v %+v", role, c.Readiness, c.Liveness)
	}
	needs := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + cfg.Drain + farewell
	if grace := time.Duration(m.Spec.Template.Spec.Grace) * time.Second; grace <= needs {
		t.Errorf("%s has %v to end and needs %v", role, grace, needs)
	}
	if m.Spec.Replicas < 2 || m.Spec.MinReadySeconds < 2 {
		t.Errorf("%s: %+v", role, m.Spec)
	}
}

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
