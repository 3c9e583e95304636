package main

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tracker/notify/natsbus"
)

// What each stage counts, in milliseconds after the change.
func TestLags_stages(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for name, c := range map[string]struct {
		do   func(*lags)
		want map[string]float64 // ms; a stage that is not here was not observed
	}{
		"a relayed event": {
			func(l *lags) {
				l.passed(natsbus.Passage{Changed: start, Sent: at(3), Stored: at(5), Received: at(12)})
			},
			map[string]float64{stageCommit: 3, stageStore: 2, stageCarry: 7}},
		"a restored event was sent by no relay": {
			func(l *lags) { l.passed(natsbus.Passage{Changed: start, Stored: at(5), Received: at(6)}) },
			map[string]float64{stageCarry: 1}},
		"clocks that disagree": {
			func(l *lags) {
				l.passed(natsbus.Passage{Changed: start, Sent: at(3), Stored: at(1), Received: at(4)})
			},
			map[string]float64{stageCommit: 3, stageStore: 0, stageCarry: 3}},
		"a watched event": {
			func(l *lags) { l.fannedOut(at(0), at(2), at(10)) },
			map[string]float64{stageHub: 2, stageSocket: 8}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := prometheus.NewRegistry()
			c.do(newLags(r))
			families, err := r.Gather() // by name: the events, then the stages
			if err != nil || len(families) != 2 || len(families[1].Metric) != len(stages()) {
				t.Fatalf("%v, %v", families, err)
			}
			if got, read := families[0].Metric[0].Counter.GetValue() == 1, name != "a watched event"; got != read {
				t.Errorf("counted as read: %v", got)
			}
			for _, m := range families[1].Metric {
				stage, h := m.Label[0].GetValue(), m.Histogram
				want, observed := c.want[stage]
				if (h.GetSampleCount() == 1) != observed {
					t.Errorf("%s was observed %d times", stage, h.GetSampleCount())
				}
				if got := h.GetSampleSum() * 1000; got < want-0.001 || got > want+0.001 {
					t.Errorf("%s took %v ms, want %v", stage, got, want)
				}
			}
		})
	}
}
