package dbconn

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Channel is where processes tell each other on PostgreSQL that the outbox grew.
const Channel = "tracker_outbox"

const (
	listenTest  = 3 * time.Second  // a LISTEN that hears nothing of its own for so long is deaf
	listenCheck = 20 * time.Second // how often a silent connection is asked whether it lives
	relisten    = 500 * time.Millisecond
)

var errDeaf = errors.New("LISTEN hears nothing: a PgBouncer in transaction mode, perhaps")

// news carries the word of a commit to the other processes and hears theirs.
//
// The NOTIFY is sent after the commit, on its own, by one goroutine, and many
// commits share one. Within the transactions it would make them wait for each
// other: PostgreSQL holds one lock over the commit of everyone who notifies,
// which ends its own group commit. Who dies between commit and NOTIFY is covered
// by the relay's slow poll.
type news struct {
	pool   *sql.DB
	o      Options
	log    *slog.Logger
	signal func()

	away    bool // nobody listens, which was said
	pending *wake
	cancel  context.CancelFunc
	ended   sync.WaitGroup
}

func startNews(pool *sql.DB, o Options, signal func()) *news {
	ctx, cancel := context.WithCancel(context.Background())
	n := &news{pool: pool, o: o, log: o.Logger, signal: signal, pending: newWake(), cancel: cancel}
	n.ended.Go(func() { n.send(ctx) })
	n.ended.Go(func() { n.listen(ctx) })
	return n
}

func (n *news) close() {
	n.cancel()
	n.ended.Wait()
}

// committed wakes this process at once and the others as soon as possible.
func (n *news) committed() {
	n.signal()
	n.pending.signal()
}

func (n *news) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.pending.ch:
		}
		if _, err := n.pool.ExecContext(ctx, "NOTIFY "+Channel); err != nil && ctx.Err() == nil {
			n.log.WarnContext(ctx, "could not tell other processes of a commit; they will poll", "error", err)
		}
	}
}

// listen hears the others for as long as ctx lasts. While it cannot, it polls on
// their behalf, and says so once: a database that is away is told of enough.
func (n *news) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := n.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if !n.away {
			n.log.WarnContext(ctx, "not listening for commits of other processes; polling", "error", n.o.direct(err))
		}
		n.away = true
		n.poll(ctx, relisten)
	}
}

// poll signals at the polling rate for about the time given.
func (n *news) poll(ctx context.Context, during time.Duration) {
	tick := time.NewTicker(n.o.Poll)
	defer tick.Stop()
	for end := time.Now().Add(during); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.signal()
		}
	}
}

// hear listens on one connection until it breaks.
func (n *news) hear(ctx context.Context) error {
	config, err := pgx.ParseConfig(n.o.ListenURL)
	if err != nil {
		return errors.New("the direct URL is not valid") // pgx's text may show the password
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it is being given up
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+Channel); err != nil {
		return err
	}
	if err := n.test(ctx, conn); err != nil {
		if errors.Is(err, errDeaf) && n.away {
			n.poll(ctx, time.Minute) // it will not heal by itself soon
		}
		return err
	}
	if n.away {
		n.log.InfoContext(ctx, "listening for commits of other processes again")
	}
	n.away = false
	n.signal() // whatever came while nobody listened
	return n.wait(ctx, conn)
}

// test makes sure that what is notified through the pool is heard here: through a
// PgBouncer in transaction mode a LISTEN succeeds and then hears nothing.
func (n *news) test(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, listenTest)
	defer cancel()
	token := rand.Text()
	if _, err := n.pool.ExecContext(ctx, "SELECT pg_notify($1, $2)", Channel, token); err != nil {
		return err
	}
	for {
		heard, err := conn.WaitForNotification(ctx)
		if ctx.Err() != nil {
			return errDeaf
		}
		if err != nil {
			return err
		}
		n.signal()
		if heard.Payload == token {
			return nil
		}
	}
}

func (n *news) wait(ctx context.Context, conn *pgx.Conn) error {
	for {
		silent, cancel := context.WithTimeout(ctx, listenCheck)
		_, err := conn.WaitForNotification(silent)
		timedOut := silent.Err() != nil
		cancel()
		switch {
		case err == nil:
			n.signal()
		case ctx.Err() != nil || !timedOut:
			return err
		default:
			alive, cancel := context.WithTimeout(ctx, listenTest)
			err := conn.Ping(alive)
			cancel()
			if err != nil {
				return err
			}
			n.signal()
		}
	}
}
