package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It is generous,
// because it only ever passes when something is broken.
const patience = 2 * time.Minute

// binary is the built program, with the race detector in it. It is built once,
// into the folder for such things that git ignores.
var binary = sync.OnceValues(func() (string, error) {
	file, err := filepath.Abs(filepath.Join(root, ".cache", "tracker-under-test"))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-race", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// program is a running `tracker serve` of the sandbox.
type program struct {
	t   *testing.T
	env map[string]string
	dir string
	key string

	cmd    *exec.Cmd
	log    *logBuffer
	done   chan struct{}
	public string // http://127.0.0.1:…
	admin  string
	bank   string
}

// startProgram starts the built program with an empty data directory and free
// ports; env adds to the environment. It is ended with the test, and must not
// have logged a race or a panic.
func startProgram(t *testing.T, env map[string]string) *program {
	t.Helper()
	if _, err := binary(); err != nil { // before the ports are chosen: it takes a while
		t.Fatal(err)
	}
	p := &program{t: t, dir: t.TempDir(), key: "sk_test_program_under_test", env: map[string]string{
		"TRACKER_SANDBOX": "true", "TRACKER_ADDR": freeAddr(t), "TRACKER_ADMIN_ADDR": freeAddr(t), "TRACKER_BANK_ADDR": freeAddr(t),
	}}
	p.env["TRACKER_DATA_DIR"] = filepath.Join(p.dir, "data")
	p.env["TRACKER_SANDBOX_KEY"] = p.key
	for name, value := range env {
		p.env[name] = value
	}
	p.public, p.admin, p.bank = "http://"+p.env["TRACKER_ADDR"], "http://"+p.env["TRACKER_ADMIN_ADDR"], "http://"+p.env["TRACKER_BANK_ADDR"]
	p.start()
	t.Cleanup(func() {
		if p.cmd != nil {
			p.stop(syscall.SIGTERM)
		}
	})
	return p
}

// ports hands out each port once per run.
var ports struct {
	sync.Mutex
	taken map[int]bool
}

// freeAddr is a loopback address that was free a moment ago. A fixed address is
// needed because the program must come back to it after it was killed; it lies
// below the range from which the system gives ports to outgoing connections.
func freeAddr(t *testing.T) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.taken == nil {
		ports.taken = map[int]bool{}
	}
	for range 1000 {
		port := 10_000 + rand.IntN(20_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil || ports.taken[port] {
			continue
		}
		ports.taken[port] = true
		l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

func (p *program) start() {
	p.t.Helper()
	file, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	p.log = &logBuffer{}
	p.cmd = exec.Command(file, "serve")
	p.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	for name, value := range p.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		cmd.Wait()
		close(done)
	}(p.cmd, p.done)
	p.until("the program is ready", func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("the program ended at once:\n%s", p.log)
		default:
		}
		answer, err := http.Get(p.admin + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// stop sends the signal, waits for the end and says how long it took.
func (p *program) stop(signal syscall.Signal) time.Duration {
	p.t.Helper()
	began := time.Now()
	p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		p.t.Errorf("the program did not end on %v:\n%s", signal, p.log)
	}
	code := p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	for _, word := range []string{"DATA RACE", "panic:", "goroutine 1 ["} {
		if strings.Contains(p.log.String(), word) {
			p.t.Errorf("the program's output has %q:\n%s", word, p.log)
		}
	}
	if signal == syscall.SIGTERM && code != 0 {
		p.t.Errorf("the program ended with %d:\n%s", code, p.log)
	}
	return time.Since(began)
}

// kill is kill -9, and a new start on the same data.
func (p *program) killAndRestart() {
	p.t.Helper()
	p.stop(syscall.SIGKILL)
	p.start()
}

// until asks again and again whether something is so.
func (p *program) until(what string, ok func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain until %s\n%s", what, p.log)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// object is a JSON object.
type object = map[string]any

// call makes an API request as the demo merchant and returns status and body.
func (p *program) call(method, path string, body any, header ...string) (int, object) {
	p.t.Helper()
	status, text := p.raw(method, path, body, header...)
	var o object
	if len(text) > 0 {
		if err := json.Unmarshal(text, &o); err != nil {
			p.t.Fatalf("%s %s: %d is no JSON object: %s", method, path, status, text)
		}
	}
	return status, o
}

func (p *program) raw(method, path string, body any, header ...string) (int, []byte) {
	p.t.Helper()
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.public+path, reader)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.key)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", method, path, err, p.log)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, text
}

// must is call, and the status that has to come.
func (p *program) must(want int, method, path string, body any, header ...string) object {
	p.t.Helper()
	status, o := p.call(method, path, body, header...)
	if status != want {
		p.t.Fatalf("%s %s: %d, want %d: %v\n%s", method, path, status, want, o, p.log)
	}
	return o
}

// sseEvent is one event as it came over the wire.
type sseEvent struct{ id, event, data string }

// readSSE reads events until fn says that it has seen enough or the stream ends.
func readSSE(r io.Reader, fn func(sseEvent) (more bool)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var e sseEvent
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.event = value
		case "data":
			e.data = value
		case "":
			if e.data != "" && !fn(e) {
				return nil
			}
			e = sseEvent{}
		}
	}
	return lines.Err()
}

// logBuffer keeps what the program prints.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
