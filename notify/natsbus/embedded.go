package natsbus

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	maxPayload = 1 << 20
	startUp    = 20 * time.Second // a large store takes its time
)

// embed starts a server in this process: no port, no signals, no memory without
// bound.
func embed(o Options) (*server.Server, error) {
	if o.StoreDir == "" {
		return nil, errors.New("natsbus: neither a URL nor a directory for the embedded server")
	}
	s, err := server.NewServer(&server.Options{
		ServerName:             "tracker",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               o.StoreDir,
		JetStreamMaxMemory:     o.MemoryBytes,
		SyncInterval:           o.SyncInterval,
		MaxPayload:             maxPayload,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("natsbus: embedded server: %w", err)
	}
	s.SetLoggerV2(serverLog{o.Logger.With("from", "nats-server")}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startUp) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("natsbus: the embedded server did not start on %s (it must be a directory that can be written)", o.StoreDir)
	}
	return s, nil
}

// serverLog is the server's log, quiet unless something is wrong.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l serverLog) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l serverLog) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
