package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for something that must happen. It is generous: it
// only ever passes when something is broken.
const patience = 2 * time.Minute

// child is one process, which is started again whenever it ends, as a supervisor
// does. Its methods may be called from one goroutine at a time.
type child struct {
	name  string
	args  []string // args[0] is the program
	env   []string
	cred  *syscall.SysProcAttr // nil: as we are
	last  syscall.Signal       // what ends it for good; 0 is SIGKILL, which would leave children of its own behind
	dir   string
	ready func(ctx context.Context) error

	talk  bool // stdin is kept, to be told things
	stdin io.WriteCloser

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{}
	wanted bool
	deaths int // ends that nobody asked for
}

// start runs the process and keeps it running. It returns when it is ready.
func (c *child) start(ctx context.Context) error {
	c.mu.Lock()
	c.wanted = true
	err := c.spawn()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.await(ctx)
}

// spawn is called with the lock held.
func (c *child) spawn() error {
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes(c.cred, c.farewell())
	if c.talk {
		if c.stdin, err = cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	ended := make(chan struct{})
	c.cmd, c.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
		c.revive(cmd)
	}()
	return nil
}

// revive starts the process again a moment after it ended by itself.
func (c *child) revive(cmd *exec.Cmd) {
	time.Sleep(300 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.wanted || c.cmd != cmd {
		return
	}
	c.deaths++
	_ = c.spawn() // then it is missed, and whoever waits for it says so
}

func (c *child) logFile() string { return filepath.Join(c.dir, c.name+".log") }

// await returns when the process says that it is ready.
func (c *child) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		if rest(ctx, 30*time.Millisecond) != nil {
			return fmt.Errorf("%s is not ready: %w\n%s", c.name, err, c.tail())
		}
	}
}

// end sends a signal and waits for the end. The process stays away until start.
func (c *child) end(signal syscall.Signal) error {
	c.mu.Lock()
	c.wanted = false
	cmd, ended := c.cmd, c.ended
	c.mu.Unlock()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(signal) // it may have ended by itself
	select {
	case <-ended:
		return nil
	case <-time.After(patience):
		_ = cmd.Process.Kill() // then it does not linger, at least
		<-ended
		return fmt.Errorf("%s did not end on %v", c.name, signal)
	}
}

func (c *child) farewell() syscall.Signal {
	if c.last == 0 {
		return syscall.SIGKILL
	}
	return c.last
}

// kill is kill -9 and a new start, which need not be ready yet.
func (c *child) kill() error {
	if err := c.end(syscall.SIGKILL); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = true
	return c.spawn()
}

// signal reaches the running process.
func (c *child) signal(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return errors.New(c.name + " does not run")
	}
	return c.cmd.Process.Signal(s)
}

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return 0
	}
	return c.cmd.Process.Pid
}

// tail is the end of the log, for messages.
func (c *child) tail() []byte {
	text, _ := os.ReadFile(c.logFile()) // best effort
	return text[max(0, len(text)-2000):]
}

// broken tells of what must never be in a log.
func (c *child) broken() error {
	text, err := os.ReadFile(c.logFile())
	if err != nil {
		return err
	}
	for _, word := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if at := bytes.Index(text, []byte(word)); at >= 0 {
			return fmt.Errorf("%s: its log has %q:\n%s", c.name, word, text[at:min(len(text), at+3000)])
		}
	}
	return nil
}

// accepts is readiness of something that only has to listen.
func accepts(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// rest waits, or ends with ctx.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
