package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A client that openapi-typescript generates from what the program serves
// compiles under tsc's strictest rules, and takes an order from creation to
// delivery.
func TestClient_generated_in_TypeScript_runs_an_order(t *testing.T) {
	t.Parallel()
	p, modules, dir := startProgram(t, nil), filepath.Join(npmModules(t), "node_modules"), t.TempDir()
	status, document := p.raw(http.MethodGet, "/openapi.json", nil)
	if status != http.StatusOK {
		t.Fatalf("the document: %d", status)
	}
	source, err := os.ReadFile("testdata/typescript/order.ts")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"openapi.json": document, "order.ts": source, "node.d.ts": []byte(`declare const process: { argv: string[] };`), "package.json": []byte(`{"type":"module"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	node := func(args ...string) string {
		t.Helper()
		c := exec.Command("node", args...)
		c.Dir = dir
		out, err := c.Output()
		if err != nil {
			t.Fatalf("node %s: %v\n%s%s\n%s", strings.Join(args, " "), err, out, err.(*exec.ExitError).Stderr, p.log)
		}
		return string(out)
	}
	node("node_modules/openapi-typescript/bin/cli.js", "openapi.json", "-o", "api.d.ts")
	node("node_modules/typescript/bin/tsc", "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--target", "es2023", "--module", "nodenext",
		"--lib", "es2023,dom,dom.iterable", "order.ts", "node.d.ts")
	var got map[string]any
	if err := json.Unmarshal([]byte(node("order.js", p.public, p.key)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"status": "completed", "paid": "paid", "sent": "fulfilled", "listed": true, "whole": true, "refused": "illegal_transition"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
