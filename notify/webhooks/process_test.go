package webhooks_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/webhooks"
)

func TestService_several_processes_share_the_work(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		others := []*webhooks.Service{w.process(), w.process()}
		r := newReceiver(t, nil)
		w.create(t, r.URL)
		for _, s := range append(others, w.Service) {
			run(t, s)
		}
		const lanes, each = 8, 5
		for range lanes {
			order := w.order()
			for seq := int64(1); seq <= each; seq++ {
				e := w.event(t, order, seq)
				if err := others[seq%2].OnEvent(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
		await(t, "all", func() bool { return len(r.all()) >= lanes*each })
		inOrder(t, r.all(), each)
	})
}

func TestService_lease_of_a_dead_process_ends(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		id := w.create(t, r.URL).ID
		w.happen(t, w.order(), 1)
		claim := func(token string) int {
			now := w.clock.Now()
			_, list, err := w.store.Claim(t.Context(), id, token, now, now.Add(time.Minute), func(webhooks.Record) int { return 9 })
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if n := claim("dead"); n != 1 {
			t.Fatalf("claimed %d", n)
		}
		if n := claim("second"); n != 0 {
			t.Fatalf("claimed %d twice", n)
		}
		run(t, w.Service)
		w.leap(59 * time.Second)
		if n := claim("third"); n != 0 {
			t.Fatal("the lease ended early")
		}
		w.leap(2 * time.Second)
		await(t, "the delivery", func() bool { return len(r.accepted()) == 1 })
	})
}

func TestService_Run_ends_and_hands_back(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db, func(o *webhooks.Options) { o.Grace = 100 * time.Millisecond })
		began := make(chan struct{}, 10)
		r := newReceiver(t, nil)
		r.become(func(http.ResponseWriter, got) int { began <- struct{}{}; <-r.ended; return 204 })
		id := w.create(t, r.URL).ID
		stop := run(t, w.Service)
		w.happen(t, w.order(), 1)
		<-began
		stop()
		if list := w.attempts(t, id); len(list) != 0 {
			t.Errorf("being cut off by our own end counts as a failure: %+v", list)
		}
		r.become(nil)
		run(t, w.process())
		await(t, "the delivery", func() bool { return len(r.accepted()) == 1 })
	})
}

func TestService_Replay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		id := w.create(t, r.URL).ID
		order := w.order()
		var ids []string
		for seq := int64(1); seq <= 4; seq++ {
			ids = append(ids, w.happen(t, order, seq).ID)
			w.clock.Add(time.Minute)
		}
		run(t, w.Service) // not before: a minute in the middle of an attempt would end its lease
		await(t, "the first time", func() bool { return len(w.attempts(t, id)) == 4 })

		n, err := w.Replay(t.Context(), w.merchant, id, webhooks.ReplayRequest{EventIDs: []string{ids[2], ids[0], "evt_unknown"}})
		if err != nil || n != 2 {
			t.Fatalf("replayed %d, %v", n, err)
		}
		await(t, "two again", func() bool { return len(r.accepted()) == 6 && len(w.attempts(t, id)) == 6 })
		again := r.all()[4:]
		if again[0].ID != ids[0] || again[1].ID != ids[2] || string(again[0].Body) != string(r.all()[0].Body) {
			t.Errorf("replayed %s, %s", again[0].ID, again[1].ID)
		}
		n, err = w.Replay(t.Context(), w.merchant, id, webhooks.ReplayRequest{Since: w.clock.Now().Add(-2*time.Minute - time.Second)})
		if err != nil || n != 2 {
			t.Fatalf("replayed %d, %v", n, err)
		}
		await(t, "the last two again", func() bool { return len(r.accepted()) == 8 })
		if got := r.all()[6:]; got[0].Seq != 3 || got[1].Seq != 4 {
			t.Errorf("got %d, %d", got[0].Seq, got[1].Seq)
		}
	})
}

func TestStore_Requeue_pages_keep_the_order(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		id := w.create(t, r.URL).ID
		const lanes, each = 6, 5
		for range lanes {
			order := w.order()
			for seq := int64(1); seq <= each; seq++ {
				w.happen(t, order, seq)
			}
		}
		stop := run(t, w.Service)
		await(t, "the first time", func() bool { return len(w.attempts(t, id)) == lanes*each })
		stop()
		run(t, w.process()) // sends while pages are still being queued
		total, after := 0, ""
		for {
			page := webhooks.Page{After: after, Limit: 7, Now: w.clock.Now()}
			n, next, err := w.store.Requeue(t.Context(), id, webhooks.ReplayRequest{Since: w.clock.Now().Add(-time.Hour)}, page)
			if err != nil {
				t.Fatal(err)
			}
			w.leap(0)
			total += n
			if after = next; next == "" {
				break
			}
		}
		if total != lanes*each {
			t.Errorf("requeued %d", total)
		}
		await(t, "the second time", func() bool { return len(r.all()) == 2*lanes*each })
		inOrder(t, r.all()[lanes*each:], each)
	})
}

func TestService_Replay_hastens_what_waits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, status(500))
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		e := w.happen(t, w.order(), 1)
		await(t, "a failure", func() bool { return len(w.attempts(t, id)) == 1 })
		r.become(nil)
		if n, err := w.Replay(t.Context(), w.merchant, id, webhooks.ReplayRequest{EventIDs: []string{e.ID}}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		await(t, "the delivery, with no time passed", func() bool { return len(r.accepted()) == 1 })
	})
}

func TestStore_Purge(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		kept, removed, off := w.create(t, r.URL).ID, w.create(t, r.URL).ID, w.create(t, r.URL).ID
		no := false
		if _, err := w.Update(t.Context(), w.merchant, off, webhooks.Change{Enabled: &no}); err != nil {
			t.Fatal(err)
		}
		stop := run(t, w.Service)
		w.happen(t, w.order(), 1)
		await(t, "two of three", func() bool { return len(w.attempts(t, kept)) == 1 && len(w.attempts(t, removed)) == 1 })
		stop()
		if err := w.Delete(t.Context(), w.merchant, removed, 0); err != nil {
			t.Fatal(err)
		}
		count := func() (list []int64) {
			for _, table := range []string{"webhook_endpoints", "webhook_deliveries", "webhook_lanes", "webhook_attempts"} {
				var n int64
				if err := db.Read(t.Context()).Table(table).Count(&n).Error; err != nil {
					t.Fatal(err)
				}
				list = append(list, n)
			}
			return list
		}
		for _, step := range []struct {
			after time.Duration
			want  string
		}{
			{0, "[3 2 2 1]"},                   // what the removed endpoint left is gone at once
			{40 * 24 * time.Hour, "[2 1 1 0]"}, // the disabled one's is given up
			{time.Hour, "[2 0 0 0]"},
		} {
			w.clock.Add(step.after)
			if _, err := w.store.Purge(t.Context(), w.clock.Now().Add(-30*24*time.Hour), 100); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(count()); got != step.want {
				t.Errorf("after %v: %s rows left, want %s", step.after, got, step.want)
			}
		}
	})
}
