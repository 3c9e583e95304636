package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peerbench:", err)
		os.Exit(1)
	}
}

// peer is a server of somebody else's.
type peer interface {
	address() string // of its streams
	pids() ([]int, error)
	// publish sends one event to all who watch the order.
	publish(ctx context.Context, order string, event []byte) error
	close() error
}

// run serves as the peer until ctx or the standard input ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("one of centrifuge, nchan is needed")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // the end of the parent, however it ends
		cancel()
	}()
	if err := raise(); err != nil {
		return err
	}
	p, err := start(ctx, args[0])
	if err != nil {
		return err
	}
	defer p.close()
	control, err := serve(ctx, (&lane{peer: p, past: map[string]int64{}}).control())
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s %s\n", p.address(), control)
	<-ctx.Done()
	return nil
}

func start(ctx context.Context, name string) (peer, error) {
	switch name {
	case "centrifuge":
		return startCentrifuge(ctx)
	case "nchan":
		return startNchan(ctx)
	}
	return nil, fmt.Errorf("there is no peer %q: centrifuge or nchan", name)
}

// raise allows as many descriptors as the machine does.
func raise() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // then the old limit says what is possible
	return nil
}
