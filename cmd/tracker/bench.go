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
	All        benchAll        `cmd:"" default:"withargs" help:"A short version of everything, with the targets."`
	Idle       benchIdle       `cmd:"" help:"Memory of an idle SSE connection, beside a plain handler and r3labs."`
	Fanout     benchFanout     `cmd:"" help:"CPU of a delivery where many watch one order, beside a loop of write(2)."`
	Publish    benchPublish    `cmd:"" help:"CPU of an event while more and more other orders are watched."`
	Storm      benchStorm      `cmd:"" help:"Everybody is cut at once and returns, while events go on."`
	Stalled    benchStalled    `cmd:"" help:"Clients that stop reading: what the others notice."`
	Polls      benchPolls      `cmd:"" help:"Short polls, beside a bare handler that returns the same bytes."`
	Longpoll   benchLongPoll   `cmd:"" help:"Many wait for one payment by long poll."`
	Callback   benchCallback   `cmd:"" help:"From a bank's signed callback to the answer of a checkout page that waits."`
	Latency    benchLatency    `cmd:"" help:"From a REST call that changes an order to the event in a client."`
	Apart      benchApart      `cmd:"" help:"The same where the roles are in processes of their own (PostgreSQL)."`
	Transports benchTransports `cmd:"" help:"Short poll, long poll, SSE and WebSocket on the same changes."`
	Orders     benchOrders     `cmd:"" help:"New orders per second, beside the same writes by themselves."`
	Webhooks   benchWebhooks   `cmd:"" help:"Deliveries to many endpoints, with and without hanging ones among them."`
	Partition  benchPartition  `cmd:"" help:"What it costs a process to read the feed: all of it, and a part of it."`
	Lane       benchLane       `cmd:"" hidden:"" help:"The server's side of a measurement: started by the others."`

	PartitionReader benchPartitionReader `cmd:"" hidden:"" help:"A reader of the feed: started by partition."`
}

// Help is the longer help of the command.
func (benchCommand) Help() string {
	return `Everything runs on loopback in processes of its own, which end with the command;
nothing is touched that serves anybody. "tracker" is the whole program as
"tracker serve" runs it, with SQLite and NATS inside. Beside it stand lanes:

    parked, r3labs   the two paths of tracker's feed behind its stream, by themselves
    plain            a net/http handler with a goroutine and a channel per client
    r3labs-as-is     r3labs/sse as its documentation shows it, a stream per order
    bare-echo        an echo handler that has its bytes ready
    write-loop       write(2) over bare sockets, the least a delivery can cost

Times and sizes are figures; compare them within one run, on a machine that does
nothing else. Events that are missed or come twice are faults: the exit code is 1.

    tracker bench
    tracker bench idle --clients 10000 --svg idle.svg`
}

// benchFlags are shared by all measurements.
type benchFlags struct {
	JSON bool   `name:"json" help:"Print the figures as JSON."`
	SVG  string `name:"svg" placeholder:"FILE" help:"Draw the figures into a file, too."`
}

// measurement is one of the sub-commands.
type measurement interface {
	setting() string
	measure(ctx context.Context, out *console, r *report) error
}

// run measures and prints the report as asked. Faults are an error.
func (f benchFlags) run(ctx context.Context, out *console, name string, m measurement) error {
	if err := raise(); err != nil {
		return err
	}
	r := newReport("tracker bench "+name, m.setting())
	if err := m.measure(ctx, out, r); err != nil {
		return fmt.Errorf("bench %s: %w", name, err)
	}
	if f.SVG != "" {
		if err := os.WriteFile(f.SVG, r.svg(), 0o644); err != nil {
			return err
		}
	}
	if f.JSON {
		if err := r.writeJSON(out.stdout); err != nil {
			return err
		}
	} else {
		r.writeTables(out.stdout)
	}
	return r.fault()
}

// progress says on standard error what is being measured.
func progress(out *console, format string, args ...any) {
	fmt.Fprintf(out.stderr, "%s  "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

const mostClients = 19000 // descriptors end at 20,000 per process on common machines

// checkClients refuses what cannot be.
func checkClients(n int) error {
	if n < 1 || n > mostClients {
		return fmt.Errorf("--clients must be 1 to %d", mostClients)
	}
	return nil
}
