package main

import (
	"context"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"tracker ":                      "bench completion drill events keys listen orders payments trigger watch why",
		"tracker w":                     "watch why",
		"tracker orders ":               "cancel create get list ship",
		"tracker orders c":              "cancel create",
		"tracker orders list --st":      "--starting-after --status",
		"tracker watch ord_1 --j":       "--json",
		"tracker orders get ord_1 --ur": "--url",
		"tracker watch ord":             "",
		"":                              "",
	} {
		var out lockedBuffer
		parser, err := kong.New(&tools{}, kong.Name("tracker"), kong.Writers(&out, &out))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.Parse([]string{"completion", "candidates", "tracker", "w", "tracker"})
		if err != nil {
			t.Fatal(err)
		}
		parsed.BindTo(t.Context(), (*context.Context)(nil))
		if err := parsed.Run(&console{getenv: func(string) string { return line }, stdout: &out}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(out.String()), " "); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}
