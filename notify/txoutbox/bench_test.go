package txoutbox_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
	"tracker/notify/txoutbox"
)

type busPublisher struct{ *natsbus.Bus }

func (p busPublisher) Publish(ctx context.Context, messages []txoutbox.Message) error {
	list := make([]natsbus.Message, len(messages))
	for i, m := range messages {
		list[i] = natsbus.Message(m)
	}
	return p.Bus.Publish(ctx, list)
}

// One relay beside what its database can commit: 64 clients append an event each
// in a transaction of its own, with nothing else in it, and then one relay brings
// them all to a stream on disk.
func BenchmarkRelay(b *testing.B) {
	for _, kind := range []struct {
		name string
		open func(testing.TB) dbconn.Options
	}{{dbconn.SQLite, dbtest.SQLite}, {dbconn.Postgres, dbtest.Postgres}} {
		b.Run(kind.name, func(b *testing.B) { benchmarkRelay(b, dbtest.Open(b, kind.open(b))) })
	}
}

func benchmarkRelay(b *testing.B, db *dbconn.DB) {
	if err := db.Migrate(b.Context(), dbconn.MigrationSet{Name: txoutbox.Name, FS: txoutbox.Migrations(db.Dialect())}); err != nil {
		b.Fatal(err)
	}
	bus, err := natsbus.Open(b.Context(), natsbus.Options{StoreDir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer bus.Close()
	b.ResetTimer()
	began := time.Now()
	appendMany(b, db, b.N)
	committed := time.Since(began)
	began = time.Now()
	r := txoutbox.NewRelay(db, busPublisher{bus}, db.Commits(), txoutbox.RelayOptions{Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for {
		s, err := r.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if s.Published >= int64(b.N) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	relayed := time.Since(began)
	stop()
	<-ended
	b.ReportMetric(float64(b.N)/committed.Seconds(), "committed/s")
	b.ReportMetric(float64(b.N)/relayed.Seconds(), "relayed/s")
	b.ReportMetric(committed.Seconds()/relayed.Seconds(), "times")
}

func appendMany(b *testing.B, db *dbconn.DB, n int) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				e := benchEvent(b)
				if err := db.Write(b.Context(), func(_ context.Context, tx *gorm.DB) error { return txoutbox.Append(tx, e) }); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func benchEvent(b *testing.B) eventwire.Event {
	now := time.Now().UTC()
	id := eventwire.NewID(eventwire.PrefixOrder, now)
	t := eventwire.Transition{Seq: 1, Type: "order.created", To: "pending_payment", At: now, Cause: "merchant"}
	e, err := eventwire.New(eventwire.Key{Merchant: merchant, Kind: eventwire.Orders, ID: id}, id, 1, false, []eventwire.Transition{t},
		map[string]string{"id": id, "status": "pending_payment"})
	if err != nil {
		b.Fatal(err)
	}
	return e
}
