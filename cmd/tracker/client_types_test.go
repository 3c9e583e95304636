package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// npmPackages are the packages that no one here wrote, at versions that stay.
func npmPackages() []string {
	return []string{"typescript@5.9.3", "eventsource@4.1.0", "axe-core@4.14.1", "openapi-typescript@7.13.0", "openapi-fetch@0.17.0"}
}

// npmClient installs them into the folder for such things that git ignores.
var npmClient = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join(root, ".cache", "npm-client"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	args := append([]string{"install", "--prefix", dir, "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"}, npmPackages()...)
	out, err := exec.Command("npm", args...).CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return dir, nil
})

func npmModules(t *testing.T) string {
	t.Helper()
	dir, err := npmClient()
	if err != nil {
		t.Fatalf("this test needs Node.js and npm, which make test installs, and the registry once: %v\n%s", err, dir)
	}
	return dir
}

const clientFiles = root + "/web/static/client"

func TestClient_is_below_6_KB(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(clientFiles, "tracker.js"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression) // as it is served
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if n := packed.Len(); n >= 6<<10 {
		t.Errorf("tracker.js has %d bytes compressed, and must have less than %d", n, 6<<10)
	}
}

func TestClient_modules_are_clean_under_tsc(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(clientFiles, "*.js"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no modules: %v", err)
	}
	args := append([]string{filepath.Join(npmModules(t), "node_modules", "typescript", "bin", "tsc"), "--noEmit", "--allowJs", "--checkJs", "--strict",
		"--target", "es2023", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable"}, files...)
	if out, err := exec.Command("node", args...).CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}
