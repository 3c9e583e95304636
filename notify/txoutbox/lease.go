package txoutbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// stand waits for the lease and leads while it lasts, again and again. A database
// that is away is told of once, and once more when it is back.
func (r *Relay) stand(ctx context.Context) {
	l := lease{db: r.db, holder: rand.Text(), length: r.o.Lease}
	away := false
	for ctx.Err() == nil {
		until, ok, err := l.take(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && !away:
			r.o.Logger.WarnContext(ctx, "the relay's lease could not be asked for; trying again", "error", err)
		case err == nil && away:
			r.o.Logger.InfoContext(ctx, "the relay's lease can be asked for again")
		}
		away = err != nil
		if !ok {
			r.drainWake()
			sleep(ctx, r.o.Lease/4)
			continue
		}
		r.hold(ctx, l, until)
	}
}

// drainWake forgets a signal that is for whoever leads.
func (r *Relay) drainWake() {
	select {
	case <-r.wake:
	default:
	}
}

// hold leads until ctx ends or the lease could not be renewed in time. What runs
// under the lease ends before it does: its ctx does.
func (r *Relay) hold(ctx context.Context, l lease, until time.Time) {
	held, lose := context.WithCancel(ctx)
	defer lose()
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		defer lose()
		l.keep(held, until)
	}()
	r.lead(held)
	lose()
	<-renewed
	if err := l.release(context.WithoutCancel(ctx)); err != nil {
		r.o.Logger.WarnContext(ctx, "the relay's lease was not returned; it runs out by itself", "error", err)
	}
}

// lease is the right to relay, a row that its holder renews. It is not an
// advisory lock, because that one stays with a process that is stopped or out of
// reach for as long as TCP does, and does not exist behind a PgBouncer. Its clock
// is the database's.
type lease struct {
	db     Database
	holder string
	length time.Duration
}

const serverNow = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

// take asks for the lease or renews it. The time is when it runs out, by our
// clock and never later than by the database's. An answer that is not there
// within the length of the lease is of no use, and is not waited for: TCP would
// wait a quarter of an hour for what a dead connection does not bring.
//
// The claim is one statement and no transaction. Who vanishes, with its machine,
// between a claim and its commit would lock the row until the database ends the
// idle transaction, which takes it ten seconds.
func (l lease) take(ctx context.Context) (until time.Time, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.length)
	defer cancel()
	free, err := l.free(ctx)
	if err != nil || !free {
		return time.Time{}, false, err
	}
	until = time.Now().Add(l.length)
	const claim = `INSERT INTO outbox_lease (name, holder, until) VALUES ('relay', ?, ` + serverNow + ` + ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE outbox_lease.holder = excluded.holder OR outbox_lease.until < ` + serverNow
	done := l.db.Read(ctx).Exec(claim, l.holder, l.length.Milliseconds())
	if done.Error != nil {
		return time.Time{}, false, fmt.Errorf("txoutbox: lease: %w", done.Error)
	}
	return until, done.RowsAffected == 1, nil
}

// free looks before it writes: those who stand by cost only a read.
func (l lease) free(ctx context.Context) (bool, error) {
	var others int64
	const query = `SELECT count(*) FROM outbox_lease WHERE name = 'relay' AND holder <> ? AND until >= ` + serverNow
	if err := l.db.Read(ctx).Raw(query, l.holder).Scan(&others).Error; err != nil {
		return false, fmt.Errorf("txoutbox: lease: %w", err)
	}
	return others == 0, nil
}

// keep renews the lease until ctx ends, or returns just before it runs out.
func (l lease) keep(ctx context.Context, until time.Time) {
	margin := l.length / 8
	for {
		sleep(ctx, min(l.length/4, time.Until(until)-margin))
		if ctx.Err() != nil || time.Until(until) <= margin {
			return
		}
		try, cancel := context.WithDeadline(ctx, until.Add(-margin))
		next, ok, err := l.take(try)
		cancel()
		switch {
		case err == nil && !ok:
			return // somebody else has it
		case ok:
			until = next
		}
	}
}

func (l lease) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.length)
	defer cancel()
	return l.db.Write(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Exec(`DELETE FROM outbox_lease WHERE name = 'relay' AND holder = ?`, l.holder).Error
	})
}
