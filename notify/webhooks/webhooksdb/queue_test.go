package webhooksdb_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"tracker/notify/webhooks"
)

func TestStore_Enqueue_adds_once_and_knows_the_one_before(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		a, b := k.endpoint(merchant), k.endpoint(merchant)
		if n := k.queue("ord_1", 1, a, b); n != 2 {
			t.Errorf("new for %d", n)
		}
		if n := k.queue("ord_1", 1, a); n != 0 {
			t.Errorf("the same event again is new for %d", n)
		}
		k.queue("ord_1", 3, a) // 2 was not for it
		first := k.claim(a, "me", 9)
		if len(first) != 1 || first[0].Seq != 1 || first[0].Previous != 0 || string(first[0].Body) != `{"seq":1}` || first[0].Merchant != merchant {
			t.Fatalf("claimed %+v", first)
		}
		k.finish(first[0], "me", webhooks.Delivered, k.now, nil)
		if next := k.claim(a, "me", 9); len(next) != 1 || next[0].Seq != 3 || next[0].Previous != 1 {
			t.Errorf("then %+v", next)
		}
		k.lanes()
	})
}

func TestStore_Claim_gives_a_lane_to_one_at_a_time(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		id := k.endpoint(merchant)
		const lanes = 12
		for i := range lanes {
			k.queue(fmt.Sprintf("ord_%02d", i), 1, id)
			k.queue(fmt.Sprintf("ord_%02d", i), 2, id)
		}
		if list := k.claim(id, "none", 0); len(list) != 0 {
			t.Errorf("claimed %d with no slot", len(list))
		}
		var mu sync.Mutex
		holders := map[string]string{}
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				token := fmt.Sprint(i)
				for range 4 {
					for _, d := range k.claim(id, token, 3) {
						mu.Lock()
						if other, taken := holders[d.Subject]; taken || d.Seq != 1 {
							t.Errorf("%s: sequence %d went to %s, and to %s before", d.Subject, d.Seq, token, other)
						}
						holders[d.Subject] = token
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		for range lanes { // who lost every race may have left some
			for _, d := range k.claim(id, "last", lanes) {
				holders[d.Subject] = "last"
			}
		}
		if len(holders) != lanes {
			t.Errorf("%d of %d lanes were claimed", len(holders), lanes)
		}
		if endpoints, next := k.due(); len(endpoints) != 0 || !next.Equal(k.now.Add(time.Minute)) {
			t.Errorf("due %v, next %v", endpoints, next)
		}
		k.now = k.now.Add(time.Minute)
		if list := k.claim(id, "heir", lanes); len(list) != lanes {
			t.Errorf("%d leases ended", len(list))
		}
	})
}

func TestStore_Finish_only_the_holder_moves_the_lane(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		id := k.endpoint(merchant)
		k.queue("ord_1", 1, id)
		k.queue("ord_1", 2, id)
		slow := k.claim(id, "slow", 1)[0]
		k.now = k.now.Add(time.Minute) // its lease is over
		heir := k.claim(id, "heir", 1)[0]
		k.finish(slow, "slow", webhooks.Pending, k.now.Add(time.Hour), nil)
		if list := k.claim(id, "third", 1); len(list) != 0 {
			t.Error("who had lost the lease ended somebody else's")
		}
		k.finish(heir, "heir", webhooks.Delivered, k.now, nil)
		k.finish(slow, "slow", webhooks.Delivered, k.now, nil) // it had arrived twice
		k.lanes()
		if list := k.claim(id, "third", 1); len(list) != 1 || list[0].Seq != 2 {
			t.Errorf("then %+v", list)
		}
	})
}

func TestStore_Finish_a_failed_head_holds_up_its_lane_alone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		id := k.endpoint(merchant)
		for _, order := range []string{"ord_1", "ord_2"} {
			k.queue(order, 1, id)
			k.queue(order, 2, id)
		}
		later := k.now.Add(time.Hour)
		for _, d := range k.claim(id, "me", 2) {
			if d.Subject == "ord_1" {
				k.finish(d, "me", webhooks.Pending, later, func(r *webhooks.Record) { r.Failures = 1 })
				continue
			}
			k.finish(d, "me", webhooks.GivenUp, k.now, nil)
		}
		if r, err := k.Get(t.Context(), merchant, id); r.Failures != 1 || err != nil {
			t.Errorf("%d failures, %v", r.Failures, err)
		}
		if list := k.claim(id, "me", 9); len(list) != 1 || list[0].Subject != "ord_2" || list[0].Seq != 2 {
			t.Fatalf("claimed %+v", list)
		}
		if err := k.Hasten(t.Context(), id, k.now); err != nil {
			t.Fatal(err)
		}
		if list := k.claim(id, "me", 9); len(list) != 1 || list[0].Seq != 1 || list[0].Tries != 1 || list[0].FirstTry.IsZero() {
			t.Errorf("hastened %+v", list)
		}
		k.lanes()
	})
}

func TestStore_Release_is_as_if_it_had_never_been(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		id := k.endpoint(merchant)
		k.queue("ord_1", 1, id)
		d := k.claim(id, "me", 1)[0]
		if err := k.Release(t.Context(), d, "other", k.now); err != nil {
			t.Fatal(err)
		}
		if list := k.claim(id, "other", 1); len(list) != 0 {
			t.Error("somebody else released it")
		}
		if err := k.Release(t.Context(), d, "me", k.now); err != nil {
			t.Fatal(err)
		}
		if list := k.claim(id, "other", 1); len(list) != 1 || list[0].Tries != 0 {
			t.Errorf("claimed %+v", list)
		}
	})
}

func TestStore_Due_leaves_out_who_is_not_to_be_sent_to(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		paused, off, gone := k.endpoint(merchant), k.endpoint(merchant), k.endpoint(merchant)
		k.queue("ord_1", 1, paused, off, gone)
		until := k.now.Add(time.Minute)
		for id, change := range map[string]func(*webhooks.Record){
			paused: func(r *webhooks.Record) { r.PausedUntil = &until },
			off:    func(r *webhooks.Record) { r.Status = webhooks.Disabled },
		} {
			if _, err := k.Change(t.Context(), merchant, id, func(r *webhooks.Record) error { change(r); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Remove(t.Context(), merchant, gone, k.now, always); err != nil {
			t.Fatal(err)
		}
		if endpoints, next := k.due(); len(endpoints) != 0 || !next.Equal(until) {
			t.Errorf("due %v, next %v", endpoints, next)
		}
		for _, id := range []string{paused, off, gone} {
			if list := k.claim(id, "me", 1); len(list) != 0 {
				t.Errorf("claimed %+v", list)
			}
		}
		k.now = until
		if endpoints, _ := k.due(); len(endpoints) != 1 || endpoints[0] != paused {
			t.Errorf("after the pause %v", endpoints)
		}
		if c, err := k.Counts(t.Context()); err != nil || c.Enabled != 1 || c.Disabled != 1 || c.Pending != 3 {
			t.Errorf("counts %+v, %v", c, err)
		}
	})
}

// Only what somebody is to send can be late.
func TestStore_Counts_the_oldest_where_something_is_sent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		on, off, gone := k.endpoint(merchant), k.endpoint(merchant), k.endpoint(merchant)
		k.queue("ord_1", 1, off, gone)
		disable := func(r *webhooks.Record) error { r.Status = webhooks.Disabled; return nil }
		if _, err := k.Change(t.Context(), merchant, off, disable); err != nil {
			t.Fatal(err)
		}
		if err := k.Remove(t.Context(), merchant, gone, k.now, always); err != nil {
			t.Fatal(err)
		}
		if c, err := k.Counts(t.Context()); err != nil || !c.OldestPending.IsZero() || c.Pending != 2 {
			t.Errorf("counts %+v, %v", c, err)
		}
		k.now = k.now.Add(time.Hour)
		k.queue("ord_2", 1, on)
		if c, err := k.Counts(t.Context()); err != nil || !c.OldestPending.Equal(k.now) {
			t.Errorf("counts %+v, %v", c, err)
		}
	})
}

func TestStore_Requeue_selects(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		id := k.endpoint(merchant)
		start := k.now
		for seq := int64(1); seq <= 4; seq++ {
			k.queue("ord_1", seq, id)
			state := webhooks.Delivered
			if seq == 2 {
				state = webhooks.GivenUp
			}
			k.finish(k.claim(id, "me", 1)[0], "me", state, k.now, nil)
			k.now = k.now.Add(time.Minute)
		}
		for _, test := range []struct {
			what string
			r    webhooks.ReplayRequest
			want int
			head int64
		}{
			{"what failed", webhooks.ReplayRequest{Since: start, FailedOnly: true}, 1, 2},
			{"by id", webhooks.ReplayRequest{EventIDs: []string{"evt_ord_1_4", "evt_ord_1_3", "evt_unknown"}}, 2, 3},
			{"since", webhooks.ReplayRequest{Since: start.Add(3 * time.Minute)}, 1, 4},
		} {
			n, next, err := k.Requeue(t.Context(), id, test.r, webhooks.Page{Limit: 10, Now: k.now})
			if err != nil || n != test.want || next != "" {
				t.Errorf("%s: %d, %q, %v", test.what, n, next, err)
			}
			k.lanes()
			list := k.claim(id, "me", 9)
			if len(list) != 1 || list[0].Seq != test.head || list[0].Tries != 0 {
				t.Fatalf("%s: claimed %+v", test.what, list)
			}
			for ; len(list) > 0; list = k.claim(id, "me", 9) {
				k.finish(list[0], "me", webhooks.Delivered, k.now, nil)
			}
		}
	})
}

// Whatever happens in whatever order, a lane counts what is pending in it: it
// would sleep with something in it otherwise, or never sleep.
func TestStore_lanes_count_right_whatever_happens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		ids := []string{k.endpoint(merchant), k.endpoint(merchant)}
		var all sync.WaitGroup
		for worker := range 4 {
			own := &kit{Store: k.Store, t: t, db: k.db, now: k.now}
			all.Go(func() {
				token := fmt.Sprint("worker", worker)
				for i := range 25 {
					id := ids[rand.N(len(ids))]
					switch order := fmt.Sprintf("ord_%d", rand.N(3)); rand.N(4) {
					case 0:
						own.queue(order, int64(1+worker*100+i), ids...)
					case 1:
						r := webhooks.ReplayRequest{Since: own.now.Add(-time.Hour)}
						if _, _, err := own.Requeue(t.Context(), id, r, webhooks.Page{Limit: 5, Now: own.now}); err != nil {
							t.Error(err)
						}
					default:
						for _, d := range own.claim(id, token, 2) {
							states := []webhooks.State{webhooks.Pending, webhooks.Delivered, webhooks.GivenUp}
							own.finish(d, token, states[rand.N(3)], own.now, nil)
						}
					}
					own.now = own.now.Add(20 * time.Second) // some leases end on the way
				}
			})
		}
		all.Wait()
		k.lanes()
	})
}
