package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
// figures, nothing is missed and nothing comes twice.
func TestBench_runs(t *testing.T) {
	t.Parallel()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  string
		zero  []string // figures that must be 0 on tracker's own lanes
		lanes []string
	}{
		{"feed --clients 30 --events 5 --for 1s --rate 20 --lanes parked,r3labs,write-loop", []string{"missed", "doubled", "never caught up", "none stalled, never caught up", "10 % stalled, never caught up"}, []string{laneParked, laneR3}},
		{"transports --clients 5 --events 3 --every 100ms --interval 200ms", []string{"missed"}, []string{"short poll", "long poll", "SSE", "WebSocket"}},
		{"screen --orders 10 --rate 20 --for 1s", []string{"missed"}, []string{"event in the client"}},
		{"poll --width 2 --for 200ms --waiters 20", []string{"not answered"}, []string{laneParked}},
		{"rest --width 4 --for 300ms", nil, nil},
		{"webhooks --endpoints 20 --events 2 --hang 10", []string{"not delivered to them"}, []string{"0 % hang", "10 % hang"}},
	} {
		name, _, _ := strings.Cut(c.args, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			picture := filepath.Join(t.TempDir(), "figures.svg")
			cmd := exec.CommandContext(t.Context(), program, append([]string{"bench"}, append(strings.Fields(c.args), "--json", "--svg", picture)...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			var r report
			if err := json.Unmarshal(out, &r); err != nil {
				t.Fatal(err)
			}
			seen := 0
			for _, f := range r.Figures {
				if !slices.Contains(c.zero, f.Name) || !slices.Contains(c.lanes, f.Lane) {
					continue
				}
				if seen++; f.Value != 0 {
					t.Errorf("%s, %s: %s is %v", f.Group, f.Lane, f.Name, f.Value)
				}
			}
			if seen < len(c.lanes) || len(r.Figures) == 0 {
				t.Errorf("only %d of the figures are there: %s", seen, out)
			}
			if _, err := os.Stat(picture); err != nil {
				t.Error(err)
			}
		})
	}
}
