package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"
)

// tally is what a client has seen.
type tally struct {
	mu   sync.Mutex
	seqs []int
	end  chan struct{}
}

// add notes the id of an event; what is no sequence is not an event.
func (l *tally) add(id string) {
	if n, err := strconv.Atoi(id); err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.seqs = append(l.seqs, n)
	}
}

func (l *tally) has(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.seqs, n)
}

// whole demands 1 to n, each once and in order.
func (l *tally) whole(t *testing.T, n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seqs) != n {
		t.Errorf("%d events, want %d: %v", len(l.seqs), n, l.seqs)
		return
	}
	for i, seq := range l.seqs {
		if seq != i+1 {
			t.Errorf("events %v: not each once and in order", l.seqs)
			return
		}
	}
}

// foreign starts a client that no one here wrote; it stops with the test.
type foreign func(t *testing.T, p *program, m *moving) *tally

// survives is the same story for each client: it follows, the program is killed
// and comes back with more changes, and in the end the feed closes.
func survives(t *testing.T, start foreign) {
	t.Helper()
	p := startProgram(t, nil)
	m := newMoving(p, "foreign")
	l := start(t, p, m)
	n := m.move(2)
	p.until("the client knows what was", func() bool { return l.has(n) })
	for range 2 {
		p.stop(9)
		p.start()
		n = m.move(2)
		p.until("the client resumes", func() bool { return l.has(n) })
	}
	n = m.deliver()
	p.until("the client knows the end", func() bool { return l.has(n) })
	select {
	case <-l.end:
	case <-time.After(patience):
		t.Error("the client was not let go")
	}
	l.whole(t, n)
}

func TestClient_EventSource_of_Chromium(t *testing.T) {
	t.Parallel()
	survives(t, func(t *testing.T, p *program, m *moving) *tally {
		b := openBrowser(t, 400, 300)
		b.open(p.public + "/track/" + m.walk.order + "?access_token=" + m.walk.token) // sets the cookie
		b.state("/track/", "packing")
		b.open(p.public + "/docs") // the origin, without our own client
		// The types are those of the feed: an EventSource hears what it asks for.
		script := fmt.Sprintf(`(window.ids = [], window.source = new EventSource(%q), ["order.created", "order.payment_changed", "order.confirmed",
			"order.shipment_created", "order.shipment_changed", "order.completed", "message"].forEach((type) =>
			source.addEventListener(type, (e) => ids.push(e.lastEventId))), 1)`, m.feed())
		if _, err := b.eval(script); err != nil {
			t.Fatal(err)
		}
		l := &tally{end: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		read := make(chan struct{})
		t.Cleanup(func() { cancel(); <-read })
		go func() {
			defer close(read)
			for told, over := 0, false; ctx.Err() == nil && !over; {
				said, err := b.eval(`source.readyState + " " + ids.join(" ")`)
				if words := strings.Fields(said); err == nil && len(words) > 0 {
					for _, id := range words[1+told:] {
						l.add(id)
						told++
					}
					over = words[0] == "2" // a 204 ends an EventSource for good
				}
				<-time.After(20 * time.Millisecond)
			}
			close(l.end)
		}()
		return l
	})
}

// nodeClient follows a feed with the npm package, as its documentation says.
const nodeClient = `
import { createRequire } from "node:module";
const [modules, url, token, types] = process.argv.slice(2);
const { EventSource } = createRequire(modules + "/")("eventsource");
const source = new EventSource(url, { fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: "Bearer " + token } }) });
for (const type of types.split(",")) source.addEventListener(type, (e) => console.log(e.lastEventId));
source.addEventListener("error", () => { if (source.readyState === source.CLOSED) process.exit(0); });
`

func TestClient_eventsource_of_npm(t *testing.T) {
	t.Parallel()
	modules := npmModules(t)
	survives(t, func(t *testing.T, p *program, m *moving) *tally {
		file := filepath.Join(t.TempDir(), "client.mjs")
		if err := os.WriteFile(file, []byte(nodeClient), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		node := exec.CommandContext(ctx, "node", file, modules, p.public+m.feed(), m.walk.token,
			"order.created,order.payment_changed,order.confirmed,order.shipment_created,order.shipment_changed,order.completed,message")
		node.Stderr = os.Stderr
		out, err := node.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := node.Start(); err != nil {
			t.Fatal(err)
		}
		l := &tally{end: make(chan struct{})}
		t.Cleanup(func() { cancel(); <-l.end })
		go func() {
			defer close(l.end)
			for lines := bufio.NewScanner(out); lines.Scan(); {
				l.add(lines.Text())
			}
			node.Wait()
		}()
		return l
	})
}

func TestClient_of_r3labs(t *testing.T) {
	t.Parallel()
	survives(t, func(t *testing.T, p *program, m *moving) *tally {
		client := sse.NewClient(p.public + m.feed())
		client.Headers["Authorization"] = "Bearer " + m.walk.token
		client.ReconnectStrategy = backoff.NewConstantBackOff(100 * time.Millisecond)
		l := &tally{end: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		t.Cleanup(func() { cancel(); <-done })
		go func() {
			defer close(done)
			for ctx.Err() == nil { // it takes the end of a stream for the end of everything
				client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
					if ctx.Err() == nil && string(e.Event) == "closed" {
						cancel() // it would come back for ever: it knows no 204
						close(l.end)
					}
					if ctx.Err() == nil && len(e.Data) > 0 {
						l.add(string(e.ID))
					}
				})
			}
		}()
		return l
	})
}

func TestClient_curl(t *testing.T) {
	t.Parallel()
	survives(t, func(t *testing.T, p *program, m *moving) *tally {
		l := &tally{end: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(func() { cancel(); <-l.end })
		go func() {
			defer close(l.end)
			for last, closed := "0", false; ctx.Err() == nil && !closed; {
				curl := exec.CommandContext(ctx, "curl", "-sN", "--fail", "-H", "Accept: text/event-stream", "-H", "Authorization: Bearer "+m.walk.token,
					"-H", "Last-Event-ID: "+last, p.public+m.feed())
				out, err := curl.StdoutPipe()
				if err != nil {
					return
				}
				if curl.Start() != nil {
					return
				}
				readSSE(out, func(e sseEvent) bool {
					if closed = e.event == "closed"; !closed {
						last = e.id
						l.add(e.id)
					}
					return !closed
				})
				curl.Wait()
			}
		}()
		return l
	})
}
