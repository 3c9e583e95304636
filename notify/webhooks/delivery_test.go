package webhooks_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/webhooks"
)

func TestService_delivers_the_signed_public_event_once(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		endpoint := w.create(t, r.URL)
		run(t, w.Service)
		e := w.event(t, w.order(), 1)
		var group sync.WaitGroup
		for range 10 { // a durable consumer may repeat itself
			group.Go(func() {
				if err := w.OnEvent(t.Context(), e); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		w.happen(t, e.Subject, 2)
		await(t, "two deliveries", func() bool { return len(r.accepted()) == 2 })

		first, second := r.all()[0], r.all()[1]
		if first.ID != e.ID || first.Seq != 1 || first.Previous != "0" || second.Previous != "1" {
			t.Errorf("got id %s seq %d previous %s, %s", first.ID, first.Seq, first.Previous, second.Previous)
		}
		if want, _ := e.Public().Encode(); string(first.Body) != string(want) {
			t.Errorf("body (-want +got)\n-%s\n+%s", want, first.Body)
		}
		oracle, err := standardwebhooks.NewWebhook(endpoint.Secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := oracle.Verify(first.Body, first.Header); err != nil {
			t.Errorf("the standard library refuses it: %v", err)
		}
		if err := oracle.Verify(append(first.Body, ' '), first.Header); err == nil {
			t.Error("an altered body passes")
		}
	})
}

func TestService_OnEvent_takes_what_a_rebuilt_stream_passed_over(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		w.create(t, r.URL)
		run(t, w.Service)
		order := w.order()
		w.happen(t, order, 1)
		w.happen(t, order, 4)
		w.happen(t, order, 4)
		await(t, "four deliveries", func() bool { return len(r.accepted()) == 4 })
		for i, g := range r.all() {
			if g.Seq != int64(i+1) || g.Previous != fmt.Sprint(i) || g.ID != eventwire.EventID(order, g.Seq) {
				t.Errorf("delivery %d is seq %d after %s, id %s", i+1, g.Seq, g.Previous, g.ID)
			}
		}
	})
}

func TestService_order_per_resource(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		w.create(t, r.URL)
		stuck, fine := w.order(), w.order()
		r.become(func(_ http.ResponseWriter, g got) int {
			if g.Subject == stuck {
				return 500
			}
			return 204
		})
		other := newReceiver(t, nil)
		w.create(t, other.URL)
		run(t, w.Service)
		for seq := int64(1); seq <= 5; seq++ {
			w.happen(t, stuck, seq)
			w.happen(t, fine, seq)
		}
		await(t, "everything that is not behind the failure", func() bool {
			return len(r.accepted()) == 5 && len(other.accepted()) == 10
		})
		inOrder(t, other.accepted(), 5)
		for _, g := range r.all() {
			if g.Subject == stuck && g.Seq != 1 {
				t.Errorf("sequence %d was sent past a failed one", g.Seq)
			}
		}
		r.become(nil)
		w.move(t, 10*time.Second)
		await(t, "the rest", func() bool { return len(r.accepted()) == 10 })
		inOrder(t, r.accepted(), 5)
	})
}

// inOrder checks that each resource's events came as 1 … last, each once.
func inOrder(t *testing.T, list []got, last int64) {
	t.Helper()
	seen := map[string]int64{}
	for _, g := range list {
		if g.Seq != seen[g.Subject]+1 {
			t.Errorf("%s: sequence %d came after %d", g.Subject, g.Seq, seen[g.Subject])
		}
		seen[g.Subject] = g.Seq
	}
	for subject, seq := range seen {
		if seq != last {
			t.Errorf("%s: the last was %d, want %d", subject, seq, last)
		}
	}
}

func TestService_receiver_down_for_an_hour(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, status(503))
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		const lanes, each = 6, 4
		var list []string
		for range lanes {
			list = append(list, w.order())
		}
		for seq := int64(1); seq <= each; seq++ {
			for _, order := range list {
				w.happen(t, order, seq)
			}
			w.move(t, 15*time.Minute)
		}
		await(t, "a failure", func() bool { return w.get(t, id).Failures >= lanes })
		r.become(nil)
		// The first attempt that falls due finds it well again, and takes the rest along.
		await(t, "all", func() bool {
			w.move(t, time.Second)
			return len(r.accepted()) == lanes*each
		})
		inOrder(t, r.accepted(), each)
		await(t, "health", func() bool { return w.get(t, id).FailingSince == nil })
	})
}

func TestService_hanging_endpoints_delay_nobody(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db, func(o *webhooks.Options) {
			o.Concurrency = 16
			o.PerEndpoint = 8 // five that hang could take them all
			o.Timeout = time.Hour
			o.Grace = 10 * time.Millisecond
		})
		hanging := newReceiver(t, nil)
		hanging.hang()
		healthy := newReceiver(t, nil)
		for i := range 5 {
			w.create(t, fmt.Sprintf("%s/hangs/%d", hanging.URL, i))
			w.create(t, fmt.Sprintf("%s/fine/%d", healthy.URL, i))
		}
		run(t, w.Service)
		for range 10 {
			w.happen(t, w.order(), 1)
		}
		await(t, "the healthy endpoints' share", func() bool { return len(healthy.accepted()) == 50 })
		if n := len(hanging.all()); n != 0 {
			t.Errorf("%d hanging requests ended", n)
		}
	})
}

func TestService_endpoint_in_trouble_gets_one_attempt_at_a_time(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, status(500))
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		for range 4 {
			w.happen(t, w.order(), 1)
		}
		await(t, "trouble", func() bool { return w.get(t, id).Failures == 4 })
		var mu sync.Mutex
		now, most := 0, 0
		r.become(func(http.ResponseWriter, got) int {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			defer func() { mu.Lock(); now--; mu.Unlock() }()
			return 500
		})
		w.move(t, 10*time.Second)
		await(t, "the second round", func() bool { return w.get(t, id).Failures == 8 })
		if mu.Lock(); most != 1 {
			t.Errorf("%d attempts at once", most)
		}
		mu.Unlock()
	})
}

func TestService_retry_after_pauses_the_endpoint(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, func(h http.ResponseWriter, _ got) int {
			h.Header().Set("Retry-After", "3600")
			return 429
		})
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		w.happen(t, w.order(), 1)
		await(t, "the pause", func() bool { return w.get(t, id).PausedUntil != nil })
		r.become(nil)
		w.happen(t, w.order(), 1)
		w.move(t, 59*time.Minute)
		if due, next, err := w.store.Due(t.Context(), w.clock.Now()); err != nil || len(due) > 0 || next.IsZero() {
			t.Fatalf("due %v, next %v, error %v", due, next, err)
		}
		if n := len(r.all()); n != 1 {
			t.Errorf("%d requests during the pause", n)
		}
		w.move(t, 2*time.Minute)
		await(t, "both", func() bool { return len(r.accepted()) == 2 })
	})
}

func TestService_filters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		w.create(t, r.URL, "order.created", "order.completed", "payment.*")
		run(t, w.Service)
		order := w.order()
		w.happen(t, order, 1, "order.created")
		w.happen(t, order, 2, "order.confirmed")
		w.happen(t, order, 3, "order.completed")
		await(t, "two", func() bool { return len(r.accepted()) == 2 })
		if g := r.all()[1]; g.Seq != 3 || g.Previous != "1" {
			t.Errorf("got seq %d after %s: a receiver could not tell a filter from a gap", g.Seq, g.Previous)
		}
	})
}

func TestService_OnEvent_leaves_out_what_is_not_for_the_endpoint(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		before := w.event(t, w.order(), 1)
		w.clock.Add(time.Second)
		w.create(t, r.URL)
		ancient := w.event(t, w.order(), 1)
		w.clock.Add(40 * 24 * time.Hour)
		for _, e := range []eventwire.Event{before, ancient} {
			if err := w.OnEvent(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if c, err := w.Counts(t.Context()); err != nil || c.Pending != 0 {
			t.Errorf("%d pending, %v", c.Pending, err)
		}
	})
}
