package webhooksdb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/webhooks"
	"tracker/notify/webhooks/webhooksdb"
)

// each runs fn on a store of each kind.
func each(t *testing.T, fn func(t *testing.T, k *kit)) {
	t.Helper()
	sets := func(dialect string) []dbconn.MigrationSet {
		return []dbconn.MigrationSet{{Name: webhooksdb.Name, FS: webhooksdb.Migrations(dialect)}}
	}
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		fn(t, &kit{t: t, db: db, Store: webhooksdb.New(db), now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)})
	})
}

// kit is a store, and a time that the test moves.
type kit struct {
	*webhooksdb.Store
	t   *testing.T
	db  *dbconn.DB
	now time.Time
	ids int
}

const merchant = "mer_1"

// always allows a removal.
func always(webhooks.Record) error { return nil }

// endpoint adds one.
func (k *kit) endpoint(of string) string {
	k.t.Helper()
	k.ids++
	r := webhooks.Record{
		Endpoint: webhooks.Endpoint{ID: fmt.Sprintf("whe_%03d", k.ids), Merchant: of, URL: "https://example.com/", Events: []string{"*"},
			Status: webhooks.Enabled, CreatedAt: k.now, UpdatedAt: k.now},
		Keys: webhooks.Keys{Current: "whsec_first"},
	}
	if err := k.Add(k.t.Context(), r, 100); err != nil {
		k.t.Fatal(err)
	}
	return r.ID
}

// queue adds a transition of an order to endpoints and says for how many it was new.
func (k *kit) queue(order string, seq int64, endpoints ...string) int {
	k.t.Helper()
	item := webhooks.Item{Merchant: merchant, EventID: fmt.Sprintf("evt_%s_%d", order, seq), EventType: "order.created", Subject: order,
		Seq: seq, Body: []byte(`{"seq":` + fmt.Sprint(seq) + `}`), At: k.now}
	added, err := k.Enqueue(k.t.Context(), item, endpoints)
	if err != nil {
		k.t.Fatal(err)
	}
	return len(added)
}

// claim leases for a minute, at most n lanes.
func (k *kit) claim(endpoint, token string, n int) []webhooks.Delivery {
	k.t.Helper()
	_, list, err := k.Claim(k.t.Context(), endpoint, token, k.now, k.now.Add(time.Minute), func(webhooks.Record) int { return n })
	if err != nil {
		k.t.Fatal(err)
	}
	return list
}

// finish records an attempt.
func (k *kit) finish(d webhooks.Delivery, token string, state webhooks.State, due time.Time, health func(*webhooks.Record)) {
	k.t.Helper()
	d.Tries++
	d.FirstTry = k.now
	f := webhooks.Finished{Delivery: d, Token: token, State: state, Due: due, Health: health, Attempt: webhooks.Attempt{
		ID: eventwire.NewID("att_", k.now), Endpoint: d.Endpoint, EventID: d.EventID, EventType: d.EventType, Subject: d.Subject,
		Seq: d.Seq, Try: d.Tries, At: k.now, Status: 200, State: state,
	}}
	if err := k.Finish(k.t.Context(), f); err != nil {
		k.t.Fatal(err)
	}
}

// lanes checks that every lane counts what is pending in it.
func (k *kit) lanes() {
	k.t.Helper()
	const query = `SELECT count(*) FROM webhook_lanes l WHERE pending <>
		(SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint_id = l.endpoint_id AND d.subject = l.subject AND d.state = 'pending')`
	var wrong int
	if err := k.db.Read(context.WithoutCancel(k.t.Context())).Raw(query).Scan(&wrong).Error; err != nil {
		k.t.Fatal(err)
	}
	if wrong != 0 {
		k.t.Errorf("%d lanes count wrongly", wrong)
	}
}

func (k *kit) due() (endpoints []string, next time.Time) {
	k.t.Helper()
	endpoints, next, err := k.Due(k.t.Context(), k.now)
	if err != nil {
		k.t.Fatal(err)
	}
	return endpoints, next
}
