package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tracker/notify/eventwire"
)

const (
	dedupe    = 2 * time.Minute
	inFlight  = 4096
	reconnect = 250 * time.Millisecond
	ping      = 2 * time.Second // a connection on which two of them are not answered is dead
)

// Bus is a connection to the stream. Safe for concurrent use.
type Bus struct {
	o        Options
	log      *slog.Logger
	server   *host // nil when it is outside
	conn     *nats.Conn
	js       jetstream.JetStream
	stream   atomic.Pointer[streamState]
	wasEmpty bool

	mu          sync.Mutex
	reconnected chan struct{} // closed at the next reconnect
}

// streamState is the stream as it was last seen.
type streamState struct {
	jetstream.Stream
	incarnation string
}

// Open connects, or starts the embedded server, and makes the stream where it
// does not exist. Close it in the end.
func Open(ctx context.Context, options Options) (*Bus, error) {
	o := options.withDefaults()
	b := &Bus{o: o, log: o.Logger, reconnected: make(chan struct{})}
	if err := b.connect(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	var err error
	b.js, err = jetstream.New(b.conn, jetstream.WithPublishAsyncMaxPending(inFlight),
		jetstream.WithPublishAsyncTimeout(o.Timeout), jetstream.WithDefaultTimeout(o.Timeout))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("natsbus: %w", err), b.Close())
	}
	if err := b.ensure(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.wasEmpty = b.stream.Load().CachedInfo().State.Msgs == 0
	return b, nil
}

func (b *Bus) connect() (err error) {
	opts := []nats.Option{
		nats.Name(b.o.Name),
		nats.Timeout(b.o.Timeout),
		nats.MaxReconnects(-1), // a server that is away is waited for
		nats.ReconnectWait(reconnect),
		nats.ReconnectJitter(reconnect, reconnect),
		nats.ReconnectBufSize(-1), // fail at once: what waits in a buffer is out of our hands
		nats.PingInterval(ping),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(b.o.Timeout), // of a write to a server that does not read; the default is a minute
		nats.ReconnectHandler(func(*nats.Conn) { b.log.Info("NATS is back"); b.announce() }),
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if !c.IsClosed() {
				b.log.Warn("NATS is away; reconnecting", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { b.log.Warn("NATS", "error", err) }),
	}
	if b.o.URL == "" {
		if b.server, err = newHost(b.o); err != nil {
			return err
		}
		opts = append(opts, nats.InProcessServer(b.server))
	} else {
		opts = append(opts, b.o.secure()...)
	}
	if b.conn, err = nats.Connect(b.o.URL, opts...); err != nil {
		return fmt.Errorf("natsbus: connect: %w", err)
	}
	return nil
}

func (o Options) secure() (opts []nats.Option) {
	if o.CredentialsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredentialsFile))
	}
	if o.RootCAFile != "" {
		opts = append(opts, nats.RootCAs(o.RootCAFile))
	}
	if o.CertFile != "" {
		opts = append(opts, nats.ClientCert(o.CertFile, o.KeyFile))
	}
	return opts
}

// ensure makes the stream, or brings its settings up to date, and notes which one
// it is.
func (b *Bus) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	s, err := b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              eventwire.Stream,
		Description:       "Every state change, rebuilt from the database when lost",
		Subjects:          []string{eventwire.Wildcard},
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld,
		Replicas:          b.o.Replicas,
		MaxAge:            b.o.MaxAge,
		MaxBytes:          b.o.MaxBytes,
		MaxMsgsPerSubject: b.o.PerSubject,
		Duplicates:        min(dedupe, b.o.MaxAge),
	})
	if err != nil {
		return fmt.Errorf("natsbus: stream %s: %w", eventwire.Stream, err)
	}
	b.note(s)
	return nil
}

func (b *Bus) note(s jetstream.Stream) *streamState {
	state := &streamState{s, strconv.FormatInt(s.CachedInfo().Created.UnixNano(), 36)}
	b.stream.Store(state)
	return state
}

// look asks for the stream as it is now, and makes it where it is gone.
func (b *Bus) look(ctx context.Context) (*streamState, error) {
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	s, err := b.js.Stream(ctx, eventwire.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := b.ensure(ctx); err != nil {
			return nil, err
		}
		return b.stream.Load(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("natsbus: stream %s: %w", eventwire.Stream, err)
	}
	return b.note(s), nil
}

// announce tells every reader that the connection is a new one.
func (b *Bus) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.reconnected)
	b.reconnected = make(chan struct{})
}

// nextReconnect is closed when the connection was lost and made again.
func (b *Bus) nextReconnect() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reconnected
}

// WasEmpty reports whether Open found no message: the stream is new, and has to
// be filled from the database before anybody believes it.
func (b *Bus) WasEmpty() bool { return b.wasEmpty }

// Incarnation identifies this life of the stream. It changes when the stream was
// deleted and made again, after which its sequences mean something else.
func (b *Bus) Incarnation() string { return b.stream.Load().incarnation }

// Count is the number of messages in the stream.
func (b *Bus) Count(ctx context.Context) (uint64, error) {
	s, err := b.look(ctx)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.Msgs, nil
}

// Healthy returns nil when the stream answers.
func (b *Bus) Healthy(ctx context.Context) error {
	if b.conn.Status() != nats.CONNECTED {
		return fmt.Errorf("natsbus: the connection is %s", b.conn.Status())
	}
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	if _, err := b.js.Stream(ctx, eventwire.Stream); err != nil {
		return fmt.Errorf("natsbus: stream %s: %w", eventwire.Stream, err)
	}
	return nil
}

// Reset deletes the stream, with every consumer of it, and makes an empty one.
func (b *Bus) Reset(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*b.o.Timeout)
	defer cancel()
	if err := b.js.DeleteStream(ctx, eventwire.Stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("natsbus: reset: %w", err)
	}
	return b.ensure(ctx)
}

// Close ends the connection and the embedded server. End what reads, reacts and
// serves first.
func (b *Bus) Close() error {
	if b.conn != nil {
		b.conn.Close()
	}
	if b.server != nil {
		b.server.close()
	}
	return nil
}
