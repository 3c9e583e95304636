package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrow tells what one package may import beside the standard library: local
// packages by their path below the module, other modules by prefix. A package
// without an arrow may not exist.
type arrow struct {
	local []string
	third []string
}

const gorm = "gorm.io/gorm"

// house is the import table. Everything that it does not allow is forbidden.
func house() map[string]arrow {
	domainStore := func(domain string) arrow {
		return arrow{[]string{domain, "payments/money", "notify/txoutbox", "notify/eventwire"}, []string{gorm}}
	}
	return map[string]arrow{
		"config":                        {},
		"config/dbconn":                 {[]string{"config"}, []string{"gorm.io/", "modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3"}},
		"config/dbconn/dbtest":          {[]string{"config/dbconn"}, []string{"gorm.io/", "github.com/jackc/pgx/v5"}},
		"notify/eventwire":              {},
		"notify/txoutbox":               {[]string{"notify/eventwire"}, []string{gorm}},
		"notify/natsbus":                {[]string{"notify/eventwire"}, []string{"github.com/nats-io/"}},
		"notify":                        {[]string{"notify/eventwire"}, []string{"github.com/r3labs/sse/v2", "github.com/coder/websocket", "golang.org/x/sys", "golang.org/x/sync", "golang.org/x/time/rate", "github.com/maypok86/otter/v2"}},
		"notify/webhooks":               {[]string{"notify/eventwire"}, nil},
		"notify/webhooks/webhooksdb":    domainStore("notify/webhooks"),
		"payments/money":                {},
		"orders":                        {[]string{"notify/eventwire", "payments/money"}, nil},
		"orders/ordersdb":               domainStore("orders"),
		"payments":                      {[]string{"notify/eventwire", "payments/money"}, nil},
		"payments/paymentsdb":           domainStore("payments"),
		"payments/sandboxbank":          {[]string{"payments", "payments/money"}, []string{"github.com/standard-webhooks/"}},
		"payments/stripepay":            {[]string{"payments", "payments/money"}, []string{"github.com/stripe/stripe-go"}},
		"web/apikeys":                   {[]string{"notify/eventwire"}, []string{"github.com/maypok86/otter/v2", "golang.org/x/sync/singleflight"}},
		"web/apikeys/apikeysdb":         domainStore("web/apikeys"),
		"web/idempotency":               {},
		"web/idempotency/idempotencydb": domainStore("web/idempotency"),
		"web/tracktoken":                {[]string{"notify/eventwire"}, []string{"github.com/golang-jwt/jwt/v5"}},
		"web": {
			[]string{"orders", "payments", "payments/money", "notify", "notify/eventwire", "notify/webhooks", "web/apikeys", "web/idempotency", "web/tracktoken"},
			[]string{"github.com/labstack/echo/v4", "github.com/go-json-experiment/json", "github.com/prometheus/client_golang"},
		},
		// It judges what the others do, so it shares nothing with them but the way to the database.
		"cmd/tracker/drill": {[]string{"config/dbconn"}, []string{"golang.org/x/sys"}},
		"cmd/tracker": {[]string{"*"}, []string{"github.com/alecthomas/kong", "github.com/standard-webhooks/", "golang.org/x/sync/errgroup", "github.com/r3labs/sse/v2", "github.com/coder/websocket", "github.com/prometheus/client_golang", "golang.org/x/sys",
			"go.opentelemetry.io/otel",            // trace.go alone: the parts have seams and know no collector
			"github.com/labstack/echo/v4", gorm}}, // the bench measures a bare handler and bare statements beside ours
	}
}

// oneFile names modules that only one file of their package may import.
func oneFile() map[string]string {
	return map[string]string{
		"github.com/r3labs/sse/v2":   "notify",
		"github.com/coder/websocket": "notify",
		"go.opentelemetry.io/otel":   "cmd/tracker",
	}
}

func TestImports_follow_the_house(t *testing.T) {
	t.Parallel()
	allowed := house()
	importers := map[string][]string{}
	for file, imports := range sources(t) {
		pkg := path.Dir(file)
		rule, known := allowed[pkg]
		if !known {
			t.Errorf("%s: package %s has no place in the house", file, pkg)
			continue
		}
		for _, name := range imports {
			local, isLocal := strings.CutPrefix(name, "tracker/")
			switch {
			case isLocal && !slices.Contains(rule.local, local) && !slices.Contains(rule.local, "*"):
				t.Errorf("broken arrow: %s -> %s (in %s)", pkg, local, file)
			case isLocal && strings.HasPrefix(local, "cmd/") && pkg != "cmd/tracker":
				t.Errorf("broken arrow: %s -> %s (in %s): nobody imports cmd", pkg, local, file)
			case !isLocal && strings.Contains(name, ".") && !hasPrefix(rule.third, name):
				t.Errorf("broken arrow: %s -> %s (in %s)", pkg, name, file)
			}
			for module, home := range oneFile() {
				if pkg == home && strings.HasPrefix(name, module) && !slices.Contains(importers[module], file) {
					importers[module] = append(importers[module], file)
				}
			}
		}
	}
	for module, files := range importers {
		if len(files) != 1 {
			t.Errorf("%s has one home, and is imported by %v", module, files)
		}
	}
}

func TestPackages_have_unique_names_and_a_doc(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for pkg := range house() {
		name := path.Base(pkg)
		if other, taken := seen[name]; taken {
			t.Errorf("%s and %s share a name", pkg, other)
		}
		seen[name] = pkg
		text, err := os.ReadFile(filepath.Join(root, pkg, "doc.go"))
		if err != nil {
			t.Errorf("%s: %v", pkg, err)
			continue
		}
		if !strings.HasPrefix(string(text), "// ") {
			t.Errorf("%s/doc.go does not begin with what the package is", pkg)
		}
	}
}

func TestTopLevel_holds_what_was_agreed(t *testing.T) {
	t.Parallel()
	agreed := []string{"cmd", "orders", "payments", "notify", "web", "config", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE"}
	generated := []string{"bin", "data", "tracker"} // ignored by git
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, ".") && !slices.Contains(agreed, name) && !slices.Contains(generated, name) {
			t.Errorf("%s does not belong at the top", name)
		}
	}
}

const root = "../.."

// sources maps each production file to what it imports.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || base == "bin" || base == "data") {
			return filepath.SkipDir
		}
		if d.IsDir() && name != root && exists(filepath.Join(name, "go.mod")) {
			return filepath.SkipDir // a module of its own, with dependencies of its own
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		short, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		found[filepath.ToSlash(short)] = []string{}
		for _, spec := range file.Imports {
			text, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[filepath.ToSlash(short)] = append(found[filepath.ToSlash(short)], text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func hasPrefix(prefixes []string, name string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
