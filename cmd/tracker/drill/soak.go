package drill

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// reading is a figure of a process over time.
type reading struct {
	name   string  // of the metric
	about  string  // for people
	grows  float64 // how much of its mean it may grow from the middle of the run to its end
	atMost float64 // growth below which is noise, whatever the mean
	values map[string][]float64
}

// readings are what must stay flat. The heap after a collection is the memory that
// a leak would fill; the resident size goes up and down with the collector.
func readings() []*reading {
	return []*reading{
		{name: "go_memstats_heap_inuse_bytes", about: "heap", grows: 0.25, atMost: 16 << 20, values: map[string][]float64{}},
		{name: "process_resident_memory_bytes", about: "memory", grows: 0.25, atMost: 32 << 20, values: map[string][]float64{}},
		{name: "go_goroutines", about: "goroutines", grows: 0.10, atMost: 50, values: map[string][]float64{}},
		{name: "process_open_fds", about: "descriptors", grows: 0.10, atMost: 100, values: map[string][]float64{}},
	}
}

// soakSamples is how often a soak looks.
const soakSamples = 60

// soak runs the load alone, looks at every process from time to time, and judges
// the second half: a cache fills up at first, and a leak goes on.
func soak(ctx context.Context, s *session) (int, error) {
	list := readings()
	for range soakSamples {
		if err := rest(ctx, s.o.Soak/soakSamples); err != nil {
			return 0, err
		}
		for _, p := range s.rig.servers {
			found, err := p.metrics(ctx)
			if err != nil {
				return 0, fmt.Errorf("metrics of %s: %w", p.name, err)
			}
			for _, r := range list {
				value, ok := found[r.name]
				if !ok {
					return 0, fmt.Errorf("%s of %s: %w", r.name, p.name, errNoMetric)
				}
				r.values[p.name] = append(r.values[p.name], value)
			}
		}
	}
	var notes []string
	for _, r := range list {
		worst := 0.0
		for name, values := range r.values {
			growth, mean := growthOf(values[len(values)/2:])
			if math.Abs(growth/mean) > math.Abs(worst) {
				worst = growth / mean
			}
			if growth > r.atMost && growth > r.grows*mean {
				s.load.fail(fmt.Errorf("%s of %s grew by %.0f at a mean of %.0f within half of %s", r.about, name, growth, mean, s.o.Soak))
			}
		}
		notes = append(notes, fmt.Sprintf("%s %+.0f %%", r.about, 100*worst))
	}
	s.note = "at most, in the second half: " + strings.Join(notes, ", ")
	return 0, nil
}

// growthOf is by how much a line through the values rises from the first to the
// last, and their mean.
func growthOf(values []float64) (growth, mean float64) {
	n := float64(len(values))
	var sumX, sumY, sumXY, sumXX float64
	for i, y := range values {
		x := float64(i)
		sumX, sumY, sumXY, sumXX = sumX+x, sumY+y, sumXY+x*y, sumXX+x*x
	}
	slope := (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)
	return slope * (n - 1), sumY / n
}
