package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// benchCommand measures, on this machine, what the feed costs and how late it
// is, beside other ways of doing the same.
type benchCommand struct {
	Feed       benchFeed       `cmd:"" help:"Event streams: memory, CPU, delay, storms and stalled clients, by path and beside plain handlers."`
	Transports benchTransports `cmd:"" help:"Short poll, long poll, SSE and WebSocket on the same changes."`
	Poll       benchPoll       `cmd:"" help:"Short polls beside a bare echo handler, and many waiting polls."`
	Rest       benchRest       `cmd:"" help:"Creating orders by the API beside committing the same SQL statements."`
	Screen     benchScreen     `cmd:"" help:"From a REST call that changes an order to the event in a client, through the whole program."`
	Webhooks   benchWebhooks   `cmd:"" help:"Deliveries to many endpoints, with and without hanging ones among them."`
	Lane       benchLane       `cmd:"" hidden:"" help:"The server's side of a measurement: started by the others."`
}

// Help is the longer help of the command.
func (benchCommand) Help() string {
	return `Everything runs on loopback in processes of its own, which end with the command;
nothing is touched that serves anybody. Figures are worth comparing within one
run on a machine that does nothing else.

    tracker bench feed --clients 10000
    tracker bench transports
    tracker bench screen --orders 10000 --rate 200`
}

// benchFlags are shared by all measurements.
type benchFlags struct {
	JSON bool   `name:"json" help:"Print the figures as JSON."`
	SVG  string `name:"svg" placeholder:"FILE" help:"Draw the figures into a file, too."`
}

// finish prints the report as asked.
func (f benchFlags) finish(out *console, r *report) error {
	if f.SVG != "" {
		if err := os.WriteFile(f.SVG, r.svg(), 0o644); err != nil {
			return err
		}
	}
	if f.JSON {
		return r.writeJSON(out.stdout)
	}
	r.writeTables(out.stdout)
	return nil
}

// progress says on standard error what is being measured.
func progress(out *console, format string, args ...any) {
	fmt.Fprintf(out.stderr, "%s  "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

type benchFeed struct {
	benchFlags
	Clients int           `default:"2000" help:"Connections, at most 19000 (each end has its process). Default: 2000."`
	Events  int           `default:"50" help:"Events on the order that everybody watches. Default: 50."`
	Rate    int           `default:"100" help:"Events per second where a rate matters. Default: 100."`
	For     time.Duration `default:"5s" help:"How long a load lasts where time matters. Default: 5s."`
	Only    []string      `placeholder:"NAME" help:"Only these: idle, deliver, spread, storm, stalled. Default: all."`
	Lanes   []string      `placeholder:"LANE" help:"Only these: parked, r3labs, plain, r3labs-as-is, write-loop. Default: all."`
}

// Help is the longer help of the command.
func (benchFeed) Help() string {
	return `Lanes: "parked" and "r3labs" are the two paths of tracker's feed; beside them in
the same run a "plain" net/http handler with a channel per client, "r3labs-as-is"
(its server as its documentation shows it, one stream per order), and the
"write-loop": write(2) over bare sockets, the least that a delivery can cost.

    idle     memory of the server process per idle connection (PSS)
    deliver  one order watched by all: CPU per delivered event, delay
    spread   one order for each client: CPU per published event
    storm    all are cut and return with their cursors while events go on
    stalled  one client in ten stops reading: what the others notice`
}

const mostClients = 19000 // descriptors end at 20,000 per process on common machines

// Run measures.
func (c *benchFeed) Run(ctx context.Context, out *console) error {
	if c.Clients < 1 || c.Clients > mostClients || c.Events < 1 || c.Rate < 1 {
		return fmt.Errorf("--clients must be 1 to %d, --events and --rate at least 1", mostClients)
	}
	r := newReport("tracker bench feed", fmt.Sprintf("%d connections, HTTP/1.1, loopback", c.Clients))
	for _, m := range []struct {
		name  string
		lanes []string
		run   func(context.Context, *console, *report, string) error
	}{
		{"idle", []string{laneParked, laneR3, lanePlain, laneR3AsIs}, c.idle},
		{"deliver", []string{laneWriteLoop, laneParked, laneR3, lanePlain, laneR3AsIs}, c.deliver},
		{"spread", []string{laneParked, laneR3, lanePlain}, c.spread},
		{"storm", []string{laneParked, laneR3}, c.storm},
		{"stalled", []string{laneParked, laneR3, lanePlain}, c.stalled},
	} {
		if !chosen(c.Only, m.name) {
			continue
		}
		for _, lane := range m.lanes {
			if !chosen(c.Lanes, lane) {
				continue
			}
			progress(out, "%s: %s", m.name, lane)
			if err := m.run(ctx, out, r, lane); err != nil {
				return fmt.Errorf("%s %s: %w", m.name, lane, err)
			}
		}
	}
	return c.finish(out, r)
}

func chosen(list []string, name string) bool {
	for _, s := range list {
		if s == name {
			return true
		}
	}
	return len(list) == 0
}
