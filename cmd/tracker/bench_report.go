package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figure is one measured number.
type figure struct {
	Group string  `json:"group"` // what was measured
	Lane  string  `json:"lane"`  // of whom
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// report is what a run measured.
type report struct {
	Title   string    `json:"title"`
	Setting string    `json:"setting"`
	Machine string    `json:"machine"`
	At      time.Time `json:"at"`
	Figures []figure  `json:"figures"`
	Targets []target  `json:"targets,omitempty"`
	Faults  []string  `json:"faults,omitempty"`
}

// target is what a figure should be, and is.
type target struct {
	Group   string  `json:"group"`
	What    string  `json:"what"`
	Target  string  `json:"target"`
	Reached float64 `json:"reached"`
	Unit    string  `json:"unit"`
	Met     bool    `json:"met"`
}

// atMost and atLeast set a figure beside its target. A target that is missed is
// told and is no fault: it may be the machine.
func (r *report) atMost(group, what string, limit, reached float64, unit string) {
	r.Targets = append(r.Targets, target{group, what, "≤ " + short(limit), reached, unit, reached <= limit})
}

func (r *report) atLeast(group, what string, limit, reached float64, unit string) {
	r.Targets = append(r.Targets, target{group, what, "≥ " + short(limit), reached, unit, reached >= limit})
}

// none records a count that must be 0.
func (r *report) none(group, lane, name string, count int64, unit string) {
	r.add(group, lane, name, float64(count), unit)
	if count != 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("%s, %s: %s: %d %s", group, lane, name, count, unit))
	}
}

// fault is the error of a run in which something was missed or came twice.
func (r *report) fault() error {
	if len(r.Faults) == 0 {
		return nil
	}
	return errors.New("faults:\n  " + strings.Join(r.Faults, "\n  "))
}

func newReport(title, setting string) *report {
	machine := fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	return &report{Title: title, Setting: setting, Machine: machine, At: time.Now().UTC().Truncate(time.Second)}
}

func (r *report) add(group, lane, name string, value float64, unit string) {
	r.Figures = append(r.Figures, figure{group, lane, name, value, unit})
}

// delays adds the percentiles of a histogram.
func (r *report) delays(group, lane, of string, h *histogram) {
	for _, p := range []float64{50, 99} {
		r.add(group, lane, fmt.Sprintf("%s p%g", of, p), h.percentile(p).Seconds()*1000, "ms")
	}
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeTables prints one table per group: lanes down, figures across.
func (r *report) writeTables(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n%s\n", r.Title, r.Setting, r.Machine)
	for _, group := range distinct(r.Figures, func(f figure) string { return f.Group }) {
		list := slices.DeleteFunc(slices.Clone(r.Figures), func(f figure) bool { return f.Group != group })
		names := distinct(list, figure.heading)
		fmt.Fprintln(w)
		table(w, strings.ToUpper(group)+"\t"+strings.Join(names, "\t"), func(row func(...any)) {
			for _, lane := range distinct(list, func(f figure) string { return f.Lane }) {
				cells := []any{lane}
				for _, name := range names {
					cells = append(cells, cell(list, lane, name))
				}
				row(cells...)
			}
		})
	}
	r.writeTargets(w)
}

func (r *report) writeTargets(w io.Writer) {
	if len(r.Targets) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, "TARGETS\twhat\ttarget\treached\tunit\tmet", func(row func(...any)) {
		for _, t := range r.Targets {
			met := "no"
			if t.Met {
				met = "yes"
			}
			row(t.Group, t.What, t.Target, short(t.Reached), t.Unit, met)
		}
	})
}

func cell(list []figure, lane, name string) string {
	for _, f := range list {
		if f.Lane == lane && f.heading() == name {
			return short(f.Value)
		}
	}
	return "-"
}

func (f figure) heading() string {
	if f.Unit == "" {
		return f.Name
	}
	return f.Name + " (" + f.Unit + ")"
}

// short prints three significant digits.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a == math.Trunc(a) && a < 1e6, a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func distinct(list []figure, key func(figure) string) (keys []string) {
	for _, f := range list {
		if k := key(f); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// svg draws each figure that several lanes have as bars.
func (r *report) svg() []byte {
	var b bytes.Buffer
	y := 60
	for _, group := range distinct(r.Figures, func(f figure) string { return f.Group }) {
		for _, name := range distinct(r.Figures, func(f figure) string { return f.Name }) {
			list := slices.DeleteFunc(slices.Clone(r.Figures), func(f figure) bool { return f.Group != group || f.Name != name })
			if len(list) > 1 {
				y = bars(&b, group+": "+name, list, y)
			}
		}
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 %d" font-family="sans-serif" font-size="13" fill="#222"><rect width="760" height="%d" fill="#fff"/>`+
		`<text x="16" y="26" font-size="17" font-weight="600">%s</text><text x="16" y="44" fill="#666">%s · %s</text>`,
		y, y, html.EscapeString(r.Title), html.EscapeString(r.Setting), html.EscapeString(r.Machine))
	return append(append([]byte(head), b.Bytes()...), "</svg>\n"...)
}

func bars(b *bytes.Buffer, title string, list []figure, y int) int {
	most := slices.MaxFunc(list, func(a, b figure) int { return int(math.Copysign(1, a.Value-b.Value)) }).Value
	fmt.Fprintf(b, `<text x="16" y="%d" font-weight="600">%s (%s)</text>`, y+16, html.EscapeString(title), html.EscapeString(firstOf(list[0].Unit, "number")))
	y += 24
	for _, f := range list {
		width := 1.0
		if most > 0 {
			width = max(1, 480*f.Value/most)
		}
		fmt.Fprintf(b, `<text x="130" y="%d" text-anchor="end">%s</text><rect x="140" y="%d" width="%.0f" height="14" rx="2" fill="#3b6fb6"/><text x="%.0f" y="%d" fill="#444">%s</text>`,
			y+12, html.EscapeString(f.Lane), y, width, 146+width, y+12, short(f.Value))
		y += 20
	}
	return y + 14
}
