package txoutbox_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
)

func TestAppend_keeps_the_trace_of_its_transaction(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		write := func(ctx context.Context, e eventwire.Event) string {
			if err := db.Write(ctx, func(_ context.Context, tx *gorm.DB) error { return txoutbox.Append(tx, e) }); err != nil {
				t.Fatal(err)
			}
			var body []byte
			if err := db.Read(ctx).Raw("SELECT body FROM outbox WHERE event_id = ?", e.ID).Row().Scan(&body); err != nil {
				t.Fatal(err)
			}
			return eventwire.TraceIn(body)
		}
		if got := write(t.Context(), event(t, newOrder(), 1)); got != "" {
			t.Errorf("without a trace: %q", got)
		}
		if got := write(eventwire.WithTrace(t.Context(), parent), event(t, newOrder(), 1)); got != parent {
			t.Errorf("the row has %q", got)
		}
	})
}
