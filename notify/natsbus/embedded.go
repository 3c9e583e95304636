package natsbus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	maxPayload = 1 << 20
	startUp    = 20 * time.Second // a large store takes its time
	// maxStore leaves the last word to the disk. The server's own default is three
	// quarters of what is free when it starts, which stays little for ever when it
	// was started on a disk that was full for a moment.
	maxStore = 1 << 50
)

// embed starts a server in this process: no port, no signals, no memory without
// bound. broken, which has room for one, is sent to once it can no longer write.
func embed(o Options, broken chan<- struct{}) (*server.Server, error) {
	if o.StoreDir == "" {
		return nil, errors.New("natsbus: neither a URL nor a directory for the embedded server")
	}
	if err := os.MkdirAll(o.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("natsbus: store of the embedded server: %w", err)
	}
	s, err := server.NewServer(&server.Options{
		ServerName:             "tracker",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               o.StoreDir,
		JetStreamMaxMemory:     o.MemoryBytes,
		JetStreamMaxStore:      maxStore,
		SyncInterval:           o.SyncInterval,
		MaxPayload:             maxPayload,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("natsbus: embedded server: %w", err)
	}
	log := serverLog{o.Logger.With("from", "nats-server"), make(chan string, 1), broken}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if err := log.awaitStart(s); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("natsbus: the embedded server did not start on %s: %w", o.StoreDir, err)
	}
	return s, nil
}

// awaitStart returns when the server is there, or why it will not be.
func (l serverLog) awaitStart(s *server.Server) error {
	for end := time.Now().Add(startUp); time.Now().Before(end); {
		if s.ReadyForConnections(100 * time.Millisecond) {
			return nil
		}
		select {
		case text := <-l.fatal:
			return errors.New(text)
		default:
		}
	}
	return fmt.Errorf("nothing after %v", startUp)
}

// serverLog is the server's log, quiet unless something is wrong.
type serverLog struct {
	log    *slog.Logger
	fatal  chan string     // the first fatal error
	broken chan<- struct{} // a store was given up
}

func (l serverLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }

// Errorf also listens for the server's word that it gives up a store: it has no
// other sign for that.
func (l serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error(text)
	if !strings.Contains(strings.ToLower(text), "critical write error") {
		return
	}
	select {
	case l.broken <- struct{}{}:
	default:
	}
}

// Fatalf is the server's last word; it does not end the process.
func (l serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error(text)
	select {
	case l.fatal <- text:
	default:
	}
}
