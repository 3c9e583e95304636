package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tracker/config"
)

// composeFile holds what compose.yaml uses of the Compose specification, and
// nothing else can be in the file.
type composeFile struct {
	Tracker     any `yaml:"x-tracker"`
	Environment any `yaml:"x-environment"`
	Orders      any `yaml:"x-orders"`
	Payments    any `yaml:"x-payments"`
	Notify      any `yaml:"x-notify"`
	Web         any `yaml:"x-web"`
	Services    map[string]composeService
	Networks    map[string]struct {
		IPAM struct {
			Config []struct{ Subnet, Gateway string }
		}
	}
	Volumes map[string]struct{}
}

type composeService struct {
	Image     string
	Build     struct{ Context, Dockerfile string }
	Restart   string
	Stop      string   `yaml:"stop_grace_period"`
	ReadOnly  bool     `yaml:"read_only"`
	CapDrop   []string `yaml:"cap_drop"`
	Security  []string `yaml:"security_opt"`
	Ulimits   map[string]int
	DependsOn map[string]struct{ Condition string } `yaml:"depends_on"`

	Environment map[string]string
	Command     []string
	Ports       []string
	Volumes     []string
	Tmpfs       []string
	Healthcheck struct {
		Test              []string
		Interval, Timeout time.Duration
		Retries           int
	}
	Networks map[string]struct {
		Address netip.Addr `yaml:"ipv4_address"`
	}
}

// checkCompose says what is wrong with the file by itself and beside nginx.conf.
func checkCompose(text, conf string) (problems []string) {
	var file composeFile
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return []string{err.Error()}
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "#") && strings.Contains(line, "docker compose run") {
			problems = append(problems, "a service has one address, which its running container has: "+line)
		}
	}
	processes := map[string]int{}
	for name, s := range file.Services {
		for _, p := range s.check(file) {
			problems = append(problems, name+": "+p)
		}
		role, _, _ := strings.Cut(name, "-")
		if s.Image != "tracker" {
			continue
		}
		processes[role]++
		for _, p := range s.checkTracker(role, conf, file.Services["nginx"].Networks["inside"].Address) {
			problems = append(problems, name+": "+p)
		}
	}
	if fmt.Sprint(processes) != "map[notify:2 orders:2 payments:2 web:2]" {
		problems = append(problems, fmt.Sprint("the processes are ", processes))
	}
	return problems
}

// check finds what a service names and the file, or the directory, does not have.
func (s composeService) check(file composeFile) (problems []string) {
	for _, v := range s.Volumes {
		from, _, _ := strings.Cut(v, ":")
		_, known := file.Volumes[from]
		if _, err := os.Stat(filepath.Join(deployDir, from)); err != nil && !known && from != "./tls" { // which its user makes
			problems = append(problems, "there is no volume "+from)
		}
	}
	for other := range s.DependsOn {
		if _, ok := file.Services[other]; !ok {
			problems = append(problems, "there is no service "+other)
		}
	}
	for network, at := range s.Networks {
		list := file.Networks[network].IPAM.Config
		if len(list) != 1 || !netip.MustParsePrefix(list[0].Subnet).Contains(at.Address) {
			problems = append(problems, fmt.Sprintf("%v is not in the network %s", at.Address, network))
		}
	}
	if !slices.Contains([]string{"no", "always", "on-failure", "unless-stopped"}, s.Restart) {
		problems = append(problems, "restart: "+s.Restart)
	}
	return problems
}

func (s composeService) checkTracker(role, conf string, proxy netip.Addr) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, name := range unknownSettings(s.Environment) {
		wrong("there is no setting %s", name)
	}
	cfg, err := loaded(s.Environment)
	if err != nil {
		wrong("%v", err)
	}
	_, upstream, _ := strings.Cut(conf, "upstream "+role+" {")
	upstream, _, _ = strings.Cut(upstream, "}")
	if at := s.Networks["inside"].Address; !cfg.Has(config.Role(role)) || len(cfg.Roles) != 1 || !strings.Contains(upstream, at.String()+":8080") {
		wrong("runs %v at %s, and nginx has:\n%s", cfg.Roles, at, upstream)
	}
	if grace, err := time.ParseDuration(s.Stop); err != nil || grace <= cfg.Drain+farewell {
		wrong("%v to end, and %v to drain: %v", grace, cfg.Drain, err)
	}
	if len(cfg.TrustedProxies) != 1 || !cfg.TrustedProxies[0].Contains(proxy) {
		wrong("it does not believe nginx at %s", proxy)
	}
	return problems
}

func TestDeploy_compose_is_the_cluster_that_nginx_expects(t *testing.T) {
	t.Parallel()
	good, conf := deployFile(t, "compose.yaml"), deployFile(t, "nginx.conf")
	for _, p := range checkCompose(good, conf) {
		t.Error(p)
	}
	for _, m := range []struct{ old, new, says string }{
		{"docker compose exec orders-1", "docker compose run --rm orders-1", "a service has one address"},
		{"stop_grace_period", "stop_grace", "stop_grace"},
		{"read_only: true", "read_only: surely", "surely"},
		{"retries: 30", "retries: many", "many"},
		{"TRACKER_ROLES: web", "TRACKER_ROLE: web", "no setting TRACKER_ROLE"},
		{"TRACKER_PUBLIC_URL: https://localhost", "TRACKER_PUBLIC_URL: localhost", "TRACKER_PUBLIC_URL must be"},
		{"TRACKER_DRAIN: 10s", "TRACKER_DRAIN: 14s", "14s to drain"},
		{"10.0.1.1", "10.0.1.9", "nginx has"},
		{"10.0.4.2", "10.1.4.2", "is not in the network"},
		{"web-2:", "api-2:", "the processes are"},
		{"nats: {condition", "natz: {condition", "no service natz"},
		{"postgres:/var", "postgress:/var", "no volume postgress"},
		{"TRACKER_TRUSTED_PROXIES: 10.0.0.4", "TRACKER_TRUSTED_PROXIES: 10.0.0.5", "does not believe nginx"},
	} {
		bad := strings.Replace(good, m.old, m.new, 1)
		if problems := strings.Join(checkCompose(bad, conf), "\n"); bad == good || !strings.Contains(problems, m.says) {
			t.Errorf("%s → %s: %q is not in %q", m.old, m.new, m.says, problems)
		}
	}
}
