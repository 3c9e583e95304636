package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tracker/cmd/tracker/drill"
)

// TestDrill_some is the command itself, with few watchers: a selection that needs
// all parts of a deployment, and no second of which is a promise.
func TestDrill_some(t *testing.T) {
	t.Parallel()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	cmd := exec.CommandContext(t.Context(), file, "drill", "kill9", "nats-store-all", "pg-cut", "--kills", "4", "--watchers", "60", "--rate", "10", "--json")
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	cmd.Stdout, cmd.Stderr = &out, &progress
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s%s", err, &out, &progress)
	}
	var names []string
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var r drill.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		names = append(names, r.Name)
		if !r.OK() || r.Times == 0 || r.Accepted == 0 || r.Deliveries == 0 || r.Watchers != 60 {
			t.Errorf("%+v", r)
		}
		t.Log(r.Line())
	}
	if got := strings.Join(names, " "); got != "kill9 nats-store-all pg-cut" {
		t.Errorf("drilled were: %s\n%s", got, &progress)
	}
}

func TestDrill_names(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"drill", "--list"}, func(string) string { return "" }, &out, &errs); code != exitOK {
		t.Errorf("%d: %s", code, &errs)
	}
	for _, d := range drill.All() {
		if !strings.Contains(out.String(), d.Name+" ") || d.About == "" {
			t.Errorf("%s is not listed:\n%s", d.Name, &out)
		}
	}
	errs.Reset()
	if code := run(t.Context(), []string{"drill", "earthquake"}, func(string) string { return "" }, &out, &errs); code != exitFailure || !strings.Contains(errs.String(), "earthquake") {
		t.Errorf("%d: %s", code, &errs)
	}
}
