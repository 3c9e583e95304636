package web_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The judges of our documents that no one here wrote, at versions that stay.
const (
	redocly        = "@redocly/cli@2.77.0"
	spectral       = "@stoplight/spectral-cli@6.16.3"
	asyncapiParser = "@asyncapi/parser@3.6.3"
)

// npmJudges installs them into the folder for such things that git ignores.
var npmJudges = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs("../.cache/npm-judges")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	out, err := exec.Command("npm", "install", "--prefix", dir, "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", redocly, spectral, asyncapiParser).CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return filepath.Join(dir, "node_modules"), nil
})

// judge runs a script of theirs, or one of ours that uses them, and fails on
// what it finds. It returns what was printed.
func judge(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	modules, err := npmJudges()
	if err != nil {
		t.Fatalf("this test needs Node.js and npm, which make test installs, and the registry once: %v\n%s", err, modules)
	}
	if !strings.HasPrefix(script, "testdata/") {
		script = filepath.Join(modules, script)
	}
	c := exec.Command("node", append([]string{script}, args...)...)
	c.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NODE_PATH="+modules)
	var complaints bytes.Buffer
	c.Stderr = &complaints
	out, err := c.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", script, err, out, &complaints)
	}
	return out
}

func rules(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDescribed_redocly_has_nothing_to_say(t *testing.T) {
	t.Parallel()
	out := judge(t, "@redocly/cli/bin/cli.js", "lint", "--format=json", "--config", rules(t, "redocly.yaml", "extends: [recommended]\n"), "openapi.json")
	var report struct{ Totals map[string]int } // warnings alone do not change how it ends
	if err := json.Unmarshal(out, &report); err != nil || len(report.Totals) < 2 || report.Totals["errors"]+report.Totals["warnings"] != 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDescribed_spectral_has_nothing_to_say(t *testing.T) {
	t.Parallel()
	judge(t, "@stoplight/spectral-cli/dist/index.js", "lint", "--fail-severity", "hint", "--ruleset", rules(t, "spectral.yaml", "extends: [\"spectral:oas\"]\n"), "openapi.json")
}

// The generated file is what go generate makes of the document today.
func TestDescribed_generated_code_is_current(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("openapi.go")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(source), "//go:generate ")
	line, _, _ = strings.Cut(line, "\n")
	fresh := filepath.Join(t.TempDir(), "fresh.go")
	command := strings.Fields(strings.Replace(line, "-o openapi.gen.go", "-o "+fresh, 1))
	generate := exec.Command(command[0], command[1:]...)
	generate.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if !bytes.Equal(must(os.ReadFile(fresh)), must(os.ReadFile("openapi.gen.go"))) {
		t.Error("openapi.gen.go is not what openapi.json makes of it: run go generate ./web")
	}
}
