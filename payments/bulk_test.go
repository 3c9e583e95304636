package payments_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tracker/payments"
)

// A thousand payments of which the bank never says a word by itself: each ends
// within its bound, inside its budget, and none is ever overdue.
func TestRow07_a_thousand_payments_without_a_callback(t *testing.T) {
	t.Parallel()
	const open = 1000
	r := newRig(t, newMemStore(), payments.Options{Rate: -1})
	var all sync.WaitGroup
	refs := make([]string, open)
	for i := range open {
		all.Go(func() {
			p, err := r.svc.Start(context.Background(), payments.Start{Merchant: merchant, OrderID: r.order(1999)})
			if err != nil {
				t.Error(err)
			}
			refs[i] = p.Reference
		})
	}
	all.Wait()
	end := r.clock.now().Add(35 * time.Minute) // the shopper's half hour and one gap
	for i := 0; r.counts().Open > 0; {
		if r.clock.now().After(end) {
			t.Fatalf("%d payments are not final", r.counts().Open)
		}
		for ; i%12 != 11 && i < len(refs); i++ { // eleven shoppers decide between two steps, the twelfth walks away
			r.bank.decide(refs[i], []payments.ReportState{payments.ReportCaptured, payments.ReportFailed}[i%2])
		}
		i++
		r.reconcile()
		if c := r.counts(); c.Overdue != 0 {
			t.Fatalf("%d overdue", c.Overdue)
		}
		at, _, _ := r.store.NextDue(t.Context(), "fake")
		r.clock.add(max(at.Sub(r.clock.now()), 5*time.Second))
	}
	list, _ := r.store.After(t.Context(), "", open)
	tally := map[payments.Status]int{}
	for _, p := range list {
		tally[p.Status]++
		if p.Checks > 12 {
			t.Fatalf("%s cost %d checks", p.ID, p.Checks)
		}
	}
	t.Logf("%v, %d status questions", tally, r.bank.called("status"))
	if tally[payments.StatusCaptured] == 0 || tally[payments.StatusExpired] == 0 || len(list) != open {
		t.Fatalf("%v", tally)
	}
}

// Ten thousand payments that are due in the same moment are asked about no faster
// than the provider's rate allows, and each of them is.
func TestRow20_ten_thousand_due_at_once_stay_under_the_rate(t *testing.T) {
	t.Parallel()
	const open, rate = 10_000, 500
	r := newRig(t, newMemStore(), payments.Options{Rate: rate, Workers: rate})
	for range open {
		r.start(r.order(1999))
	}
	r.clock.add(2 * time.Minute)
	for second := range open / rate {
		before := r.bank.called("status")
		r.reconcile()
		if got := r.bank.called("status") - before; got != rate {
			t.Fatalf("%d questions in second %d", got, second)
		}
		r.clock.add(time.Second)
	}
	if r.reconcile(); r.bank.called("status") != open {
		t.Fatalf("%d payments, %d questions", open, r.bank.called("status"))
	}
}

// Questions grow apart, end inside the budget, and then go on slowly for ever.
func TestBudget_is_kept_and_nothing_is_stuck_after_it(t *testing.T) {
	t.Parallel()
	r := newRig(t, newMemStore(), payments.Options{})
	p := r.start(r.order(1999))
	r.say(p, "evt_1", r.bank.decide(p.Reference, payments.ReportProcessing))
	var gaps []time.Duration
	for range 20 {
		before := r.get(p.ID)
		gaps = append(gaps, before.NextCheckAt.Sub(r.clock.now()))
		r.clock.add(before.NextCheckAt.Sub(r.clock.now()))
		r.reconcile()
	}
	for i, gap := range gaps {
		low, high := min(90*time.Second<<min(i, 12), time.Hour), min(90*time.Second<<min(i, 12), time.Hour)*6/5
		if i >= 12 {
			low, high = 6*time.Hour, 6*time.Hour*6/5
		}
		if gap < low || gap > high {
			t.Errorf("gap %d is %s, want %s to %s", i, gap, low, high)
		}
	}
	if c := r.counts(); c.BudgetUsed != 1 || c.Open != 1 {
		t.Fatalf("%+v", c)
	}
	if err := r.svc.Nudge(t.Context(), merchant, p.ID); err != nil || r.get(p.ID).Nudged {
		t.Fatalf("a nudge beyond the budget: %v", err)
	}
	r.bank.decide(p.Reference, payments.ReportCaptured)
	r.clock.add(8 * time.Hour)
	r.reconcile()
	r.want(p.ID, payments.StatusCaptured)
}

// Two processes over one database share the work and never double it.
func TestReconcile_by_two_processes_asks_once(t *testing.T) {
	each(t, func(r *rig) {
		for range 20 {
			r.start(r.order(1999))
		}
		r.clock.add(2 * time.Minute)
		other := payments.NewService(r.store, map[string]payments.Provider{"fake": r.bank}, r, r.opt)
		var both sync.WaitGroup
		for _, svc := range []*payments.Service{r.svc, other} {
			both.Go(func() {
				if _, err := svc.Reconcile(context.Background()); err != nil {
					r.Error(err)
				}
			})
		}
		both.Wait()
		if got := r.bank.called("status"); got != 20 {
			r.Fatalf("20 payments, %d questions", got)
		}
	})
}

func TestReconcile_takes_over_from_a_process_that_died(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.bank.approve(p.Reference)
		r.clock.add(2 * time.Minute)
		now := r.clock.now()
		claimed, _, err := r.store.Claim(r.Context(), payments.Claim{Provider: "fake", Now: now, Until: now.Add(time.Minute), Limit: 10})
		if err != nil || len(claimed) != 1 {
			r.Fatalf("claim: %v %v", err, claimed)
		}
		r.reconcile() // the lease holds
		r.want(p.ID, payments.StatusRequiresAction)
		r.clock.add(61 * time.Second)
		r.reconcile()
		r.want(p.ID, payments.StatusCaptured)
	})
}

func TestList_pages_and_filters(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		var ids []string
		for range 5 {
			r.clock.add(time.Millisecond)
			ids = append(ids, r.start(order).ID)
		}
		mustCancel(r, r.get(ids[1]))
		var got []string
		for after := ""; ; {
			page, err := r.svc.List(r.Context(), merchant, payments.Filter{Limit: 2, StartingAfter: after, OrderID: order})
			if err != nil {
				r.Fatal(err)
			}
			for _, p := range page.Payments {
				got = append(got, p.ID)
				after = p.ID
			}
			if !page.HasMore {
				break
			}
		}
		if want := []string{ids[4], ids[3], ids[2], ids[1], ids[0]}; fmt.Sprint(got) != fmt.Sprint(want) {
			r.Fatalf("got %v, want %v", got, want)
		}
		page, err := r.svc.List(r.Context(), merchant, payments.Filter{Status: payments.StatusCancelled})
		if err != nil || len(page.Payments) != 1 || page.Payments[0].ID != ids[1] {
			r.Fatalf("by status: %v %v", err, page)
		}
		named := r.get(ids[2]).Reference
		page, err = r.svc.List(r.Context(), merchant, payments.Filter{Reference: named})
		if err != nil || named == "" || len(page.Payments) != 1 || page.Payments[0].ID != ids[2] {
			r.Fatalf("by the provider's reference %q: %v %v", named, err, page)
		}
		var bad *payments.InvalidError
		for _, f := range []payments.Filter{
			{Reference: "a\x00"}, {OrderID: "\xff"}, {Limit: 101}, {Status: "paid"}, {OrderID: order[:9]}, {StartingAfter: order}, {StartingAfter: "7"},
		} {
			if _, err := r.svc.List(r.Context(), merchant, f); !errors.As(err, &bad) {
				r.Fatalf("%+v: %v", f, err)
			}
		}
		if page, _ := r.svc.List(r.Context(), "mer_11111111111111111111111111", payments.Filter{}); len(page.Payments) != 0 {
			r.Fatal("a foreign merchant sees payments")
		}
	})
}
