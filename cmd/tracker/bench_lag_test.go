package main

import (
	"bytes"
	"math"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The bench reads its stages off a metrics page as a scraper does.
func TestStages_are_read_off_a_metrics_page(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	l := newLags(r)
	page := func() map[string]stageCounts {
		w := httptest.NewRecorder()
		promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return readLags(w.Body.Bytes())
	}
	start := time.Now()
	l.observe(stageHub, start, start.Add(time.Second)) // before the measurement
	before := page()
	for ms := range 100 {
		l.observe(stageHub, start, start.Add(time.Duration(ms+1)*time.Millisecond))
	}
	after := page()
	if len(after) != len(stages()) {
		t.Fatalf("%d stages, want %d", len(after), len(stages()))
	}
	h := after[stageHub].since(before[stageHub])
	if h.total() != 100 || after[stageHub].total() != 101 {
		t.Errorf("%v of %v were observed", h.total(), after[stageHub].total())
	}
	for p, want := range map[float64]float64{50: 0.050, 99: 0.099} {
		if got := h.percentile(p); math.Abs(got-want) > 0.25*want { // a bucket is half as wide as it is high
			t.Errorf("p%v is %v s, want about %v", p, got, want)
		}
	}
	if got := after[stageStore].percentile(50); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	var text bytes.Buffer
	report := newReport("a run", "")
	report.stages("latency", before, after, stages()...)
	report.writeTables(&text)
	if n := bytes.Count(text.Bytes(), []byte("stage: ")); n != 1 {
		t.Errorf("%d stages in\n%s", n, &text)
	}
	l.observe(stageSocket, start, start.Add(time.Hour))
	if got := page()[stageSocket].percentile(99); got < 10 {
		t.Errorf("beyond the last bucket: %v s", got)
	}
}
