package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// watchCommand shows the live timeline of one order or payment.
type watchCommand struct {
	remote
	ID    string `arg:"" name:"id" help:"An order (ord_…) or a payment (pay_…)."`
	After int64  `placeholder:"N" help:"Begin after this sequence. Default: from the beginning."`
}

// Help is the longer help of the command.
func (watchCommand) Help() string {
	return `Prints one line per transition: the whole history, then each change as it
happens. A connection that breaks is opened again at the last sequence that was
printed, so nothing is missed and nothing comes twice; breaks are reported on
standard error. Ends by itself when nothing more is to come, or with Ctrl-C.

With --json each line is the event as the feed sends it.

Exit codes: 0 the feed ended or Ctrl-C, 1 it cannot be watched, 2 bad usage.`
}

// Run watches until the feed or ctx ends.
func (c *watchCommand) Run(ctx context.Context, out *console) error {
	api, err := c.dial(out)
	if err != nil {
		return err
	}
	path, err := resource(c.ID)
	if err != nil {
		return err
	}
	s := &feedReader{client: api, path: path + "/events"}
	if c.After > 0 {
		s.cursor = strconv.FormatInt(c.After, 10)
	}
	s.lost, s.back = reportBreaks(out, func() string { return "after #" + firstOf(s.cursor, "0") })
	s.event = func(f frame) error { return c.print(out, f) }
	if !c.JSON {
		fmt.Fprintf(out.stdout, "Watching %s (times are UTC; Ctrl-C stops)\n", c.ID)
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil && !c.JSON {
		fmt.Fprintln(out.stdout, "Closed: nothing more is to come.")
	}
	return nil
}

// reportBreaks says on standard error when a stream is lost and back, and where it
// goes on.
func reportBreaks(out *console, where func() string) (lost func(string, time.Duration), back func(time.Duration)) {
	lost = func(why string, again time.Duration) {
		fmt.Fprintf(out.stderr, "-- connection lost: %s; again in %s, %s\n", why, again.Round(100*time.Millisecond), where())
	}
	back = func(away time.Duration) {
		fmt.Fprintf(out.stderr, "-- connected again after %s\n", away.Round(100*time.Millisecond))
	}
	return lost, back
}

func (c *watchCommand) print(out *console, f frame) error {
	if c.JSON {
		_, err := fmt.Fprintf(out.stdout, "%s\n", f.Data)
		return err
	}
	switch f.Name {
	case "closed":
		return nil
	case "reset":
		fmt.Fprintln(out.stdout, "-- the server does not know this cursor: from the beginning")
		return nil
	}
	var e eventView
	if err := json.Unmarshal(f.Data, &e); err != nil {
		return fmt.Errorf("event %s cannot be read: %w", f.ID, err)
	}
	_, err := fmt.Fprintln(out.stdout, e.Data.Transition.line())
	return err
}
