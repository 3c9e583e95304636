package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"tracker/cmd/tracker/drill"
	"tracker/notify/natsbus"
)

// drillCommand harms a deployment of its own and checks the promises.
type drillCommand struct {
	Names    []string      `arg:"" optional:"" name:"name" help:"Which drills. Default: all."`
	List     bool          `help:"Say what there is, and harm nothing."`
	Whole    bool          `help:"The whole: 10,000 watchers, 100 kills, pauses of 20 s, a soak of 30 min."`
	For      time.Duration `help:"How long the soak lasts. Default: 2m, with --whole 30m."`
	Watchers int           `help:"Watchers while drills go on. Default: 1000, with --whole 10000."`
	Kills    int           `help:"How often kill9 kills. Default: 20, with --whole 100."`
	Rate     int           `default:"20" help:"Steps in the lives of orders per second. Default: 20."`
	Deploy   string        `default:"config/deploy" placeholder:"DIR" help:"Where nginx.conf is, for rolling. Default: config/deploy."`
	JSON     bool          `name:"json" help:"One JSON object per drill, and no table."`
	Keep     bool          `help:"Keep the directory with the logs of all processes."`
}

// Help is the longer help of the command.
func (drillCommand) Help() string {
	return `Starts a deployment on loopback: the tracker in its roles, the bank, three NATS
servers and PostgreSQL (initdb and postgres must be installed; rolling needs nginx
and the source tree). Then harms it, one drill after the other, while orders live
and thousands watch, and holds every answer and every event against the database.
Nothing of yours is touched. A promise that was broken makes the exit code 1.

    tracker drill                      everything, in some minutes
    tracker drill --whole              everything at full size, in about an hour
    tracker drill kill9 net --kills 50
    tracker drill soak --for 10m`
}

// Run drills and prints a line for each, and a table in the end.
func (c *drillCommand) Run(ctx context.Context, out *console) error {
	if c.List {
		for _, d := range drill.All() {
			fmt.Fprintf(out.stdout, "%-16s %s\n", d.Name, d.About)
		}
		return nil
	}
	if err := raise(); err != nil {
		return err
	}
	o, err := c.options(out)
	if err != nil {
		return err
	}
	var results []drill.Result
	err = drill.Run(ctx, o, c.Names, func(r drill.Result) {
		results = append(results, r)
		c.print(out, r)
	})
	if !c.JSON && len(results) > 0 {
		fmt.Fprintln(out.stdout)
		drill.Table(out.stdout, results)
	}
	failed := 0
	for _, r := range results {
		if !r.OK() {
			failed++
		}
	}
	if err == nil && failed > 0 {
		return fmt.Errorf("%d of %d drills failed", failed, len(results))
	}
	return err
}

func (c *drillCommand) options(out *console) (drill.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return drill.Options{}, err
	}
	o := drill.Options{
		Program: []string{self}, Serve: []string{self, "drill-part", "serve"}, NATS: []string{self, "drill-part", "nats"},
		Watchers: 1000, Lives: 20, Rate: c.Rate, Moves: 20, Kills: 20, Pause: 6 * time.Second, Soak: 2 * time.Minute, FailOver: 3 * time.Second,
		Crowd: 1000, Flood: 2000, Strict: true, Edge: c.Deploy, Keep: c.Keep, Progress: out.stderr,
	}
	if c.Whole {
		o.Watchers, o.Lives, o.Kills, o.Pause, o.Soak, o.Flood = 10_000, 40, 100, 20*time.Second, 30*time.Minute, 5000
	}
	if c.Watchers > 0 {
		o.Watchers = c.Watchers
	}
	if c.Kills > 0 {
		o.Kills = c.Kills
	}
	if c.For > 0 {
		o.Soak = c.For
	}
	return o, checkClients(o.Watchers)
}

func (c *drillCommand) print(out *console, r drill.Result) {
	if !c.JSON {
		fmt.Fprintln(out.stdout, r.Line())
		return
	}
	if err := json.NewEncoder(out.stdout).Encode(r); err != nil {
		fmt.Fprintln(out.stderr, err)
	}
}

// drillPart are processes that a drill starts.
type drillPart struct {
	Serve drillServe `cmd:"" help:"The tracker with a clock that lines on standard input move, such as 1h or -1h."`
	NATS  drillNATS  `cmd:"" name:"nats" help:"A NATS server."`
}

// drillServe is serve with a clock that can be set wrong. It is no setting of
// serve, so that no deployment can have it by mistake.
type drillServe struct{}

// Run serves until ctx ends.
func (drillServe) Run(ctx context.Context, out *console) error {
	cfg, err := (&settings{}).load(out.getenv)
	if err != nil {
		return err
	}
	var offset atomic.Int64
	p, err := start(ctx, cfg, newLogger(out.stderr, cfg.LogLevel), func() time.Time { return time.Now().Add(time.Duration(offset.Load())) })
	if err != nil {
		return err
	}
	go func() { // it ends with the process
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			d, err := time.ParseDuration(lines.Text())
			if err != nil {
				p.log.Error("the clock is not moved", "error", err)
				continue
			}
			offset.Store(int64(d))
			p.wake()
		}
	}()
	return p.wait(ctx)
}

// drillNATS runs a server of a NATS cluster.
type drillNATS struct {
	File string `arg:"" help:"A configuration file of NATS."`
}

// Run serves until ctx ends.
func (c drillNATS) Run(ctx context.Context) error { return natsbus.RunNode(ctx, c.File) }
