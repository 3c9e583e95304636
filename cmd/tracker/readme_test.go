package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme_real_run_keeps_its_secret runs the lines that make and read the secret,
// as on two days: both have the same one.
func TestReadme_real_run_keeps_its_secret(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "## Run it for real")
	_, after, _ = strings.Cut(after, "```console\n")
	script, _, found := strings.Cut(after, "$ bin/tracker merchants create")
	if !found || strings.Contains(script, "bin/tracker") {
		t.Fatalf("nothing is kept before the first command:\n%s", after)
	}
	script = strings.ReplaceAll(strings.TrimPrefix(script, "$ "), "\n$ ", "\n") + "\necho $TRACKER_TOKEN_SECRET"
	dir, said := t.TempDir(), [2]string{}
	for i := range said {
		run := exec.CommandContext(t.Context(), "bash", "-c", script)
		run.Dir = dir
		out, err := run.Output()
		if err != nil {
			t.Fatal(err)
		}
		said[i] = strings.TrimSpace(string(out))
	}
	if len(said[0]) != 64 || said[0] != said[1] {
		t.Errorf("the secrets are %q", said)
	}
}

// TestReadme_walkthrough_works_as_printed runs the README's first ten minutes:
// the commands as they stand, with the key and the addresses of the test.
func TestReadme_walkthrough_works_as_printed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "readme_test.go runs these commands as they stand -->\n```sh\n")
	if !found {
		t.Fatal("the README has no walkthrough")
	}
	script, _, _ := strings.Cut(after, "```")

	p := startProgram(t, map[string]string{"TRACKER_WEBHOOK_ALLOW_PRIVATE": "true"})
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "bin", "tracker")); err != nil {
		t.Fatal(err)
	}
	hooks := freeAddr(t)
	for _, change := range [][2]string{
		{"http://127.0.0.1:8080", p.public}, {"sk_test_…", p.key}, {"127.0.0.1:3000", hooks}, {"receive --count", "receive --addr " + hooks + " --count"},
	} {
		if !strings.Contains(script, change[0]) {
			t.Fatalf("the walkthrough does not mention %q", change[0])
		}
		script = strings.ReplaceAll(script, change[0], change[1])
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	run.Dir = dir
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, p.log)
	}
	for _, want := range []string{`"cursor":`, "event: order.created", "good  order.cancelled"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the walkthrough does not print %q:\n%s", want, out)
		}
	}
	order, err := os.ReadFile(filepath.Join(dir, "cancelled.json"))
	if err != nil || !strings.Contains(string(order), `"status":"cancelled"`) {
		t.Errorf("the last answer is %s, %v", order, err)
	}
}
