package payments_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tracker/notify/eventwire"
	"tracker/payments"
)

func captured(sum int64) payments.Report {
	return payments.Report{State: payments.ReportCaptured, Currency: "EUR", Amount: sum, Captured: sum}
}

func TestRow01_fifty_copies_of_one_callback(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		report := r.bank.approve(p.Reference)
		failed := make(chan error, 50)
		var copies sync.WaitGroup
		for range 50 {
			copies.Go(func() { failed <- r.trySay(p, "evt_same", report) })
		}
		copies.Wait()
		close(failed)
		for err := range failed {
			if err != nil {
				r.Fatal(err)
			}
		}
		r.want(p.ID, payments.StatusCaptured)
		if got := r.types(p.ID); len(got) != 3 {
			r.Fatalf("events: %v", got)
		}
	})
}

func TestRow02_same_meaning_under_another_id(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		report := r.bank.approve(p.Reference)
		for _, id := range []string{"evt_1", "evt_2", "evt_3"} {
			r.say(p, id, report)
		}
		if got := r.types(p.ID); len(got) != 3 {
			r.Fatalf("events: %v", got)
		}
	})
}

func TestRow03_every_order_of_events_ends_alike(t *testing.T) {
	each(t, func(r *rig) {
		states := []payments.ReportState{payments.ReportProcessing, payments.ReportAuthorized, payments.ReportCaptured, payments.ReportReversed}
		for _, order := range permutations(len(states)) {
			p := r.start(r.order(1999))
			for _, i := range order {
				report := payments.Report{
					State: states[i], Currency: "EUR", Amount: 1999, OccurredAt: r.clock.now().Add(time.Duration(i) * time.Second),
				}
				if states[i] == payments.ReportCaptured || states[i] == payments.ReportReversed {
					report.Captured = 1999
				}
				r.say(p, fmt.Sprint(p.ID, i), report)
			}
			if got := r.get(p.ID); got.Status != payments.StatusReversed || got.Captured != 1999 {
				r.Fatalf("order %v ends in %s\n%s", order, got.Status, story(got))
			}
		}
		if c := r.counts(); c.Parked != 0 || c.Open != 0 {
			r.Fatalf("left over: %+v", c)
		}
	})
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, rest := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(rest), at, n-1))
		}
	}
	return all
}

func TestRow04_callback_before_our_own_row(t *testing.T) {
	id := eventwire.NewID(eventwire.PrefixPayment, newClock().now())
	opt := payments.Options{NewID: func(prefix string, now time.Time) string {
		if prefix == eventwire.PrefixPayment {
			return id
		}
		return eventwire.NewID(prefix, now)
	}}
	eachWith(t, opt, func(r *rig) {
		r.say(payments.Payment{ID: id, Reference: "ses_1"}, "evt_1", captured(1999))
		if c := r.counts(); c.Parked != 1 {
			r.Fatalf("parked: %d", c.Parked)
		}
		p := r.start(r.order(1999))
		if p.Status != payments.StatusCaptured || r.counts().Parked != 0 {
			r.Fatalf("after the start: %s, parked %d\n%s", p.Status, r.counts().Parked, story(p))
		}
	})
}

func TestRow04_parked_by_reference_is_applied_once_the_reference_is_known(t *testing.T) {
	each(t, func(r *rig) {
		r.say(payments.Payment{Reference: "ses_1"}, "evt_1", captured(1999))
		p := r.start(r.order(1999))
		r.want(p.ID, payments.StatusCaptured)
		if c := r.counts(); c.Parked != 0 {
			r.Fatalf("parked: %d", c.Parked)
		}
	})
}

func TestRow05_success_after_the_end(t *testing.T) {
	ends := map[string]func(r *rig, p payments.Payment){
		"expired":   func(r *rig, _ payments.Payment) { r.clock.add(31 * time.Minute); r.reconcile() },
		"cancelled": func(r *rig, p payments.Payment) { mustCancel(r, p) },
		"failed": func(r *rig, p payments.Payment) {
			r.say(p, "evt_no"+p.ID, r.bank.decide(p.Reference, payments.ReportFailed))
		},
	}
	policies := map[payments.LatePolicy]payments.Status{
		payments.LateRefund: payments.StatusRefunded,
		payments.LateHold:   payments.StatusLateSuccess,
		payments.LateAccept: payments.StatusCaptured,
	}
	each(t, func(r *rig) {
		for policy, want := range policies {
			r.opt.Policy.Late = policy
			r.restart()
			for name, end := range ends {
				p := r.start(r.order(1999))
				end(r, p)
				r.want(p.ID, payments.Status(name))
				late := r.bank.decide(p.Reference, payments.ReportCaptured)
				r.say(p, "evt_late"+p.ID, late)
				r.say(p, "evt_again"+p.ID, late)
				r.reconcile()
				got := r.want(p.ID, want)
				refunds := 0
				if policy == payments.LateRefund {
					refunds = 1
				}
				if len(got.Refunds) != refunds || r.bank.sentBack(p.Reference) != int64(refunds)*1999 {
					r.Fatalf("%s under %s: refunds %+v", name, policy, got.Refunds)
				}
			}
		}
	})
}

func mustCancel(r *rig, p payments.Payment) {
	r.Helper()
	if _, err := r.svc.Cancel(r.Context(), payments.Command{Merchant: merchant, ID: p.ID}); err != nil {
		r.Fatalf("cancel: %v", err)
	}
}

func TestRow05_money_for_a_cancelled_order_goes_back_under_every_policy(t *testing.T) {
	each(t, func(r *rig) {
		for _, policy := range []payments.LatePolicy{payments.LateRefund, payments.LateHold, payments.LateAccept} {
			r.opt.Policy.Late = policy
			r.restart()
			order := r.order(1999)
			p := r.start(order)
			r.say(p, "evt_p"+p.ID, r.bank.decide(p.Reference, payments.ReportProcessing))
			r.closeOrder(order, "order.cancelled")
			r.say(p, "evt_s"+p.ID, r.bank.decide(p.Reference, payments.ReportCaptured))
			r.reconcile()
			r.want(p.ID, payments.StatusRefunded)
			if got := r.bank.sentBack(p.Reference); got != 1999 {
				r.Fatalf("%s: sent back %d", policy, got)
			}
			r.closeOrder(order, "order.cancelled")
			r.reconcile()
			if got := r.bank.sentBack(p.Reference); got != 1999 {
				r.Fatalf("the same event again: sent back %d", got)
			}
		}
	})
}

func TestRow06_two_tabs_succeed_at_once(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		first, second := r.start(order), r.start(order)
		var both sync.WaitGroup
		for _, p := range []payments.Payment{first, second} {
			report := r.bank.approve(p.Reference)
			both.Go(func() { _ = r.trySay(p, "evt_"+p.ID, report) })
		}
		both.Wait()
		r.reconcile()
		a, b := r.get(first.ID), r.get(second.ID)
		if a.Status != payments.StatusCaptured {
			a, b = b, a
		}
		if a.Status != payments.StatusCaptured || b.Status != payments.StatusRefunded {
			r.Fatalf("%s and %s", a.Status, b.Status)
		}
		if _, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order}); !isConflict(err, payments.CodeOrderPaid) {
			r.Fatalf("a third start although the order book lags: %v", err)
		}
	})
}

func isConflict(err error, code string) bool {
	var c *payments.ConflictError
	return errors.As(err, &c) && c.Code == code
}

func TestRow06_second_authorization_is_released(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		first := r.startAs(payments.Start{OrderID: order, Capture: payments.CaptureManual})
		second := r.startAs(payments.Start{OrderID: order, Capture: payments.CaptureManual})
		r.say(first, "evt_1", r.bank.approve(first.Reference))
		r.say(second, "evt_2", r.bank.approve(second.Reference))
		r.reconcile()
		r.want(first.ID, payments.StatusAuthorized)
		r.want(second.ID, payments.StatusVoided)
	})
}

func TestRow07_the_callback_never_comes(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.bank.approve(p.Reference)
		r.clock.add(89 * time.Second)
		r.reconcile()
		r.want(p.ID, payments.StatusRequiresAction)
		r.clock.add(25 * time.Second)
		r.reconcile()
		if got := r.want(p.ID, payments.StatusCaptured); got.Checks != 1 {
			r.Fatalf("checks: %d", got.Checks)
		}
	})
}

func TestRow07_a_waiting_shopper_brings_one_check_forward(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		for range 20 {
			r.clock.add(time.Second)
			if err := r.svc.Nudge(r.Context(), merchant, p.ID); err != nil {
				r.Fatal(err)
			}
			r.reconcile()
		}
		if got := r.get(p.ID); got.Checks != 1 {
			r.Fatalf("twenty nudges, %d checks", got.Checks)
		}
	})
}

func TestRow08_silence_is_not_failure(t *testing.T) {
	each(t, func(r *rig) {
		order := r.order(1999)
		p := r.start(order)
		r.say(p, "evt_1", r.bank.decide(p.Reference, payments.ReportProcessing))
		r.bank.StatusFunc = func(string) (payments.Report, error) { return payments.Report{}, payments.ErrTimeout }
		r.clock.add(2 * time.Minute)
		r.reconcile()
		r.want(p.ID, payments.StatusUnknown)
		for _, by := range []payments.Cause{payments.CauseShopper, payments.CauseMerchant} {
			_, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order, By: by})
			if !isConflict(err, payments.CodePaymentOpen) {
				r.Fatalf("second attempt of %s: %v", by, err)
			}
		}
		if _, err := r.svc.Start(r.Context(), payments.Start{Merchant: merchant, OrderID: order, By: payments.CauseShopper, Force: true}); !isConflict(err, payments.CodePaymentOpen) {
			r.Fatalf("a shopper cannot insist: %v", err)
		}
		r.startAs(payments.Start{OrderID: order, Force: true})
		r.bank.StatusFunc = nil
		r.bank.decide(p.Reference, payments.ReportCaptured)
		r.settleAll(2 * time.Hour)
		r.want(p.ID, payments.StatusCaptured)
	})
}

func TestRow08_not_now_is_an_answer_until_patience_ends(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.say(p, "evt_1", r.bank.decide(p.Reference, payments.ReportProcessing))
		r.bank.StatusFunc = func(string) (payments.Report, error) {
			return payments.Report{}, &payments.UnavailableError{RetryAfter: 10 * time.Minute}
		}
		r.clock.add(2 * time.Minute)
		r.reconcile()
		got := r.want(p.ID, payments.StatusProcessing)
		if wait := got.NextCheckAt.Sub(r.clock.now()); wait < 10*time.Minute {
			r.Fatalf("Retry-After not honoured: next check in %s", wait)
		}
		r.settleAll(3 * time.Hour)
		r.want(p.ID, payments.StatusUnknown)
	})
}

func TestRow18_reading_never_pays(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		if err := r.svc.Nudge(r.Context(), merchant, p.ID); err != nil {
			r.Fatal(err)
		}
		if _, err := r.svc.Get(r.Context(), "mer_11111111111111111111111111", p.ID); !errors.Is(err, payments.ErrNotFound) {
			r.Fatalf("a foreign merchant: %v", err)
		}
		r.settleAll(5 * time.Minute)
		r.want(p.ID, payments.StatusRequiresAction)
	})
}

func TestRow19_a_late_poll_answer_does_not_undo_the_callback(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1999))
		r.bank.StatusFunc = func(string) (payments.Report, error) {
			r.say(p, "evt_1", r.bank.approve(p.Reference)) // while the answer is under way
			return payments.Report{State: payments.ReportProcessing}, nil
		}
		r.clock.add(2 * time.Minute)
		r.reconcile()
		r.want(p.ID, payments.StatusCaptured)
	})
}

func TestRow20_the_call_rate_stays_under_the_limit(t *testing.T) {
	const open = 120
	eachWith(t, payments.Options{Rate: 20}, func(r *rig) {
		var all sync.WaitGroup
		for range open {
			all.Go(func() {
				_, err := r.svc.Start(context.Background(), payments.Start{Merchant: merchant, OrderID: r.order(1999)})
				if err != nil {
					r.Error(err)
				}
			})
		}
		all.Wait()
		r.clock.add(5 * time.Minute) // all due at once
		seconds := 0
		for ; r.bank.called("status") < open && seconds < 100; seconds++ {
			before := r.bank.called("status")
			r.reconcile()
			if got := r.bank.called("status") - before; got > 20 {
				r.Fatalf("%d calls in second %d", got, seconds)
			}
			r.clock.add(time.Second)
		}
		if seconds != open/20 {
			r.Fatalf("took %d seconds", seconds)
		}
	})
}
