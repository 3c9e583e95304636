package webhooksdb_test

import (
	"context"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/notify/webhooks"
)

// What comes to life again while a purge is on its way to it stays.
func TestStore_Purge_leaves_what_is_used_again_meanwhile(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(ctx context.Context, k *kit, endpoint string) error{
		"a lane that was idle": func(ctx context.Context, k *kit, endpoint string) error {
			_, err := k.Enqueue(ctx, webhooks.Item{Merchant: merchant, EventID: "evt_2", EventType: "order.created", Subject: "ord_1", Seq: 2, Body: []byte("{}"), At: k.now}, []string{endpoint})
			return err
		},
		"a delivery that is replayed": func(ctx context.Context, k *kit, endpoint string) error {
			_, _, err := k.Requeue(ctx, endpoint, webhooks.ReplayRequest{}, webhooks.Page{Limit: 10, Now: k.now})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, k *kit) {
				id := k.endpoint(merchant)
				k.queue("ord_1", 1, id)
				k.finish(k.claim(id, "me", 1)[0], "me", webhooks.Delivered, k.now, nil)
				k.now = k.now.Add(40 * 24 * time.Hour)
				purged := make(chan error, 1)
				err := k.db.Write(t.Context(), func(ctx context.Context, _ *gorm.DB) error {
					if err := again(ctx, k, id); err != nil {
						return err
					}
					go func() {
						_, err := k.Purge(t.Context(), k.now.Add(-30*24*time.Hour), 100)
						purged <- err
					}()
					k.awaitLock()
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := <-purged; err != nil {
					t.Fatal(err)
				}
				k.lanes()
				if list := k.claim(id, "me", 9); len(list) != 1 {
					t.Errorf("%d deliveries are to be made, want 1", len(list))
				}
			})
		})
	}
}

// awaitLock returns when a statement waits for a lock, where statements do.
func (k *kit) awaitLock() {
	k.t.Helper()
	for deadline := time.Now().Add(time.Minute); k.db.Dialect() == dbconn.Postgres; {
		var waiting int
		const query = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		if err := k.db.Read(k.t.Context()).Raw(query).Scan(&waiting).Error; err != nil || time.Now().After(deadline) {
			k.t.Fatalf("nothing waits: %v", err)
		}
		if waiting > 0 {
			return
		}
	}
}
