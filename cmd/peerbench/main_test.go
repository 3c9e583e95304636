package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Every peer that this machine has speaks the protocol of a lane: a client that
// watches an order gets its events and no others.
func TestPeers_are_lanes(t *testing.T) {
	t.Parallel()
	peers := []string{"centrifuge"}
	if _, err := nchanModule(); err == nil {
		peers = append(peers, "nchan")
	}
	for _, name := range peers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			feed, control := startLane(t, name)
			var pids []int
			if err := json.Unmarshal(ask(t, http.MethodGet, control+"/pids", ""), &pids); err != nil || len(pids) == 0 {
				t.Fatalf("%v, %v", pids, err)
			}
			lines := watch(t, feed+"/v1/orders/ord_00000000000000000000000001/events")
			ask(t, http.MethodPost, control+"/collect", "")
			// A subscription may be younger than the answer's first line: publish until it is heard.
			for heard := false; !heard; {
				ask(t, http.MethodPost, control+"/publish", `{"feeds":2,"events":2,"size":300}`)
				select {
				case line := <-lines:
					heard = true
					if !strings.Contains(line, `"seq":`) || !strings.Contains(line, `"sent":`) {
						t.Errorf("an event without its marks: %s", line)
					}
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
}

func startLane(t *testing.T, name string) (feed, control string) {
	t.Helper()
	stdin, alive := io.Pipe()
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(context.Background(), []string{name}, stdin, stdout) }()
	t.Cleanup(func() {
		alive.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	feed, control, _ = strings.Cut(strings.TrimSpace(line), " ")
	return "http://" + feed, "http://" + control
}

func ask(t *testing.T, method, url, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, res.Status, err, text)
	}
	return text
}

// watch opens a stream and hands on its data lines that carry an event.
func watch(t *testing.T, url string) <-chan string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	t.Cleanup(func() { res.Body.Close() })
	lines := make(chan string, 64)
	go func() {
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			if strings.HasPrefix(s.Text(), "data:") && strings.Contains(s.Text(), `"note"`) {
				lines <- s.Text()
			}
		}
	}()
	return lines
}

func TestRun_refuses_what_it_does_not_know(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"mercury"}, {"centrifuge", "nchan"}} {
		if err := run(t.Context(), args, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}

func TestEvent_has_the_size_asked_for(t *testing.T) {
	t.Parallel()
	for _, size := range []int{200, 1200, 5000} {
		text := event(7, size)
		if got := len("data: ") + len(text) + 1; got != size {
			t.Errorf("%d bytes, want %d", got, size)
		}
		var e struct{ Seq, Sent int64 }
		if err := json.Unmarshal(bytes.TrimSpace(text), &e); err != nil || e.Seq != 7 || e.Sent == 0 {
			t.Errorf("%v, %+v", err, e)
		}
	}
}
