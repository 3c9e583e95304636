package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

// benchPartitionReader is a process that reads the feed and that nobody watches.
type benchPartitionReader struct {
	URL     string `name:"url" required:"" help:"Of the NATS server."`
	Subject string `required:"" help:"What to read."`
}

// Run reads until its standard input ends, and says for each line of it what it
// has seen.
func (c *benchPartitionReader) Run(ctx context.Context, out *console) error {
	bus, err := openFeed(ctx, c.URL)
	if err != nil {
		return err
	}
	defer bus.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var events atomic.Int64
	var lag histogram
	feed := notify.New(notify.Options{Log: feedLog{bus}})
	done := make(chan error, 1)
	f := natsbus.Follower{
		Wants: feed.Awaits, Event: feed.Publish,
		Passed: func(p natsbus.Passage) {
			events.Add(1)
			lag.add(time.Since(p.Changed))
		},
		Ready: func() { fmt.Fprintln(out.stdout, "ready") },
	}
	if c.Subject != eventwire.Wildcard {
		f.Subjects = []string{c.Subject}
	}
	go func() { done <- bus.Follow(ctx, f) }()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		text, err := json.Marshal(seenFeed{events.Load(), float64(lag.percentile(99).Milliseconds())})
		if err != nil {
			return err
		}
		fmt.Fprintf(out.stdout, "%s\n", text)
	}
	stop()
	return <-done
}

// seenFeed is what readers have read.
type seenFeed struct {
	Events int64
	P99    float64 // ms
}

// awaitRead waits until all readers together have read as much as they have to.
func awaitRead(ctx context.Context, readers []*benchChild, want int64) (sum seenFeed, err error) {
	for deadline := time.Now().Add(time.Minute); ; {
		sum = seenFeed{}
		for _, p := range readers {
			text, err := p.ask()
			if err != nil {
				return sum, err
			}
			var one seenFeed
			if err := json.Unmarshal(text, &one); err != nil {
				return sum, err
			}
			sum = seenFeed{sum.Events + one.Events, max(sum.P99, one.P99)}
		}
		if sum.Events >= want || time.Now().After(deadline) {
			return sum, pause(ctx, 0)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return sum, err
		}
	}
}

// benchChild is a process of the bench's own.
type benchChild struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
}

func startBench(ctx context.Context, args ...string) (*benchChild, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &benchChild{cmd: exec.CommandContext(ctx, self, args...)}
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(stdout)
	return p, p.cmd.Start()
}

// ask sends a line and returns the one that comes back.
func (p *benchChild) ask() ([]byte, error) {
	if _, err := io.WriteString(p.stdin, "\n"); err != nil {
		return nil, err
	}
	return p.lines.ReadBytes('\n')
}

// end kills the process: there is nothing that it could lose.
func (p *benchChild) end() {
	p.stdin.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

func cpuAll(list []*benchChild) (spent []time.Duration, err error) {
	for _, p := range list {
		cpu, err := cpuOf(p.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		spent = append(spent, cpu)
	}
	return spent, nil
}

// startFeed starts a NATS server on a free port.
func startFeed(ctx context.Context, dir string) (p *benchChild, url string, err error) {
	file, addr := filepath.Join(dir, "nats.conf"), freePort()
	conf := fmt.Sprintf("listen: %q\nlog_file: %q\njetstream { store_dir: %q, sync_interval: \"10s\" }\n", addr, filepath.Join(dir, "log"), filepath.Join(dir, "nats"))
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, "", err
	}
	p, err = startBench(ctx, "drill-part", "nats", file)
	return p, "nats://" + addr, err
}

// openFeed connects, also to a server that is just starting.
func openFeed(ctx context.Context, url string) (bus *natsbus.Bus, err error) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if bus, err = natsbus.Open(ctx, natsbus.Options{URL: url, Logger: slog.New(slog.DiscardHandler)}); err == nil {
			return bus, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// startReader starts a reader and waits until it reads.
func startReader(ctx context.Context, url, subject string) (*benchChild, error) {
	p, err := startBench(ctx, "bench", "partition-reader", "--url", url, "--subject", subject)
	if err != nil {
		return nil, err
	}
	if line, err := p.lines.ReadString('\n'); err != nil || line != "ready\n" {
		p.end()
		return nil, errors.Join(fmt.Errorf("the reader of %s did not start", subject), err)
	}
	return p, nil
}
