package webhooksdb_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tracker/notify/webhooks"
)

func TestStore_endpoints_come_back_as_they_were(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		at := k.now.Add(time.Hour)
		want := webhooks.Record{
			Endpoint: webhooks.Endpoint{ID: "whe_full", Merchant: merchant, URL: "https://example.com/?q='", Events: []string{"order.*", "payment.captured"},
				Status: webhooks.Disabled, DisabledAt: &at, DisabledReason: "gone", FailingSince: &at, Failures: 7, PausedUntil: &at, LastSuccess: &at,
				PreviousUntil: &at, CreatedAt: k.now, UpdatedAt: at, Version: 4},
			Keys: webhooks.Keys{Current: "whsec_new", Previous: "whsec_old", PreviousUntil: at},
		}
		if err := k.Add(t.Context(), want, 100); err != nil {
			t.Fatal(err)
		}
		got, err := k.Get(t.Context(), merchant, "whe_full")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if _, err := k.Get(t.Context(), "mer_2", "whe_full"); !errors.Is(err, webhooks.ErrNotFound) {
			t.Errorf("another merchant: %v", err)
		}
		if _, err := k.Change(t.Context(), "mer_2", "whe_full", func(*webhooks.Record) error { return nil }); !errors.Is(err, webhooks.ErrNotFound) {
			t.Errorf("another merchant's change: %v", err)
		}
		if err := k.Remove(t.Context(), "mer_2", "whe_full", k.now, always); !errors.Is(err, webhooks.ErrNotFound) {
			t.Errorf("another merchant's removal: %v", err)
		}
	})
}

func TestStore_Add_has_a_limit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		first := k.endpoint(merchant)
		k.endpoint("mer_2") // counts for itself
		r, err := k.Get(t.Context(), merchant, first)
		if err != nil {
			t.Fatal(err)
		}
		r.ID = "whe_more"
		var conflict *webhooks.ConflictError
		if err := k.Add(t.Context(), r, 1); !errors.As(err, &conflict) || conflict.Code != "endpoint_limit" {
			t.Errorf("got %v", err)
		}
		if err := k.Remove(t.Context(), merchant, first, k.now, always); err != nil {
			t.Fatal(err)
		}
		if err := k.Add(t.Context(), r, 1); err != nil {
			t.Errorf("after a removal: %v", err)
		}
	})
}

func TestStore_Change_undoes_nobody_elses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		id := k.endpoint(merchant)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := k.Change(t.Context(), merchant, id, func(r *webhooks.Record) error { r.Failures++; return nil })
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		boom := errors.New("boom")
		_, err := k.Change(t.Context(), merchant, id, func(r *webhooks.Record) error { r.Failures = 0; return boom })
		if !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
		if r, err := k.Get(t.Context(), merchant, id); r.Failures != 20 || err != nil {
			t.Errorf("%d of 20 changes, %v", r.Failures, err)
		}
	})
}

func TestStore_Subscribers_are_those_who_may_want_events(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		kept, off, gone, other := k.endpoint(merchant), k.endpoint(merchant), k.endpoint(merchant), k.endpoint("mer_2")
		if _, err := k.Change(t.Context(), merchant, off, func(r *webhooks.Record) error { r.Status = webhooks.Disabled; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := k.Remove(t.Context(), merchant, gone, k.now, always); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Get(t.Context(), merchant, gone); !errors.Is(err, webhooks.ErrNotFound) {
			t.Errorf("a removed endpoint: %v", err)
		}
		found, err := k.Subscribers(t.Context(), []string{merchant, "mer_2", "mer_nobody"})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for of, list := range found {
			for _, e := range list {
				if e.Merchant != of || !e.Wants("order.created") || !e.CreatedAt.Equal(k.now) {
					t.Errorf("%s: %+v", of, e)
				}
				got[of] = append(got[of], e.ID)
			}
		}
		if diff := cmp.Diff(map[string][]string{merchant: {kept, off}, "mer_2": {other}}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		list, err := k.List(t.Context(), merchant)
		if err != nil || len(list) != 2 || list[0].ID != kept {
			t.Errorf("listed %v, %v", list, err)
		}
	})
}

func TestStore_Attempts_pages_and_filters(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, k *kit) {
		id := k.endpoint(merchant)
		for i := range 5 {
			k.queue(fmt.Sprintf("ord_%d", i), 1, id)
			k.now = k.now.Add(time.Second)
			for _, d := range k.claim(id, "me", 1) {
				k.finish(d, "me", webhooks.Delivered, k.now, nil)
			}
		}
		var seen []string
		f := webhooks.AttemptFilter{Endpoint: id, Limit: 2}
		for more := true; more; {
			page, err := k.Attempts(t.Context(), merchant, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Data {
				seen, f.StartingAfter = append(seen, a.Subject), a.ID
			}
			more = page.HasMore
		}
		if diff := cmp.Diff([]string{"ord_4", "ord_3", "ord_2", "ord_1", "ord_0"}, seen); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		for _, f := range []webhooks.AttemptFilter{{Subject: "ord_2"}, {EventID: "evt_ord_2_1"}} {
			f.Limit = 10
			if page, err := k.Attempts(t.Context(), merchant, f); err != nil || len(page.Data) != 1 || page.Data[0].Subject != "ord_2" {
				t.Errorf("%+v: %+v, %v", f, page, err)
			}
		}
		if page, err := k.Attempts(t.Context(), "mer_2", webhooks.AttemptFilter{Limit: 10}); err != nil || len(page.Data) != 0 {
			t.Errorf("another merchant: %+v, %v", page, err)
		}
	})
}
