package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHistogram_percentiles_are_within_their_bucket(t *testing.T) {
	t.Parallel()
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	for p, want := range map[float64]time.Duration{1: 10 * time.Millisecond, 50: 500 * time.Millisecond, 99: 990 * time.Millisecond, 100: time.Second} {
		if got := h.percentile(p); got < want || float64(got) > 1.07*float64(want) {
			t.Errorf("p%v is %v, want %v", p, got, want)
		}
	}
	var none histogram
	if none.percentile(50) != 0 {
		t.Error("of nothing")
	}
	none.add(-time.Second) // a clock that jumped
	none.add(100 * 365 * 24 * time.Hour)
}

func TestReport_forms(t *testing.T) {
	t.Parallel()
	r := &report{Title: "a run", Setting: "some <setting>", Machine: "a machine", At: time.Unix(0, 0).UTC()}
	r.add("idle", "parked", "memory", 1.8372, "KB")
	r.add("idle", "plain", "memory", 24.51, "KB")
	r.add("idle", "plain", "goroutines", 2, "")
	r.add("storm", "parked", "missed", 0, "events")
	var text bytes.Buffer
	r.writeTables(&text)
	golden(t, "bench_tables", text.String())
	golden(t, "bench_svg", string(r.svg()))
	for d := xml.NewDecoder(bytes.NewReader(r.svg())); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// The measurements themselves, small and by the built program: whatever the
// figures, nothing is missed and nothing comes twice, which is its exit code.
func TestBench_runs(t *testing.T) {
	t.Parallel()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  string
		zeros int // figures that must be 0, and are
	}{
		{"idle --clients 50 --most 60 --orders 5", 6},
		{"fanout --clients 50 --events 5 --rate 20 --runs 1 --only tracker --only write-loop --only r3labs --only plain", 12},
		{"publish --watched 10,50 --events 50 --rate 100 --runs 1", 6},
		{"storm --clients 50 --rate 20 --within 500ms --for 2s", 3},
		{"stalled --clients 50 --rate 50 --for 1s --hot 2 --runs 1", 3},
		{"polls --clients 2 --for 100ms --runs 1", 0},
		{"longpoll --clients 50", 1},
		{"callback --payments 10 --rate 10", 1},
		{"latency --orders 50 --rate 20 --for 1s", 3},
		{"transports --clients 10 --events 3 --every 100ms --interval 200ms", 4},
		{"orders --clients 4 --for 200ms", 0},
		{"webhooks --endpoints 20 --events 2 --hang 10", 2},
	} {
		name, _, _ := strings.Cut(c.args, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := benched(t, program, strings.Fields(c.args)...)
			zeros := 0
			for _, f := range r.Figures {
				switch f.Name {
				case "missed", "doubled", "never caught up", "unanswered", "not delivered to them", "connections lost":
					zeros++
					if f.Value != 0 {
						t.Errorf("%s, %s: %s is %v", f.Group, f.Lane, f.Name, f.Value)
					}
				}
			}
			if zeros != c.zeros {
				t.Errorf("%d counts that must be 0, want %d", zeros, c.zeros)
			}
			if len(r.Figures) == 0 {
				t.Error("nothing was measured")
			}
		})
	}
}

func TestBench_orders_on_PostgreSQL(t *testing.T) {
	t.Parallel()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := benched(t, program, "orders", "--clients", "4", "--for", "200ms", "--database-url", postgresURL(t))
	for _, f := range r.Figures {
		if f.Name == "orders per second" && f.Value <= 0 {
			t.Errorf("%s: none", f.Lane)
		}
	}
}

// The roles are where they should be: what is watched in one process was changed in
// another, and nothing is missed on the way.
func TestBench_apart(t *testing.T) {
	t.Parallel()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := benched(t, program, "apart", "--orders", "10", "--rate", "20", "--for", "2s", "--rounds", "2", "--database-url", postgresURL(t))
	counted := map[string]int{}
	for _, f := range r.Figures {
		counted[f.Lane]++
		if strings.HasPrefix(f.Name, "event after the call began") && f.Value <= 0 {
			t.Errorf("%s, %s: %v", f.Lane, f.Name, f.Value)
		}
	}
	if counted["one process"] != 9 || counted["by role"] != 9 || len(r.Targets) != 1 {
		t.Errorf("%v, %v", counted, r.Targets)
	}
}

// benched runs one measurement and returns its report. The program and all that
// it starts have the race detector in them.
func benched(t *testing.T, program string, args ...string) report {
	t.Helper()
	picture := filepath.Join(t.TempDir(), "figures.svg")
	cmd := exec.CommandContext(t.Context(), program, append(append([]string{"bench"}, args...), "--json", "--svg", picture)...)
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || strings.Contains(stderr.String(), "DATA RACE") {
		t.Fatalf("%v\n%s\n%s", err, &stderr, out)
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(picture); err != nil {
		t.Error(err)
	}
	return r
}

func TestBench_refuses_what_cannot_be(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"idle --clients 0", "idle --most 0", "fanout --clients 20000", "publish --watched 0", "storm --clients 0", "stalled --runs 5", "latency --rate 0", "callback --payments 0", "callback --rate 1", "apart --rate 0", "orders --clients 0", "webhooks --rate 0", "--clients 0"} {
		var out bytes.Buffer
		code := run(t.Context(), append([]string{"bench"}, strings.Fields(args)...), func(string) string { return "" }, &out, &out)
		if code != exitFailure || !strings.Contains(out.String(), "must be") {
			t.Errorf("%s: %d, %s", args, code, &out)
		}
	}
}

func TestReport_faults_are_an_error(t *testing.T) {
	t.Parallel()
	r := &report{}
	r.none("storm", "tracker", "missed", 0, "events")
	r.atMost("idle", "memory", 2.5, 3, "KB")
	if err := r.fault(); err != nil {
		t.Errorf("a target that was missed is no fault: %v", err)
	}
	r.none("storm", "tracker", "doubled", 2, "events")
	if err := r.fault(); err == nil || !strings.Contains(err.Error(), "storm, tracker: doubled: 2 events") {
		t.Errorf("%v", err)
	}
}

// A crowd counts what has arrived whole: an event that was cut off did not.
func TestCrowd_counts_whole_events(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text                 string
		got, missed, doubled int64
	}{
		"whole":       {"retry: 5\n\nid: 1\nevent: a\ndata: {}\n\nid: 2\ndata: {}\n\n", 2, 0, 0},
		"cut off":     {"id: 1\ndata: {}\n\nid: 2\ndata: {\"a", 1, 0, 0},
		"missed":      {"id: 1\ndata: {}\n\nid: 4\ndata: {}\n\n", 2, 2, 0},
		"doubled":     {"id: 1\ndata: {}\n\nid: 1\ndata: {}\n\n", 1, 0, 1},
		"no id":       {"data: {\"pub\":{\"seq\":7,\"x\":1}}\n\n", 1, 0, 0},
		"foreign id":  {"id: 1700000000:0\ndata: {\"seq\":3}\n\n", 1, 0, 0},
		"long":        {"id: 1\ndata: " + strings.Repeat("x", 5000) + "\n\n", 1, 0, 0},
		"chunked":     {"3c\r\nid: 1\ndata: {}\n\n\r\n3d\r\nid: 2\ndata: {}\n\n\r\n", 2, 0, 0},
		"a heartbeat": {":\n\nid: 1\ndata: {}\n\n:\n\n", 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crowd, m := newCrowd("", ""), &member{order: "ord_1"}
			client, server := net.Pipe()
			go func() {
				io.WriteString(server, c.text)
				server.Close()
			}()
			close(crowd.over)
			crowd.read(m, bufio.NewReaderSize(client, 2048), client)
			if got, missed, doubled := crowd.got.Load(), crowd.missed.Load(), crowd.doubled.Load(); got != c.got || missed != c.missed || doubled != c.doubled {
				t.Errorf("got %d, missed %d, doubled %d", got, missed, doubled)
			}
		})
	}
}
