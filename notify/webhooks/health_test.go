package webhooks_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/webhooks"
)

func TestService_disables_after_days_and_says_so(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		announced := make(chan webhooks.Endpoint, 10)
		w := newWorld(t, db, func(o *webhooks.Options) { o.Announce = func(e webhooks.Endpoint) { announced <- e } })
		r := newReceiver(t, status(500))
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		first := w.order()
		w.happen(t, first, 1)
		await(t, "the first failure", func() bool { return w.get(t, id).Failures == 1 })
		// Each round: a fresh event, so that there is always something to fail.
		var e webhooks.Endpoint
		await(t, "the announcement", func() bool {
			w.move(t, 6*time.Hour)
			w.happen(t, w.order(), 1)
			select {
			case e = <-announced:
				return true
			default:
				return false
			}
		})
		if e.ID != id || e.DisabledReason != "failing" || e.DisabledAt.Sub(*e.FailingSince) < 5*24*time.Hour {
			t.Errorf("announced %+v", e)
		}
		if got := w.get(t, id); got.Status != webhooks.Disabled || got.DisabledAt == nil {
			t.Errorf("the API shows %+v", got)
		}
		missed := w.order()
		w.happen(t, missed, 1)
		if _, err := w.Replay(t.Context(), w.merchant, id, webhooks.ReplayRequest{Since: w.clock.Now()}); !isConflict(err, "endpoint_disabled") {
			t.Errorf("replay to a disabled endpoint: %v", err)
		}
		on := true
		r.become(nil)
		if _, err := w.Update(t.Context(), w.merchant, id, webhooks.Change{Enabled: &on}); err != nil {
			t.Fatal(err)
		}
		await(t, "what happened meanwhile", func() bool {
			for _, g := range r.accepted() {
				if g.Subject == missed {
					return true
				}
			}
			return false
		})
		if len(announced) > 0 {
			t.Error("announced more than once")
		}
	})
}

func isConflict(err error, code string) bool {
	var c *webhooks.ConflictError
	return errors.As(err, &c) && c.Code == code
}

func TestService_gives_up_after_about_three_days(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db, func(o *webhooks.Options) { o.DisableAfter = 1000 * time.Hour })
		r := newReceiver(t, func(_ http.ResponseWriter, g got) int {
			if g.Seq == 1 {
				return 500
			}
			return 204
		})
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		order := w.order()
		start := w.clock.Now()
		w.happen(t, order, 1)
		w.happen(t, order, 2)
		for i, step := range webhooks.DefaultSchedule() {
			await(t, "an attempt", func() bool { return len(w.attempts(t, id)) == i+1 })
			if len(r.accepted()) > 0 {
				t.Fatal("the second was sent before the first was over")
			}
			w.move(t, step+time.Second)
		}
		await(t, "the second", func() bool { return len(r.accepted()) == 1 })
		if age := w.clock.Now().Sub(start); age < 72*time.Hour || age > 80*time.Hour {
			t.Errorf("given up after %v", age)
		}
		if g := r.accepted()[0]; g.Seq != 2 || g.Previous != "1" {
			t.Errorf("got seq %d after %s: the gap cannot be seen", g.Seq, g.Previous)
		}
		await(t, "the log", func() bool {
			return slices.ContainsFunc(w.attempts(t, id), func(a webhooks.Attempt) bool { return a.State == webhooks.GivenUp })
		})
	})
}

func TestService_gone_disables_at_once(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		var announced atomic.Int32
		w := newWorld(t, db, func(o *webhooks.Options) { o.Announce = func(webhooks.Endpoint) { announced.Add(1) } })
		r := newReceiver(t, status(410))
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		w.happen(t, w.order(), 1)
		await(t, "disabled", func() bool { return w.get(t, id).Status == webhooks.Disabled && announced.Load() == 1 })
		if reason := w.get(t, id).DisabledReason; reason != "gone" {
			t.Errorf("reason %q", reason)
		}
	})
}

func TestService_RotateSecret_overlaps(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db, func(o *webhooks.Options) { o.RotationOverlap = time.Minute })
		r := newReceiver(t, nil)
		old := w.create(t, r.URL)
		run(t, w.Service)
		rotated, err := w.RotateSecret(t.Context(), w.merchant, old.ID, 0)
		if err != nil || rotated.Secret == old.Secret || rotated.PreviousUntil == nil {
			t.Fatalf("%+v, %v", rotated, err)
		}
		w.happen(t, w.order(), 1)
		await(t, "one", func() bool { return len(r.accepted()) == 1 })
		w.move(t, 2*time.Minute)
		w.happen(t, w.order(), 1)
		await(t, "two", func() bool { return len(r.accepted()) == 2 })
		list := r.all()
		for i, want := range []struct{ old, fresh bool }{{true, true}, {false, true}} {
			if got := verifies(t, old.Secret, list[i]); got != want.old {
				t.Errorf("request %d: old secret verifies: %v", i, got)
			}
			if got := verifies(t, rotated.Secret, list[i]); got != want.fresh {
				t.Errorf("request %d: new secret verifies: %v", i, got)
			}
		}
		if e := w.get(t, old.ID); e.Secret != "" {
			t.Error("the secret is shown again")
		}
	})
}

func verifies(t *testing.T, secret string, g got) bool {
	t.Helper()
	oracle, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return oracle.Verify(g.Body, g.Header) == nil
}

func TestService_attempt_log(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, func(h http.ResponseWriter, g got) int {
			h.WriteHeader(500)
			_, _ = h.Write([]byte("no\x00\x1b[31m \xff" + strings.Repeat("x", 5000)))
			return 0
		})
		id := w.create(t, r.URL).ID
		stop := run(t, w.Service)
		for range 5 {
			w.happen(t, w.order(), 1)
		}
		await(t, "five attempts", func() bool { return len(w.attempts(t, id)) == 5 })
		stop()
		list := w.attempts(t, id)
		a := list[0]
		if a.Status != 500 || a.Error != "status_500" || a.Try != 1 || a.Next == nil || a.State != webhooks.Pending {
			t.Errorf("got %+v", a)
		}
		if !strings.HasPrefix(a.Excerpt, "no[31m \uFFFDxx") || len(a.Excerpt) > 1100 {
			t.Errorf("excerpt of %d bytes: %.20q", len(a.Excerpt), a.Excerpt)
		}
		var ids []string
		f := webhooks.AttemptFilter{Endpoint: id, Limit: 2}
		for {
			page, err := w.Attempts(t.Context(), w.merchant, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Data {
				ids = append(ids, a.ID)
				f.StartingAfter = a.ID
			}
			if !page.HasMore {
				break
			}
		}
		for i, a := range list {
			if len(ids) != 5 || ids[i] != a.ID {
				t.Fatalf("pages %v", ids)
			}
		}
		bySubject, err := w.Attempts(t.Context(), w.merchant, webhooks.AttemptFilter{Subject: a.Subject})
		if err != nil || len(bySubject.Data) != 1 {
			t.Errorf("by subject: %v, %v", bySubject, err)
		}
		if _, err := w.Attempts(t.Context(), "mer_other", webhooks.AttemptFilter{Endpoint: id}); !errors.Is(err, webhooks.ErrNotFound) {
			t.Errorf("a foreign endpoint's log: %v", err)
		}
		var invalid *webhooks.InvalidError
		for _, f := range []webhooks.AttemptFilter{{StartingAfter: a.Subject}, {StartingAfter: "7"}, {Subject: "a\x00"}, {EventID: "\xff"}, {Limit: 101}} {
			if _, err := w.Attempts(t.Context(), w.merchant, f); !errors.As(err, &invalid) {
				t.Errorf("%+v: %v", f, err)
			}
		}
	})
}

func TestService_a_2xx_counts_though_its_body_hangs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db)
		r := newReceiver(t, nil)
		r.become(func(h http.ResponseWriter, _ got) int {
			h.WriteHeader(200)
			_ = http.NewResponseController(h).Flush()
			<-r.ended
			return 0
		})
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		w.happen(t, w.order(), 1)
		await(t, "the attempt", func() bool { return len(w.attempts(t, id)) == 1 })
		if a := w.attempts(t, id)[0]; a.State != webhooks.Delivered {
			t.Errorf("got %+v", a)
		}
	})
}

func TestService_time_out(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		w := newWorld(t, db, func(o *webhooks.Options) { o.Timeout = 50 * time.Millisecond })
		r := newReceiver(t, nil)
		r.hang()
		id := w.create(t, r.URL).ID
		run(t, w.Service)
		w.happen(t, w.order(), 1)
		await(t, "the attempt", func() bool { return len(w.attempts(t, id)) == 1 })
		if a := w.attempts(t, id)[0]; a.Error != "timeout" || a.Status != 0 {
			t.Errorf("got %+v", a)
		}
	})
}
