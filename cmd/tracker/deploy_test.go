package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tracker/config"
)

func deployFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documents decodes all YAML documents of a file.
func documents[T any](t *testing.T, name string, strict bool) (list []T) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(deployFile(t, name)))
	d.KnownFields(strict)
	for {
		var one T
		switch err := d.Decode(&one); {
		case errors.Is(err, io.EOF):
			return list
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, one)
	}
}

// loads demands that a process would start with these settings and the secrets
// that the file leaves to its user.
func loads(t *testing.T, what string, settings map[string]string) config.Config {
	t.Helper()
	given := map[string]string{
		"TRACKER_TOKEN_SECRET": strings.Repeat("s", 32), "TRACKER_DATABASE_URL": "postgres://db/tracker", "TRACKER_NATS_URL": "nats://nats",
	}
	for name, value := range settings {
		if !strings.HasPrefix(value, "${") {
			given[name] = regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(value, "secret")
		}
	}
	cfg, err := config.Load(func(name string) string { return given[name] })
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return cfg
}

func TestDeploy_names_only_settings_that_exist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	found := 0
	err := filepath.WalkDir(deployDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		for _, variable := range regexp.MustCompile(`TRACKER_[A-Z_]+`).FindAllString(string(text), -1) {
			found++
			if !known[variable] {
				t.Errorf("%s: there is no %s", name, variable)
			}
		}
		return err
	})
	if err != nil || found < 20 {
		t.Errorf("%d settings, %v", found, err)
	}
}

func TestDeploy_compose_is_the_cluster_that_nginx_expects(t *testing.T) {
	t.Parallel()
	type service struct {
		Environment map[string]string
		Stop        string `yaml:"stop_grace_period"`
		Networks    map[string]struct {
			Address string `yaml:"ipv4_address"`
		}
		Volumes []string
	}
	file := documents[struct{ Services map[string]service }](t, "compose.yaml", false)[0]
	conf := deployFile(t, "nginx.conf")
	seen := map[string]int{}
	for name, s := range file.Services {
		role, _, _ := strings.Cut(name, "-")
		for _, v := range s.Volumes {
			if path, _, _ := strings.Cut(v, ":"); strings.HasPrefix(path, "./") && path != "./tls" {
				if _, err := os.Stat(filepath.Join(deployDir, path)); err != nil {
					t.Error(err)
				}
			}
		}
		if s.Environment["TRACKER_ROLES"] == "" {
			continue
		}
		seen[role]++
		cfg := loads(t, name, s.Environment)
		upstream := conf[strings.Index(conf, "upstream "+role+" {"):]
		upstream = upstream[:strings.Index(upstream, "}")]
		if !cfg.Has(config.Role(role)) || len(cfg.Roles) != 1 || !strings.Contains(upstream, s.Networks["inside"].Address+":8080") {
			t.Errorf("%s runs %v at %s, and nginx has:\n%s", name, cfg.Roles, s.Networks["inside"].Address, upstream)
		}
		if grace, err := time.ParseDuration(s.Stop); err != nil || grace <= cfg.Drain+farewell {
			t.Errorf("%s: %v to end, and %v to drain: %v", name, grace, cfg.Drain, err)
		}
		if proxy := file.Services["nginx"].Networks["inside"].Address; !cfg.TrustedProxies[0].Contains(mustAddr(t, proxy)) {
			t.Errorf("%s does not believe nginx at %s", name, proxy)
		}
	}
	for _, role := range []string{"orders", "payments", "notify", "web"} {
		if seen[role] != 2 {
			t.Errorf("%d processes with %s", seen[role], role)
		}
	}
}

func TestDeploy_systemd_unit_ends_later_than_the_drain(t *testing.T) {
	t.Parallel()
	settings, section := map[string][]string{}, ""
	for line := range strings.SplitSeq(deployFile(t, "tracker@.service"), "\n") {
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case !ok || section == "":
			t.Errorf("not a setting: %s", line)
		default:
			settings[section+"."+key] = append(settings[section+"."+key], value)
		}
	}
	env := map[string]string{}
	for _, pair := range settings["Service.Environment"] {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	cfg := loads(t, "the unit", env)
	if stop, err := time.ParseDuration(settings["Service.TimeoutStopSec"][0]); err != nil || stop <= cfg.Drain+farewell {
		t.Errorf("%v to stop, and %v to drain: %v", stop, cfg.Drain, err)
	}
	for _, name := range []string{"Service.ExecStart", "Service.LimitNOFILE", "Service.DynamicUser", "Unit.StartLimitBurst", "Install.WantedBy"} {
		if len(settings[name]) != 1 {
			t.Errorf("%s: %v", name, settings[name])
		}
	}
}

func TestDeploy_image_holds_the_binary_alone(t *testing.T) {
	t.Parallel()
	text := deployFile(t, "Containerfile")
	_, last, ok := strings.Cut(text, "\nFROM scratch\n")
	if !ok || strings.Contains(last, "\nRUN ") || strings.Contains(last, "\nFROM ") {
		t.Error("the last stage is not the empty one, or runs something in it")
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	if !strings.Contains(text, "golang:"+string(version[1])+" ") {
		t.Errorf("it is not built by Go %s", version[1])
	}
	for _, line := range []string{"USER 65532:65532", `ENTRYPOINT ["/tracker"]`, `CMD ["serve"]`, "CGO_ENABLED=0"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
}

// scrape is what the admin port of a busy process shows.
func scrape(t *testing.T) string {
	t.Helper()
	p, w := startProgram(t, map[string]string{"TRACKER_WEBHOOK_ALLOW_PRIVATE": "true"}), &walk{}
	p.must(201, "POST", "/v1/webhook_endpoints", object{"url": "http://" + freeAddr(t) + "/"}, "Idempotency-Key", "hook")
	for _, s := range mainPath()[:4] {
		s.do(p, w)
	}
	openStream(t, http.DefaultClient, p.public+"/v1/orders/"+w.order+"/events", w.token)
	var text []byte
	p.until("a webhook is late", func() bool {
		answer, err := http.Get(p.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err = io.ReadAll(answer.Body)
		return err == nil && bytes.Contains(text, []byte("\ntracker_webhook_oldest_seconds ")) && bytes.Contains(text, []byte("\ntracker_watchers{"))
	})
	return string(text)
}

func TestDeploy_alerts_and_dashboard_name_figures_that_exist(t *testing.T) {
	t.Parallel()
	type rule struct {
		Alert, Expr, For    string
		Labels, Annotations map[string]string
	}
	type group struct {
		Name  string
		Rules []rule
	}
	queries := map[string]string{}
	for _, g := range documents[struct{ Groups []group }](t, "alerts.yaml", true)[0].Groups {
		for _, r := range g.Rules {
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["action"] == "" || queries[r.Alert] != "" {
				t.Errorf("%s lacks something, or is there twice: %+v", r.Alert, r)
			}
			queries[r.Alert] = r.Expr
		}
	}
	var board struct {
		Panels []struct {
			Title, Description string
			Targets            []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(deployFile(t, "grafana.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		if p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %s explains or shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			queries[p.Title+" "+target.RefID] = target.Expr
		}
	}
	if len(queries) < 25 {
		t.Errorf("only %d queries", len(queries))
	}
	figures := scrape(t)
	for name, query := range queries {
		for _, problem := range missing(figures, query) {
			t.Errorf("%s: %s in %s", name, problem, query)
		}
	}
}

// missing says what of a query the process does not show.
func missing(figures, query string) (problems []string) {
	if strings.Count(query, "(") != strings.Count(query, ")") || strings.Count(query, "{") != strings.Count(query, "}") {
		problems = append(problems, "brackets")
	}
	metric := regexp.MustCompile(`\b((?:tracker|process|go)_[a-z_]+)(?:\{([^}]*)\})?`)
	labels := regexp.MustCompile(`([a-z]+)=~?"([^"]*)"`)
	for _, m := range metric.FindAllStringSubmatch(query, -1) {
		series := regexp.MustCompile(`(?m)^`+m[1]+`[{ ].*`).FindAllString(figures, -1)
		if len(series) == 0 {
			problems = append(problems, "no "+m[1])
		}
		for _, l := range labels.FindAllStringSubmatch(m[2], -1) {
			if l[1] == "job" || l[1] == "status" { // Prometheus's own; and a status that has not happened here
				continue
			}
			if !slices.ContainsFunc(series, func(s string) bool { return strings.Contains(s, fmt.Sprintf("%s=%q", l[1], l[2])) }) {
				problems = append(problems, "no "+l[0])
			}
		}
	}
	return problems
}
