package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"
)

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

// alert is a rule of alerts.yaml, with nothing that Prometheus does not know.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// check says what a rule lacks for the person whom it wakes.
func (a alert) check() (problems []string) {
	if !slices.Contains([]string{"page", "ticket"}, a.Labels["severity"]) {
		problems = append(problems, "severity: "+a.Labels["severity"])
	}
	for _, part := range []string{"summary", "action"} {
		if len(strings.Fields(a.Annotations[part])) < 4 {
			problems = append(problems, "says nothing as its "+part)
		}
	}
	if wait, err := time.ParseDuration(a.For); a.For != "" && (err != nil || wait <= 0) {
		problems = append(problems, "for: "+a.For)
	}
	return problems
}

func alerts(t *testing.T) (list []alert) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
	d := yaml.NewDecoder(strings.NewReader(deployFile(t, "alerts.yaml")))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	return list
}

// panels are the queries of the dashboard.
func panels(t *testing.T) map[string]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title, Description string
			Targets            []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(deployFile(t, "grafana.json")), &board); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, p := range board.Panels {
		if p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %s explains or shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			queries[p.Title+" "+target.RefID] = target.Expr
		}
	}
	return queries
}

func TestDeploy_alerts_and_dashboard_name_figures_that_exist(t *testing.T) {
	t.Parallel()
	queries := panels(t)
	for _, a := range alerts(t) {
		for _, problem := range a.check() {
			t.Errorf("%s: %s", a.Alert, problem)
		}
		if queries[a.Alert] != "" {
			t.Errorf("%s is there twice", a.Alert)
		}
		queries[a.Alert] = a.Expr
	}
	figures, used := scrape(t), map[string]bool{}
	for name, query := range queries {
		named, problems := missing(figures, query)
		for _, problem := range problems {
			t.Errorf("%s: %s in %s", name, problem, query)
		}
		for _, metric := range named {
			used[metric] = true
		}
	}
	for _, help := range regexp.MustCompile(`(?m)^# HELP tracker_.*\b(?:of|that) those\b.*`).FindAllString(figures, -1) {
		t.Errorf("a reader of one figure does not see the one before: %s", help)
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (tracker_\w+) (\w+)`).FindAllStringSubmatch(figures, -1) {
		if name := m[1]; !used[name] && !(m[2] == "histogram" && used[name+"_bucket"]) {
			t.Errorf("%s is neither on the dashboard nor in an alert", name)
		}
	}
	for _, bad := range []string{"sum(tracker_watchers", "tracker_watcherz > 1", `tracker_payments{condition="overdu"} > 0`, "rate(tracker_watchers) > 1", "sum by (x) tracker_watchers",
		`tracker_http_connections_ended_total{after=~"silence|x"}`, "tracker_outbox_depth > 1 for 5m"} {
		if _, problems := missing(figures, bad); len(problems) == 0 {
			t.Errorf("nothing is found wrong with %s", bad)
		}
	}
}

// Every promise that has a figure has an alert on it.
func TestDeploy_alerts_watch_every_promise(t *testing.T) {
	t.Parallel()
	list := alerts(t)
	for what, figure := range map[string]string{
		"lag from commit to socket":      `tracker_lag_seconds_bucket`,
		"the outbox grows old":           `tracker_outbox_oldest_seconds`,
		"nobody relays":                  `tracker_outbox_leading) <`,
		"two relay":                      `tracker_outbox_leading) >`,
		"the stream lost something":      `tracker_stream_restored_total`,
		"a feed stands still":            `tracker_feed_events_total`,
		"payments are overdue":           `tracker_payments{condition="overdue"}`,
		"payments are unknown":           `tracker_payments{condition="unknown"}`,
		"payments wait for a person":     `tracker_payments{condition="review"}`,
		"the reconcile budget is used":   `tracker_payments{condition="budget_used"}`,
		"callbacks wait":                 `tracker_payments{condition="parked"}`,
		"callbacks are forged":           `tracker_payment_callbacks_forged_total`,
		"webhooks are late":              `tracker_webhook_oldest_seconds`,
		"webhooks pile up":               `tracker_webhook_backlog`,
		"endpoints are disabled":         `tracker_webhook_endpoints_disabled_total`,
		"endpoints fail":                 `tracker_webhook_endpoints{condition="failing"}`,
		"watchers are refused":           `tracker_watchers_refused_total`,
		"watchers are cut":               `tracker_watchers_ended_total{reason="slow"}`,
		"the database is away":           `tracker_outbox_depth`,
		"answers are errors":             `tracker_http_requests_total{status=~"5.."}`,
		"answers are slow":               `tracker_http_request_seconds_bucket`,
		"somebody asks too much":         `tracker_http_rate_limited_total`,
		"connections that bring nothing": `tracker_http_connections_ended_total`,
		"descriptors run out":            `process_open_fds`,
		"a process is away":              `up{job="tracker"} == 0`,
	} {
		if !slices.ContainsFunc(list, func(a alert) bool { return strings.Contains(a.Expr, figure) }) {
			t.Errorf("%s: there is no alert on %s", what, figure)
		}
	}
}

// An endpoint that is disabled is announced to whoever runs this.
func TestDeploy_an_endpoint_that_is_disabled_is_counted(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	t.Cleanup(gone.Close)
	p, w := startProgram(t, map[string]string{"TRACKER_WEBHOOK_ALLOW_PRIVATE": "true"}), &walk{}
	p.must(201, "POST", "/v1/webhook_endpoints", object{"url": gone.URL}, "Idempotency-Key", "hook")
	mainPath()[0].do(p, w)
	p.until("it is counted", func() bool {
		answer, err := http.Get(p.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return err == nil && bytes.Contains(text, []byte("\ntracker_webhook_endpoints_disabled_total 1\n"))
	})
}

// missing says what a query names, and what of it the process does not show, by
// Prometheus's own reading of it.
func missing(figures, query string) (named, problems []string) {
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return nil, []string{err.Error()}
	}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || selector.Name == "up" { // Prometheus's own
			return nil
		}
		named = append(named, selector.Name)
		series := regexp.MustCompile(`(?m)^`+selector.Name+`[{ ].*`).FindAllString(figures, -1)
		if len(series) == 0 {
			problems = append(problems, "no "+selector.Name)
		}
		for _, l := range selector.LabelMatchers {
			if l.Name == "__name__" || l.Name == "job" || l.Name == "status" { // Prometheus's own; and a status that has not happened here
				continue
			}
			if !slices.ContainsFunc(series, func(s string) bool { return matches(s, l) }) {
				problems = append(problems, fmt.Sprint("no ", l))
			}
		}
		return nil
	})
	return named, problems
}

// matches reports whether a line of the exposition has a label that fits.
func matches(line string, l *labels.Matcher) bool {
	for _, pair := range regexp.MustCompile(`[{,](\w+)="([^"]*)"`).FindAllStringSubmatch(line, -1) {
		if pair[1] == l.Name && l.Matches(pair[2]) {
			return true
		}
	}
	return false
}
