package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"
)

// scenariosCommand plays the scenarios against a sandbox of its own, or the
// callback side of them against a merchant's endpoint.
type scenariosCommand struct {
	Names   []string `arg:"" optional:"" name:"name" help:"Which scenarios, by name or row. Default: all."`
	List    bool     `help:"Say what there is, and play nothing."`
	JSON    bool     `name:"json" help:"One JSON object per line."`
	Restart bool     `help:"Restart the tracker in the middle of each."`
	Verbose bool     `help:"Show the log of each scenario that fails."`

	CallbackURL string `name:"callback-url" placeholder:"URL" help:"Send signed callbacks, good and bad, to this endpoint instead."`
	callbackSubject
}

// Help is the longer help of the command.
func (scenariosCommand) Help() string {
	return `Each scenario starts a tracker and a sandbox bank with empty data and random
ports, moves their clock, and plays over HTTP. Nothing of yours is touched.

With --callback-url, a payment of yours is needed that the bank has not decided:
--secret, --payment, --reference, --amount and --currency say which. The endpoint
gets that payment's callbacks: first those that must change nothing, and in the
end the one that pays it.`
}

// Run plays and prints; the error says how many failed.
func (c *scenariosCommand) Run(ctx context.Context, out *console) error {
	list, err := c.chosen()
	if err != nil {
		return err
	}
	switch {
	case c.CallbackURL != "":
		return c.replay(ctx, out, time.Now())
	case c.List:
		for _, sc := range list {
			c.print(out, sc, fmt.Sprintf("%2d  %-26s %s", sc.Row, sc.Name, sc.Rule))
		}
		return nil
	}
	failed := 0
	for _, sc := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !c.play(ctx, out, sc) {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d scenarios failed", failed, len(list))
	}
	return nil
}

// chosen are the scenarios that the arguments name.
func (c *scenariosCommand) chosen() ([]scenario, error) {
	if len(c.Names) == 0 {
		return scenarios(), nil
	}
	var list []scenario
	for _, name := range c.Names {
		found := false
		for _, sc := range scenarios() {
			if sc.Name == name || strconv.Itoa(sc.Row) == name {
				list, found = append(list, sc), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no scenario %q; --list shows all", name)
		}
	}
	return list, nil
}

// scenarioResult is a line of --json.
type scenarioResult struct {
	scenario
	OK       bool    `json:"ok"`
	Seconds  float64 `json:"seconds"`
	Restarts bool    `json:"restart"`
	Error    string  `json:"error,omitempty"`
}

func (c *scenariosCommand) play(ctx context.Context, out *console, sc scenario) bool {
	var record bytes.Buffer
	began := time.Now()
	err := c.sandboxed(ctx, sc, slog.New(slog.NewTextHandler(&record, &slog.HandlerOptions{Level: slog.LevelWarn})))
	r := scenarioResult{scenario: sc, OK: err == nil, Seconds: time.Since(began).Round(time.Millisecond).Seconds(), Restarts: c.Restart}
	line := fmt.Sprintf("ok      %2d  %-26s %6.2fs", sc.Row, sc.Name, r.Seconds)
	if err != nil {
		r.Error = err.Error()
		line = fmt.Sprintf("FAILED  %2d  %-26s %6.2fs  %s", sc.Row, sc.Name, r.Seconds, r.Error)
	}
	c.print(out, r, line)
	if err != nil && c.Verbose {
		fmt.Fprintf(out.stderr, "%s", record.Bytes())
	}
	return err == nil
}

// sandboxed plays in a folder that is gone afterwards.
func (c *scenariosCommand) sandboxed(ctx context.Context, sc scenario, log *slog.Logger) error {
	dir, err := os.MkdirTemp("", "tracker-scenario-")
	if err != nil {
		return err
	}
	clock := newMovedClock()
	err = sc.run(ctx, &insideHost{log: log, clock: clock}, dir, log, nil, c.Restart)
	return errors.Join(err, os.RemoveAll(dir))
}

// print writes v as JSON, or the line.
func (c *scenariosCommand) print(out *console, v any, line string) {
	if !c.JSON {
		fmt.Fprintln(out.stdout, line)
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte(strconv.Quote(err.Error()))
	}
	fmt.Fprintln(out.stdout, string(text))
}
