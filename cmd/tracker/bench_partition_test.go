package main

import (
	"encoding/json"
	"os/exec"
	"testing"
)

func TestBenchPartition_every_event_has_one_reader(t *testing.T) {
	t.Parallel()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.CommandContext(t.Context(), program, "bench", "partition", "--nodes", "3", "--events", "200", "--rate", "1000", "--json").Output()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	readers := map[string]float64{}
	for _, f := range r.Figures {
		switch {
		case f.Name == "readers":
			readers[f.Lane] = f.Value
		case f.Name == "events to each" && f.Value == 0:
			t.Errorf("%s read nothing", f.Lane)
		}
	}
	if len(readers) != 3 || readers["one reads everything"] != 1 || readers["each reads a partition"] != 3 {
		t.Errorf("%v", readers)
	}
}
