package payments_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tracker/payments"
)

// toldOf is a callback that speaks of nothing but one refund.
func toldOf(t payments.Transfer) payments.Report {
	return payments.Report{Transfers: []payments.Transfer{t}}
}

func TestBankRefund_is_taken_into_the_books_once(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_paid", r.bank.approve(p.Reference))
		whole, made, _ := r.bank.refundItself(p.Reference, 300)
		r.say(p, "evt_refund", toldOf(made))
		r.say(p, "evt_refund", toldOf(made))
		r.say(p, "evt_refund_again", toldOf(made))
		r.say(p, "evt_refund_whole", whole)
		p = r.want(p.ID, payments.StatusPartiallyRefunded)
		if p.Refunded != 300 || p.RefundPending != 0 || len(p.Refunds) != 1 {
			r.Fatalf("refunded %d, pending %d, %d refunds", p.Refunded, p.RefundPending, len(p.Refunds))
		}
		if one := p.Refunds[0]; one.Cause != payments.CauseProvider || one.Reference != made.Reference || one.Status != payments.RefundSucceeded {
			r.Errorf("%+v", one)
		}
		last := r.types(p.ID)[3:]
		if len(last) != 3 || last[0] != payments.EventRefundRequested || last[1] != payments.EventRefundSucceeded || last[2] != "payment.partially_refunded" {
			r.Errorf("announced %v", last)
		}
		if step := p.Timeline[4]; step.Cause != string(payments.CauseCallback) || step.Evidence != "evt_refund" || step.TheirTime == nil {
			r.Errorf("%+v", step)
		}
		_, second, _ := r.bank.refundItself(p.Reference, 700)
		r.say(p, "evt_rest", toldOf(second))
		if p = r.want(p.ID, payments.StatusRefunded); p.Refunded != 1000 || !p.NextCheckAt.IsZero() || r.bank.called("refund") != 0 {
			r.Errorf("refunded %d, next check %s, %d refunds asked for", p.Refunded, p.NextCheckAt, r.bank.called("refund"))
		}
	})
}

func TestBankRefund_that_is_under_way_is_followed_and_never_repeated(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_paid", r.bank.approve(p.Reference))
		r.bank.slow = true
		_, made, _ := r.bank.refundItself(p.Reference, 300)
		r.say(p, "evt_refund", toldOf(made))
		if p = r.get(p.ID); p.RefundPending != 300 || p.NextCheckAt.IsZero() {
			r.Fatalf("pending %d, next check %s", p.RefundPending, p.NextCheckAt)
		}
		r.bank.StatusFunc = func(string) (payments.Report, error) { // it does not list its own
			return payments.Report{Reference: p.Reference, State: payments.ReportCaptured, Captured: 1000}, nil
		}
		r.clock.add(1000 * time.Second)
		r.reconcile()
		r.bank.StatusFunc = nil
		r.bank.settleTransfers(true)
		r.settleAll(7 * 24 * time.Hour)
		if p = r.want(p.ID, payments.StatusPartiallyRefunded); p.Refunded != 300 || r.bank.called("refund") != 0 {
			r.Errorf("refunded %d, %d refunds asked for", p.Refunded, r.bank.called("refund"))
		}
	})
}

func TestBankRefund_before_its_payment_is_known_to_be_paid_waits(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		report := r.bank.approve(p.Reference)
		_, made, _ := r.bank.refundItself(p.Reference, 1000)
		r.say(p, "evt_refund", toldOf(made))
		if got := r.want(p.ID, payments.StatusRequiresAction); len(got.Refunds) != 0 || r.counts().Parked != 1 {
			r.Fatalf("%d refunds, %d parked", len(got.Refunds), r.counts().Parked)
		}
		r.say(p, "evt_paid", report)
		if got := r.want(p.ID, payments.StatusRefunded); got.Refunded != 1000 || r.counts().Parked != 0 {
			r.Errorf("refunded %d, %d parked", got.Refunded, r.counts().Parked)
		}
	})
}

// The money is promised to a refund of ours when the bank's own is heard of. The
// bank refuses ours; then the books are right.
func TestBankRefund_against_ours(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_paid", r.bank.approve(p.Reference))
		r.bank.RefundFunc = func(payments.NewTransfer) (payments.Transfer, error) { return payments.Transfer{}, payments.ErrTimeout }
		if _, _, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Key: "k"}); err != nil {
			r.Fatal(err)
		}
		_, made, _ := r.bank.refundItself(p.Reference, 400)
		r.say(p, "evt_refund", toldOf(made))
		if got := r.get(p.ID); got.RefundPending != 1000 || got.Refunded != 0 || r.counts().Parked != 1 {
			r.Fatalf("pending %d, refunded %d, %d parked", got.RefundPending, got.Refunded, r.counts().Parked)
		}
		r.bank.RefundFunc = nil
		r.settleAll(7 * 24 * time.Hour)
		if got := r.want(p.ID, payments.StatusPartiallyRefunded); got.RefundPending != 0 || got.Refunded != 400 || r.bank.sentBack(p.Reference) != 400 {
			r.Errorf("pending %d, refunded %d, the bank sent %d", got.RefundPending, got.Refunded, r.bank.sentBack(p.Reference))
		}
	})
}

// One message tells that ours failed and that theirs was made, in whichever order.
func TestBankRefund_takes_the_place_of_ours_that_failed(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_paid", r.bank.approve(p.Reference))
		r.bank.slow = true
		if _, _, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Key: "k"}); err != nil {
			r.Fatal(err)
		}
		r.bank.settleTransfers(false)
		r.bank.slow = false
		whole, made, _ := r.bank.refundItself(p.Reference, 700)
		if whole.Transfers[0] != made {
			r.Fatalf("theirs is not the first: %+v", whole.Transfers)
		}
		r.say(p, "evt_both", whole)
		if got := r.want(p.ID, payments.StatusPartiallyRefunded); got.Refunded != 700 || got.RefundPending != 0 || r.counts().Parked != 0 {
			r.Errorf("refunded %d, pending %d, %d parked", got.Refunded, got.RefundPending, r.counts().Parked)
		}
	})
}

// A person may settle at the bank what waits for a person here.
func TestBankRefund_ends_a_review(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		report := r.bank.with(p.Reference, func(s *session) {
			s.State, s.Captured, s.Amount = payments.ReportCaptured, 999, 999
		})
		r.say(p, "evt_paid", report)
		r.want(p.ID, payments.StatusReview)
		_, part, _ := r.bank.refundItself(p.Reference, 99)
		r.say(p, "evt_part", toldOf(part))
		if got := r.want(p.ID, payments.StatusReview); got.Refunded != 99 {
			r.Fatalf("refunded %d", got.Refunded)
		}
		_, rest, _ := r.bank.refundItself(p.Reference, 900)
		r.say(p, "evt_rest", toldOf(rest))
		if got := r.want(p.ID, payments.StatusRefunded); got.Refunded != 999 {
			r.Errorf("refunded %d", got.Refunded)
		}
	})
}

func TestBankRefund_that_cannot_be_is_kept_and_changes_nothing(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_paid", r.bank.approve(p.Reference))
		before := r.get(p.ID)
		for event, report := range map[string]payments.Report{
			"evt_more":     toldOf(payments.Transfer{Reference: "re_1", Amount: 1001, Status: payments.RefundSucceeded}),
			"evt_currency": {Currency: "JPY", Transfers: []payments.Transfer{{Reference: "re_2", Amount: 1, Status: payments.RefundSucceeded}}},
			"evt_unnamed":  toldOf(payments.Transfer{Amount: 1, Status: payments.RefundSucceeded}),
			"evt_nothing":  toldOf(payments.Transfer{Reference: "re_3", Status: payments.RefundSucceeded}),
			"evt_less":     toldOf(payments.Transfer{Reference: "re_4", Amount: -1, Status: payments.RefundSucceeded}),
			"evt_failed":   toldOf(payments.Transfer{Reference: "re_5", Amount: 1, Status: payments.RefundFailed}),
			"evt_word":     toldOf(payments.Transfer{Reference: "re_6", Amount: 1, Status: "splendid"}),
		} {
			r.say(p, event, report)
		}
		if after := r.get(p.ID); after.Sequence != before.Sequence || len(after.Refunds) != 0 || r.counts().Parked != 2 {
			r.Errorf("sequence %d, then %d; %d refunds, %d parked", before.Sequence, after.Sequence, len(after.Refunds), r.counts().Parked)
		}
	})
}

// completing is a bank whose messages name only something of its own.
type completing struct {
	*fakeBank
	complete func(payments.Callback) (payments.Callback, error)
}

func (b completing) ParseCallback(header map[string][]string, body []byte, _ time.Time) (payments.Callback, error) {
	return payments.Callback{EventID: string(body), Type: "charge.refunded", About: "ch_1"}, nil
}

func (b completing) Complete(_ context.Context, cb payments.Callback) (payments.Callback, error) {
	return b.complete(cb)
}

func TestCallback_that_says_too_little_is_completed(t *testing.T) {
	each(t, func(r *rig) {
		p := r.start(r.order(1000))
		r.say(p, "evt_paid", r.bank.approve(p.Reference))
		_, made, _ := r.bank.refundItself(p.Reference, 300)
		away := true
		bank := completing{r.bank, func(cb payments.Callback) (payments.Callback, error) {
			if away {
				return cb, payments.ErrTimeout
			}
			report := toldOf(made)
			cb.Payment, cb.Report = p.ID, &report
			return cb, nil
		}}
		svc := payments.NewService(r.store, map[string]payments.Provider{"fake": bank}, r, r.opt)
		if err := svc.Callback(r.Context(), "fake", nil, []byte("evt_1")); !errors.Is(err, payments.ErrTimeout) {
			r.Fatalf("taken without knowing what it says: %v", err)
		}
		away = false
		for range 2 {
			if err := svc.Callback(r.Context(), "fake", nil, []byte("evt_1")); err != nil {
				r.Fatal(err)
			}
		}
		if got := r.want(p.ID, payments.StatusPartiallyRefunded); got.Refunded != 300 {
			r.Errorf("refunded %d", got.Refunded)
		}
	})
}
