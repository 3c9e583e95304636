package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// stageCounts is a histogram of tracker_lag_seconds as a metrics page shows it.
type stageCounts struct {
	below []float64 // upper bounds, seconds
	count []float64 // how many are not above them
}

// readLags reads the stages off a metrics page.
func readLags(page []byte) map[string]stageCounts {
	list := map[string]stageCounts{}
	for lines := bufio.NewScanner(bytes.NewReader(page)); lines.Scan(); {
		labels, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "tracker_lag_seconds_bucket{"), "} ")
		if !ok || !strings.HasPrefix(lines.Text(), "tracker_lag_seconds_bucket{") {
			continue
		}
		var stage, bound string
		for label := range strings.SplitSeq(labels, ",") {
			switch name, text, _ := strings.Cut(label, "="); name {
			case "stage":
				stage = strings.Trim(text, `"`)
			case "le":
				bound = strings.Trim(text, `"`)
			}
		}
		below, err := strconv.ParseFloat(bound, 64) // "+Inf" is one
		count, wrong := strconv.ParseFloat(value, 64)
		if err != nil || wrong != nil {
			continue
		}
		s := list[stage]
		s.below, s.count = append(s.below, below), append(s.count, count)
		list[stage] = s
	}
	return list
}

// since is what was counted after before.
func (s stageCounts) since(before stageCounts) stageCounts {
	if len(before.count) != len(s.count) {
		return s
	}
	count := slices.Clone(s.count)
	for i := range count {
		count[i] -= before.count[i]
	}
	return stageCounts{s.below, count}
}

// total is how many were observed.
func (s stageCounts) total() float64 {
	if len(s.count) == 0 {
		return 0
	}
	return s.count[len(s.count)-1]
}

// percentile is interpolated within its bucket, in seconds; 0 of nothing.
func (s stageCounts) percentile(p float64) float64 {
	if s.total() == 0 {
		return 0
	}
	want := s.total() * p / 100
	least, seen := 0.0, 0.0
	for i, below := range s.below {
		if s.count[i] >= want {
			if i == len(s.below)-1 { // no upper end
				return least
			}
			return least + (below-least)*(want-seen)/max(s.count[i]-seen, 1)
		}
		least, seen = below, s.count[i]
	}
	return least
}

// lagsOf reads the stages of a subject. One that has no metrics page has none.
func lagsOf(ctx context.Context, s subject) map[string]stageCounts {
	page, err := s.metrics(ctx)
	if err != nil {
		return nil
	}
	return readLags(page)
}

// stages adds the percentiles of the stages that were observed between two reads.
func (r *report) stages(group string, before, after map[string]stageCounts, list ...string) {
	for _, stage := range list {
		h := after[stage].since(before[stage])
		if h.total() == 0 {
			continue
		}
		for _, p := range []float64{50, 99} {
			r.add(group, "stage: "+stage, fmt.Sprintf("took p%g", p), h.percentile(p)*1000, "ms")
		}
	}
}
