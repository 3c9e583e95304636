package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Options say what is drilled, and how hard. Every field but Keep, Sizes and Edge
// has to be set.
type Options struct {
	Program []string // the built binary
	Serve   []string // the same, serving with a clock that is moved over its standard input
	NATS    []string // the same, as a NATS server; the configuration file is added

	Watchers int           // held while drills go on
	Lives    int           // orders that live at once
	Rate     int           // steps per second, of all lives
	Moves    int           // carrier's reports per order
	Kills    int           // of kill9
	Pause    time.Duration // for which something is stopped or away
	Soak     time.Duration
	FailOver time.Duration // what a killed relay holder may cost
	Crowd    int           // watchers behind nginx in rolling
	Flood    int           // connections that a hostile client holds
	Strict   bool          // a healthy client that becomes slow is a fault
	Edge     string        // config/deploy, for rolling

	Keep     bool      // the directory, with the logs
	Progress io.Writer // what is being done
}

// Drill is one way to harm a deployment.
type Drill struct {
	Name  string
	About string

	apart func(ctx context.Context, o Options) (Result, error) // brings a deployment of its own
	harm  func(ctx context.Context, s *session) (times int, err error)
}

// All lists the drills in the order in which they are run.
func All() []Drill {
	return []Drill{
		{Name: "kill9", About: "kill -9 of a process in any role, at random moments", harm: kill9},
		{Name: "relay-failover", About: "kill -9 of the process that relays", harm: relayFailover},
		{Name: "nats-node", About: "each NATS server killed and started again", harm: natsNode},
		{Name: "nats-quorum", About: "two of three NATS servers away, then all", harm: natsQuorum},
		{Name: "nats-pause", About: "the stream's leader stopped (SIGSTOP)", harm: natsPause},
		{Name: "nats-store-one", About: "the store of one NATS server deleted", harm: natsStoreOne},
		{Name: "nats-store-all", About: "the stores of all NATS servers deleted", harm: natsStoreAll},
		{Name: "pg-restart", About: "PostgreSQL ended fast, ended at once, a backend killed", harm: pgRestart},
		{Name: "pg-pause", About: "PostgreSQL stopped (SIGSTOP, every process)", harm: pgPause},
		{Name: "pg-cut", About: "connections to PostgreSQL cut in the middle of transactions", harm: pgCut},
		{Name: "net", About: "delay, loss, cut, half-open and mute between any two parts", harm: network},
		{Name: "clock", About: "an hour forward and back in one process of each role", harm: clockSteps},
		{Name: "watchers", About: "every watcher cut at once, and again", harm: watcherStorm},
		{Name: "soak", About: "load alone: memory, goroutines and descriptors stay flat", harm: soak},
		{Name: "sqlite-full", About: "one process on SQLite, its disk full, then free again", apart: sqliteFull},
		{Name: "rolling", About: "every process restarted in order, behind nginx", apart: rolling},
		{Name: "hostile", About: "slow, many, forged, huge and endless requests", apart: hostile},
	}
}

// Result is what one drill came to.
type Result struct {
	Name       string        `json:"drill"`
	About      string        `json:"about"`
	Times      int           `json:"times"` // how often something was harmed
	Watchers   int           `json:"watchers"`
	Accepted   int64         `json:"accepted"`
	Deliveries int64         `json:"deliveries"`
	Lost       int64         `json:"lost"`
	Doubled    int64         `json:"doubled"`
	Disordered int64         `json:"out_of_order"`
	Wrong      int64         `json:"wrong"` // untrue, reset, denied, or money that does not add up
	Gap        time.Duration `json:"longest_gap_ns"`
	Took       time.Duration `json:"took_ns"`
	Note       string        `json:"note,omitempty"`
	Faults     []string      `json:"faults,omitempty"`
}

// OK reports whether every promise held.
func (r Result) OK() bool {
	return r.Lost+r.Doubled+r.Disordered+r.Wrong == 0 && len(r.Faults) == 0
}

// Run drills by name, all without one, and hands each result to told. The error is
// what kept a drill from being made; faults are in the results.
func Run(ctx context.Context, o Options, names []string, told func(Result)) error {
	list, err := chosen(names)
	if err != nil {
		return err
	}
	together := slices.DeleteFunc(slices.Clone(list), func(d Drill) bool { return d.harm == nil })
	if len(together) > 0 {
		if err := shared(ctx, o, together, told); err != nil {
			return err
		}
	}
	for _, d := range list {
		if d.apart == nil {
			continue
		}
		o.say("%s: %s", d.Name, d.About)
		began := time.Now()
		r, err := d.apart(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		r.Name, r.About, r.Took = d.Name, d.About, time.Since(began)
		told(r)
	}
	return nil
}

// shared runs drills one after the other on one deployment, under load all the
// time.
func shared(ctx context.Context, o Options, list []Drill, told func(Result)) (err error) {
	o.say("starting NATS × 3, PostgreSQL, the bank and the tracker in its roles")
	rig, err := startRig(ctx, o)
	if rig != nil {
		defer func() { err = errors.Join(err, rig.Close()) }()
	}
	if err != nil {
		return err
	}
	s := newSession(o, rig)
	end := s.begin(ctx)
	defer end()
	if err := s.warm(ctx); err != nil {
		return err
	}
	for _, d := range list {
		o.say("%s: %s", d.Name, d.About)
		r, err := s.drill(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		told(r)
	}
	return nil
}

func chosen(names []string) ([]Drill, error) {
	if len(names) == 0 {
		return All(), nil
	}
	var list []Drill
	for _, name := range names {
		i := slices.IndexFunc(All(), func(d Drill) bool { return d.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no drill %q; --list shows all", name)
		}
		list = append(list, All()[i])
	}
	return list, nil
}

func (o Options) say(format string, args ...any) {
	fmt.Fprintf(o.Progress, "%s  "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}
