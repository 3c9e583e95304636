package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// laneProcess is a lane that runs in a process of its own. It prints the
// addresses of its streams and of its control, and ends with its standard input.
type laneProcess struct {
	lane          string
	feed, control string
	stdin         io.Closer
	cmd           *exec.Cmd
	family        []int
	dir           string
	size          int // bytes of the events to make, about; 0 is usual
}

var _ subject = (*laneProcess)(nil)

// startLane starts this very program as a lane, or the command of a peer.
func startLane(ctx context.Context, name, command string) (_ *laneProcess, err error) {
	p := &laneProcess{lane: name}
	if p.dir, err = os.MkdirTemp("", "tracker-bench-"); err != nil {
		return nil, err
	}
	words := strings.Fields(command)
	if len(words) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		words = []string{self, "bench", "lane", name, "--dir", p.dir}
	}
	p.cmd = exec.CommandContext(ctx, words[0], words[1:]...)
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("lane %s did not start: %w", name, err)
	}
	p.feed, p.control, _ = strings.Cut(strings.TrimSpace(line), " ")
	if err := p.ask(ctx, http.MethodGet, "/pids", nil, &p.family); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *laneProcess) name() string    { return p.lane }
func (p *laneProcess) address() string { return p.feed }
func (p *laneProcess) key() string     { return "" }
func (p *laneProcess) pids() []int     { return p.family }

func (p *laneProcess) stop() {
	_ = p.stdin.Close()
	_ = p.cmd.Wait()        // it was told to end
	_ = os.RemoveAll(p.dir) // what is left is in the system's folder for it
}

func (p *laneProcess) collect(ctx context.Context) error {
	return p.ask(ctx, http.MethodPost, "/collect", nil, nil)
}

func (p *laneProcess) metrics(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.control+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK { // a peer has none
		return nil, fmt.Errorf("lane %s: /metrics: %s", p.lane, res.Status)
	}
	return io.ReadAll(res.Body)
}

func (p *laneProcess) orders(ctx context.Context, n int) (*ledger, error) {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = benchOrder(i)
	}
	return newLedger(ids), p.publish(ctx, changes{Feeds: n, Events: n})
}

func (p *laneProcess) change(ctx context.Context, book *ledger, work changes) error {
	for i, id := range book.ids[work.From : work.From+work.Feeds] {
		events := work.Events / work.Feeds
		if i < work.Events%work.Feeds {
			events++
		}
		book.pages[id].last.Add(int64(events))
	}
	return p.publish(ctx, work)
}

// publishing is what a lane is told to publish: on so many orders in turn, until
// there were events of them, at a rate (0: as fast as it goes).
type publishing struct {
	From   int `json:"from"`
	Feeds  int `json:"feeds"`
	Events int `json:"events"`
	Rate   int `json:"rate"`
	Size   int `json:"size"`
}

func (p *laneProcess) publish(ctx context.Context, work changes) error {
	return p.ask(ctx, http.MethodPost, "/publish", publishing{work.From, work.Feeds, work.Events, work.Rate, p.size}, nil)
}

func (p *laneProcess) ask(ctx context.Context, method, path string, body, into any) (err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.control+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("lane %s: %w", p.lane, err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) // for the message
		return fmt.Errorf("lane %s: %s: %s: %s", p.lane, path, res.Status, bytes.TrimSpace(text))
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(into)
}
