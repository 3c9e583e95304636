package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tracker/config"
)

// killedHost runs the tracker in a process of its own, which ends by kill -9.
// The process is this test binary at TestScenarioProcess: the same code, with a
// clock that is moved from here.
type killedHost struct {
	log *logBuffer

	cmd     *exec.Cmd
	in      *os.File // what we tell it: the time, a line each
	replies *bufio.Scanner
	pipes   []*os.File
}

// The child's own variables, and the descriptors that it talks over.
const (
	scenarioProcess = "TRACKER_SCENARIO_PROCESS"
	scenarioClock   = "TRACKER_SCENARIO_CLOCK"
	toldOn, sayOn   = 3, 4
)

func (h *killedHost) start(_ context.Context, env map[string]string, at time.Time) (addresses, error) {
	told, in, err := os.Pipe()
	if err != nil {
		return addresses{}, err
	}
	replies, say, err := os.Pipe()
	if err != nil {
		return addresses{}, err
	}
	h.in, h.replies, h.pipes = in, bufio.NewScanner(replies), []*os.File{in, replies}
	h.cmd = exec.Command(os.Args[0], "-test.run=^TestScenarioProcess$", "-test.timeout=0")
	h.cmd.Env = append(os.Environ(), scenarioProcess+"=1", scenarioClock+"="+strconv.FormatInt(at.UnixMilli(), 10), "GORACE=halt_on_error=1")
	for name, value := range env {
		h.cmd.Env = append(h.cmd.Env, name+"="+value)
	}
	h.cmd.ExtraFiles = []*os.File{told, say}
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	err = h.cmd.Start()
	told.Close()
	say.Close()
	if err != nil {
		return addresses{}, err
	}
	line, err := h.reply()
	if err != nil {
		return addresses{}, err
	}
	public, admin, _ := strings.Cut(line, " ")
	return addresses{public, admin}, nil
}

func (h *killedHost) reply() (string, error) {
	if !h.replies.Scan() {
		return "", fmt.Errorf("the process is gone:\n%s", h.log)
	}
	return h.replies.Text(), nil
}

func (h *killedHost) moved(_ context.Context, at time.Time) error {
	if _, err := fmt.Fprintln(h.in, at.UnixMilli()); err != nil {
		return err
	}
	_, err := h.reply()
	return err
}

func (h *killedHost) stop() error {
	if h.cmd == nil {
		return nil
	}
	_ = h.cmd.Process.Kill() // it may be gone already, which the log tells
	_ = h.cmd.Wait()
	h.cmd = nil
	for _, f := range h.pipes {
		f.Close()
	}
	for _, word := range []string{"DATA RACE", "panic:"} {
		if strings.Contains(h.log.String(), word) {
			return fmt.Errorf("its output has %q:\n%s", word, h.log)
		}
	}
	return nil
}

// TestScenarioProcess is not a test but the tracker of a killedHost. Without one
// there is nothing to do.
func TestScenarioProcess(t *testing.T) {
	if os.Getenv(scenarioProcess) == "" {
		return
	}
	signal.Ignore(syscall.SIGINT) // Ctrl-C is for who started us
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	clock := newMovedClock()
	move := func(text string) {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		clock.set(time.UnixMilli(ms).UTC())
	}
	move(os.Getenv(scenarioClock))
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := start(t.Context(), cfg, log, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, end := context.WithCancel(t.Context())
	go func() { ended <- p.wait(ctx) }()
	told, say := os.NewFile(toldOn, "told"), os.NewFile(sayOn, "say")
	fmt.Fprintln(say, p.public.Addr(), p.admin.Addr())
	for lines := bufio.NewScanner(told); lines.Scan(); {
		move(lines.Text())
		p.wake()
		fmt.Fprintln(say, "ok")
	}
	end() // whoever started us is gone
	<-ended
}
