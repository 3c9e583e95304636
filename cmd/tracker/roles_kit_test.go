package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	broker "github.com/nats-io/nats-server/v2/server" // package main has a server of its own
)

// fleet is one product of many processes: two of each role on one database and
// one broker, behind nginx, and the bank as a process of its own.
type fleet struct {
	edge  *edge
	front *program // the whole, as it is reached through the edge
	roles map[string][]*program
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{roles: map[string][]*program{}}
	addrs := map[string][]string{}
	for _, role := range []string{"orders", "payments", "notify", "web"} {
		addrs[role] = []string{freeAddr(t), freeAddr(t)}
	}
	f.edge = startEdge(t, upstreams{addrs["orders"], addrs["payments"], addrs["notify"], addrs["web"]})
	shared := map[string]string{
		"TRACKER_DATABASE_URL": postgresURL(t), "TRACKER_NATS_URL": natsServer(t), "TRACKER_PUBLIC_URL": f.edge.plain, "TRACKER_TRUSTED_PROXIES": "127.0.0.1",
		"TRACKER_TOKEN_SECRET": strings.Repeat("token", 8), "TRACKER_BANK_SECRET": "whsec_" + strings.Repeat("YmFuaw", 6), "TRACKER_DRAIN": "500ms",
		"TRACKER_LIMIT_READS": "0", "TRACKER_LIMIT_WRITES": "0", "TRACKER_LIMIT_CONNECTS": "0",
	}
	shared["TRACKER_BANK_URL"] = startBank(t, shared["TRACKER_BANK_SECRET"])
	for role, list := range addrs {
		for _, addr := range list {
			env := map[string]string{"TRACKER_ROLES": role, "TRACKER_ADDR": addr}
			for name, value := range shared {
				env[name] = value
			}
			f.roles[role] = append(f.roles[role], startProgram(t, env))
		}
	}
	f.front = f.edge.behind(t, f.roles["web"][0])
	return f
}

// with makes t the one that fails.
func (f *fleet) with(t *testing.T) *fleet {
	f.front.t = t
	for _, p := range f.all() {
		p.t = t
	}
	return f
}

func (f *fleet) all() (list []*program) {
	for _, role := range []string{"orders", "payments", "notify", "web"} {
		list = append(list, f.roles[role]...)
	}
	return list
}

// relays is the process that brings the outbox to the stream, nil while it is
// being chosen.
func (f *fleet) relays() *program {
	for _, p := range f.all() {
		if p.cmd != nil && p.metric("tracker_outbox_leading") == 1 {
			return p
		}
	}
	return nil
}

// metric is one figure of the process, -1 without one.
func (p *program) metric(name string) float64 {
	p.t.Helper()
	answer, err := http.Get(p.admin + "/metrics")
	if err != nil {
		return -1
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return -1
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return n
		}
	}
	return -1
}

// natsServer is a broker outside of the processes, on a port of its own.
func natsServer(t *testing.T) string {
	t.Helper()
	return startBroker(t, &broker.Options{JetStream: true})
}

// startBank runs `tracker bank` and returns its address.
func startBank(t *testing.T, secret string) string {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	addr, log := freeAddr(t), &logBuffer{}
	cmd := exec.Command(file, "bank")
	cmd.Env = append(os.Environ(), "TRACKER_BANK_ADDR="+addr, "TRACKER_BANK_SECRET="+secret, "TRACKER_DATA_DIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return "http://" + addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("the bank does not answer:\n%s", log)
		}
	}
}

// watch is somebody who watches to the end of a feed, whatever breaks.
type watch struct {
	mu     sync.Mutex
	seen   []int
	resets int
	end    chan struct{}
}

// add notes an event, or with 0 a reset, and returns the cursor.
func (w *watch) add(seq int) (last int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seq == 0 {
		w.resets++
		w.seen = nil // the client begins anew
		return 0
	}
	w.seen = append(w.seen, seq)
	return seq
}

// watchBy starts a watcher that asks once after the other by ask, which says
// what it saw and whether the feed is at its end.
func watchBy(t *testing.T, ask func(ctx context.Context, after int, saw func(int)) (closed bool)) *watch {
	w := &watch{end: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); <-w.end })
	go func() {
		defer close(w.end)
		after := 0
		for ctx.Err() == nil {
			before := after
			if ask(ctx, after, func(seq int) { after = w.add(seq) }) {
				return
			}
			if after == before {
				<-time.After(20 * time.Millisecond)
			}
		}
	}()
	return w
}

func (w *watch) check(t *testing.T, n int) {
	t.Helper()
	select {
	case <-w.end:
	case <-time.After(patience):
		t.Error("the watcher of a finished order was not let go")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, seq := range w.seen {
		if seq != i+1 {
			t.Errorf("a watcher got %d where %d was next", seq, i+1)
			return
		}
	}
	if w.resets > 0 {
		t.Errorf("a watcher was reset %d times", w.resets)
	}
	if len(w.seen) != n {
		t.Errorf("a watcher saw %d of %d events", len(w.seen), n)
	}
}

func longPoller(base, token string) func(context.Context, int, func(int)) bool {
	return func(ctx context.Context, after int, saw func(int)) bool {
		r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprint(base, "?wait=30&after=", after), nil)
		if err != nil {
			return true
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var body struct {
			Events []struct{ Seq int }
			Closed bool
			Reset  bool
		}
		if answer.StatusCode != 200 || json.NewDecoder(answer.Body).Decode(&body) != nil {
			return false
		}
		if body.Reset {
			saw(0)
		}
		for _, e := range body.Events {
			saw(e.Seq)
		}
		return body.Closed
	}
}

func socketReader(base, token string) func(context.Context, int, func(int)) bool {
	return func(ctx context.Context, after int, saw func(int)) bool {
		c, _, err := websocket.Dial(ctx, fmt.Sprint(base, "?after=", after), &websocket.DialOptions{
			Subprotocols: []string{"tracker.v1"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
		if err != nil {
			return false
		}
		defer c.CloseNow()
		for {
			_, text, err := c.Read(ctx)
			if err != nil {
				return websocket.CloseStatus(err) == 4000
			}
			var e struct{ Seq int }
			if json.Unmarshal(text, &e) == nil {
				saw(e.Seq)
			}
		}
	}
}

// insist posts again and again, under one Idempotency-Key, until it is answered
// with success. It says how often it was not.
func insist(ctx context.Context, p *program, path string, body any, key string) (failures int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	for ; ctx.Err() == nil; failures++ {
		r, err := http.NewRequestWithContext(ctx, "POST", p.public+path, bytes.NewReader(text))
		if err != nil {
			return failures, err
		}
		r.Header = http.Header{"Authorization": {"Bearer " + p.key}, "Content-Type": {"application/json"}, "Idempotency-Key": {key}}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		reply, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		switch {
		case answer.StatusCode/100 == 2:
			return failures, nil
		case answer.StatusCode/100 == 4 && !bytes.Contains(reply, []byte(`"idempotency_in_progress"`)):
			return failures, fmt.Errorf("%s: %d %s", path, answer.StatusCode, reply)
		}
		<-time.After(20 * time.Millisecond)
	}
	return failures, ctx.Err()
}
