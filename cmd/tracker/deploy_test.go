package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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

// loaded is what a process makes of these settings and of the secrets that the file
// leaves to its user.
func loaded(settings map[string]string) (config.Config, error) {
	given := map[string]string{
		"TRACKER_TOKEN_SECRET": strings.Repeat("s", 32), "TRACKER_DATABASE_URL": "postgres://db/tracker", "TRACKER_NATS_URL": "nats://nats",
	}
	for name, value := range settings {
		if !strings.HasPrefix(value, "${") {
			given[name] = regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(value, "secret")
		}
	}
	return config.Load(func(name string) string { return given[name] })
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

// The context of a build is the tree: what is of this machine alone, and what is
// large, is left out, in the file that docker and podman both read.
func TestDeploy_image_is_built_without_data(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".git", ".cache", ".artifacts", "bin", "data"} {
		if !slices.Contains(strings.Split(string(text), "\n"), name) {
			t.Errorf("%s goes to the builder", name)
		}
	}
	if _, err := os.Stat(filepath.Join(root, ".containerignore")); err == nil {
		t.Error("podman would read .containerignore instead")
	}
}
