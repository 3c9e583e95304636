package natsbus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// RunNode runs one server of a NATS cluster from a configuration file of NATS
// until ctx ends. Deployments run the NATS server itself; this is for drills,
// which need a cluster to kill and find none on the machine.
func RunNode(ctx context.Context, file string) error {
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return fmt.Errorf("natsbus: %s: %w", file, err)
	}
	o.NoSigs = true
	s, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("natsbus: node: %w", err)
	}
	s.ConfigureLogger()
	s.Start()
	<-ctx.Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
