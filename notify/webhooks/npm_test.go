package webhooks_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/webhooks"
)

// Receivers that no one here wrote: the npm packages standardwebhooks and svix.
func TestService_npm_receivers_accept_it(t *testing.T) {
	t.Parallel()
	modules := npmModules(t)
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		secret := webhooks.NewSecret()
		url, lines := nodeReceiver(t, modules, secret)
		id := w.create(t, url).ID
		setSecret(t, w, id, secret)
		run(t, w.Service)
		e := w.happen(t, w.order(), 1)
		expect(t, lines, map[string]string{"standardwebhooks": e.ID, "svix": e.ID})

		// Rotated: the receiver, which still has the old secret, goes on accepting.
		if _, err := w.RotateSecret(t.Context(), w.merchant, id, 0); err != nil {
			t.Fatal(err)
		}
		e = w.happen(t, w.order(), 1)
		expect(t, lines, map[string]string{"standardwebhooks": e.ID, "svix": e.ID})

		// And they do refuse: this is no receiver that says yes to everything.
		request, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"id":"evt_forged"}`))
		if err := webhooks.SignHeader(request.Header, []string{webhooks.NewSecret()}, "evt_forged", time.Now(), []byte(`{"id":"evt_forged"}`)); err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != 400 {
			t.Errorf("a forged request got %d", response.StatusCode)
		}
	})
}

// setSecret gives an endpoint a secret that the receiver was started with.
func setSecret(t *testing.T, w *world, id, secret string) {
	t.Helper()
	_, err := w.store.Change(t.Context(), w.merchant, id, func(r *webhooks.Record) error {
		r.Keys.Current = secret
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, lines <-chan string, want map[string]string) {
	t.Helper()
	select {
	case line := <-lines:
		var says map[string]string
		if err := json.Unmarshal([]byte(line), &says); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for library, id := range want {
			if says[library] != id {
				t.Errorf("%s says %q, want %q", library, says[library], id)
			}
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the receiver got nothing")
	}
}

// npmModules installs the packages into the module's cache directory, once.
func npmModules(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	const hooks, svix = "1.1.1", "2.5.0"
	dir = filepath.Join(dir, ".cache", "npm-webhooks-"+hooks+"-"+svix)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "svix", "package.json")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "standardwebhooks@"+hooks, "svix@"+svix)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("these tests need Node.js and npm, and the registry once: %v\n%s", err, out)
	}
	return dir
}

func nodeReceiver(t *testing.T, modules, secret string) (url string, lines <-chan string) {
	t.Helper()
	node := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "receiver.mjs"), modules, secret)
	node.Stderr = os.Stderr
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatalf("these tests need Node.js: %v", err)
	}
	output := make(chan string, 16)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			output <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-ended
		_ = node.Wait() // it was told to end
	})
	select {
	case port := <-output:
		return "http://127.0.0.1:" + port, output
	case <-time.After(2 * time.Minute):
		t.Fatal("the receiver did not start")
		return "", nil
	}
}
