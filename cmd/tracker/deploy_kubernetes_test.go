package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	strict "sigs.k8s.io/json" // what the API server reads with

	"tracker/config"
)

// cluster is what kubernetes.yaml makes, in Kubernetes' own types.
type cluster struct {
	namespaces  []core.Namespace
	shared      []core.ConfigMap
	deployments []apps.Deployment
	services    []core.Service
	budgets     []policy.PodDisruptionBudget
	ingresses   []networking.Ingress
}

// readCluster decodes every object as the API server does under --validate=strict:
// a field that the type does not have, or that comes twice, or a value of another
// type, is a problem.
func readCluster(text string) (c cluster, problems []string) {
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var document map[string]any
		switch err := d.Decode(&document); {
		case errors.Is(err, io.EOF):
			return c, problems
		case err != nil:
			return c, append(problems, err.Error())
		}
		what := fmt.Sprint(document["apiVersion"], " ", document["kind"])
		body, err := json.Marshal(document)
		if err != nil {
			return c, append(problems, what+": "+err.Error())
		}
		for _, err := range c.add(what, body) {
			problems = append(problems, what+": "+err.Error())
		}
	}
}

func (c *cluster) add(what string, body []byte) []error {
	switch what {
	case "v1 Namespace":
		return addTo(&c.namespaces, body)
	case "v1 ConfigMap":
		return addTo(&c.shared, body)
	case "v1 Service":
		return addTo(&c.services, body)
	case "apps/v1 Deployment":
		return addTo(&c.deployments, body)
	case "policy/v1 PodDisruptionBudget":
		return addTo(&c.budgets, body)
	case "networking.k8s.io/v1 Ingress":
		return addTo(&c.ingresses, body)
	}
	return []error{errors.New("there is no such kind here")}
}

func addTo[T any](list *[]T, body []byte) []error {
	var one T
	problems, err := strict.UnmarshalStrict(body, &one)
	if err != nil {
		problems = append(problems, err)
	}
	*list = append(*list, one)
	return problems
}

// check says what does not fit together.
func (c *cluster) check() (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if len(c.namespaces) != 1 || len(c.shared) != 1 || len(c.deployments) != 4 || len(c.services) != 4 || len(c.budgets) != 4 || len(c.ingresses) != 2 {
		wrong("objects are missing, or there are more than expected")
		return problems
	}
	namespace := c.namespaces[0].Name
	for i, d := range c.deployments {
		if d.Namespace != namespace || c.services[i].Namespace != namespace || c.budgets[i].Namespace != namespace || c.shared[0].Namespace != namespace {
			wrong("%s and what belongs to it are not in the namespace %s", d.Name, namespace)
		}
		problems = append(problems, checkPod(d, c.shared[0])...)
		pod := d.Spec.Template.Labels
		if !maps.Equal(d.Spec.Selector.MatchLabels, pod) {
			wrong("the deployment %s does not select its own pods", d.Name)
		}
		if s := c.services[i]; s.Name != d.Name || !maps.Equal(s.Spec.Selector, pod) || s.Spec.Ports[0].TargetPort.String() != "http" {
			wrong("the service %s is not that of the deployment %s", s.Name, d.Name)
		}
		b := c.budgets[i]
		if b.Name != d.Name || b.Spec.MaxUnavailable == nil || b.Spec.MaxUnavailable.IntValue() != 1 || !maps.Equal(b.Spec.Selector.MatchLabels, pod) {
			wrong("the disruption budget %s is not that of the deployment %s", b.Name, d.Name)
		}
	}
	for _, in := range c.ingresses {
		if in.Annotations["nginx.ingress.kubernetes.io/enable-access-log"] != "false" {
			wrong("the ingress %s logs access tokens", in.Name)
		}
	}
	return problems
}

// checkPod says what is wrong with how one role runs.
func checkPod(d apps.Deployment, shared core.ConfigMap) (problems []string) {
	wrong := func(format string, args ...any) {
		problems = append(problems, d.Name+": "+fmt.Sprintf(format, args...))
	}
	spec := d.Spec.Template.Spec
	if len(spec.Containers) != 1 || d.Spec.Replicas == nil || spec.TerminationGracePeriodSeconds == nil {
		wrong("incomplete")
		return problems
	}
	c := spec.Containers[0]
	settings := maps.Clone(shared.Data)
	for _, e := range c.Env {
		settings[e.Name] = e.Value
	}
	for _, name := range unknownSettings(settings) {
		wrong("there is no setting %s", name)
	}
	cfg, err := loaded(settings)
	if err != nil || len(cfg.Roles) != 1 || !cfg.Has(config.Role(d.Name)) || d.Spec.Template.Labels["role"] != d.Name {
		wrong("runs %v: %v", cfg.Roles, err)
	}
	if len(c.EnvFrom) != 2 || c.EnvFrom[0].ConfigMapRef == nil || c.EnvFrom[0].ConfigMapRef.Name != shared.Name || c.EnvFrom[1].SecretRef == nil {
		wrong("its settings come from %v", c.EnvFrom)
	}
	for at, probe := range map[string]*core.Probe{"/readyz": c.ReadinessProbe, "/livez": c.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != at || probe.HTTPGet.Port.String() != "admin" {
			wrong("the probe of %s: %v", at, probe)
		}
	}
	if len(spec.Volumes) != 1 || spec.Volumes[0].Secret == nil || len(c.VolumeMounts) != 1 || c.VolumeMounts[0].Name != spec.Volumes[0].Name || path.Dir(cfg.NATSCA) != c.VolumeMounts[0].MountPath {
		wrong("the certificate authority of NATS is at %q, and mounted is %v of %v", cfg.NATSCA, c.VolumeMounts, spec.Volumes)
	}
	ports := map[string]int32{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	if !maps.Equal(ports, map[string]int32{"http": 8080, "admin": 8081}) {
		wrong("its ports are %v", ports)
	}
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil {
		wrong("it is told to end before the last request has found another")
		return problems
	}
	needs := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + cfg.Drain + farewell
	if grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second; grace <= needs {
		wrong("it has %v to end and needs %v", grace, needs)
	}
	if *d.Spec.Replicas < 2 || d.Spec.MinReadySeconds < 2 {
		wrong("%d processes, ready for %d s", *d.Spec.Replicas, d.Spec.MinReadySeconds)
	}
	return problems
}

func TestDeploy_kubernetes_manifests_are_valid_and_fit_together(t *testing.T) {
	t.Parallel()
	c, problems := readCluster(deployFile(t, "kubernetes.yaml"))
	for _, p := range append(problems, c.check()...) {
		t.Error(p)
	}
	paths, conf := map[string]string{}, deployFile(t, "nginx.conf")
	for _, in := range c.ingresses {
		for _, rule := range in.Spec.Rules {
			for _, p := range rule.HTTP.Paths {
				paths[p.Path] = p.Backend.Service.Name
				if p.PathType == nil || p.Backend.Service.Port.Name != "http" {
					t.Errorf("the path %s of %s: %+v", p.Path, in.Name, p)
				}
			}
		}
	}
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

// TestDeploy_kubernetes_mistakes_are_found breaks the file in every way that the
// test above is to notice.
func TestDeploy_kubernetes_mistakes_are_found(t *testing.T) {
	t.Parallel()
	good := deployFile(t, "kubernetes.yaml")
	for _, m := range []struct{ old, new, says string }{
		{"terminationGracePeriodSeconds: 40", "terminationGracePeriod: 40", `unknown field "spec.template.spec.terminationGracePeriod"`},
		{"minReadySeconds", "minreadyseconds", `unknown field "spec.minreadyseconds"`},
		{"readinessProbe", "readynessProbe", `unknown field "spec.template.spec.containers[0].readynessProbe"`},
		{"replicas: 2", "replicas: two", "Deployment: json: cannot unmarshal string"},
		{"containerPort: 8080", `containerPort: "8080"`, "Deployment: json: cannot unmarshal string"},
		{"memory: 512Mi", "memory: 512MB", "quantities must match"},
		{"maxUnavailable: 1\n", "maxUnavailable: [1]\n", "PodDisruptionBudget: json: cannot unmarshal"},
		{"kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "no such kind"},
		{"apiVersion: policy/v1", "apiVersion: policy/v1beta1", "no such kind"},
		{"replicas: 2\n", "replicas: 2\n  replicas: 3\n", "already defined"},
		{"TRACKER_DRAIN: 20s", "TRACKER_DRAINS: 20s", "no setting TRACKER_DRAINS"},
		{"name: GOMEMLIMIT", "name: GOMEMORYLIMIT", "no setting GOMEMORYLIMIT"},
		{"TRACKER_DRAIN: 20s", "TRACKER_DRAIN: 40s", "40s to end and needs"},
		{"path: /readyz", "path: /livez", "the probe of /readyz"},
		{"maxUnavailable: 1\n", "maxUnavailable: 2\n", "the disruption budget"},
		{"TRACKER_NATS_CA: /etc/nats", "TRACKER_NATS_CA: /etc/tracker", "the certificate authority of NATS"},
		{"mountPath: /etc/nats/tls", "mountPath: /etc/nats", "the certificate authority of NATS"},
		{"volumeMounts: [{name: nats-ca", "volumeMounts: [{name: nats", "the certificate authority of NATS"},
		{"enable-access-log: \"false\"", "enable-access-log: \"true\"", "the ingress feeds logs access tokens"},
		{"value: payments", "value: pay", "payments: runs"},
		{"selector: {app: tracker, role: web}", "selector: {app: tracker, role: wep}", "the service web"},
	} {
		bad := strings.Replace(good, m.old, m.new, 1)
		c, problems := readCluster(bad)
		problems = append(problems, c.check()...)
		if bad == good || !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.says) }) {
			t.Errorf("%s → %s: %q is not in %q", m.old, m.new, m.says, problems)
		}
	}
}

// unknownSettings are those that neither tracker nor the Go runtime reads.
func unknownSettings(env map[string]string) (unknown []string) {
	known := map[string]bool{"GOMEMLIMIT": true, "GOMAXPROCS": true}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	for name := range env {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}
