package drill

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Line is a result in one line.
func (r Result) Line() string {
	word := "ok    "
	if !r.OK() {
		word = "FAILED"
	}
	line := fmt.Sprintf("%s  %-15s %6s  %d× harmed, %d accepted, %d delivered, %d lost, %d doubled, %d out of order, %d wrong, longest gap %s",
		word, r.Name, r.Took.Round(time.Second), r.Times, r.Accepted, r.Deliveries, r.Lost, r.Doubled, r.Disordered, r.Wrong, r.Gap.Round(10*time.Millisecond))
	if r.Note != "" {
		line += "; " + r.Note
	}
	for _, f := range r.Faults {
		line += "\n        " + f
	}
	return line
}

// Table prints results as a table in Markdown, with a sum.
func Table(w io.Writer, list []Result) {
	t := tabwriter.NewWriter(w, 0, 4, 1, ' ', 0)
	fmt.Fprintln(t, "| drill\t| what is done\t| times\t| watchers\t| accepted\t| deliveries\t| lost\t| doubled\t| out of order\t| longest gap\t| result\t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	allOK := true
	row := func(r Result, watchers any, gap string) {
		word := "ok"
		if allOK = allOK && r.OK(); !r.OK() || watchers == "" && !allOK {
			word = "FAILED"
		}
		fmt.Fprintf(t, "| %s\t| %s\t| %d\t| %v\t| %d\t| %d\t| %d\t| %d\t| %d\t| %s\t| %s\t|\n",
			r.Name, r.About, r.Times, watchers, r.Accepted, r.Deliveries, r.Lost, r.Doubled, r.Disordered, gap, word)
	}
	sum := Result{Name: "all"}
	for _, r := range list {
		row(r, r.Watchers, fmt.Sprintf("%.1f s", r.Gap.Seconds()))
		sum.Times, sum.Accepted, sum.Deliveries, sum.Took = sum.Times+r.Times, sum.Accepted+r.Accepted, sum.Deliveries+r.Deliveries, sum.Took+r.Took
		sum.Lost, sum.Doubled, sum.Disordered, sum.Wrong = sum.Lost+r.Lost, sum.Doubled+r.Doubled, sum.Disordered+r.Disordered, sum.Wrong+r.Wrong
	}
	sum.About = "in " + sum.Took.Round(time.Second).String()
	row(sum, "", "")
	t.Flush()
}
