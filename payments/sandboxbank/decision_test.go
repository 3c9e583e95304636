package sandboxbank_test

import (
	"errors"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/sandboxbank"
)

// verified reads a callback the way the shop does.
func (h *house) verified(one received) payments.Callback {
	h.t.Helper()
	c, err := h.provider.ParseCallback(one.header, one.body, h.clock.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	if c.EventID != one.id() || c.Report == nil {
		h.t.Fatalf("callback %+v", c)
	}
	return c
}

func (h *house) want(one received, id, kind string, state payments.ReportState, amount int64) {
	h.t.Helper()
	c := h.verified(one)
	if c.Type != kind || c.Reference != id || c.Report.State != state || c.Report.Amount != amount || c.Report.Currency != "EUR" {
		h.t.Errorf("got %s %s %+v, want %s %s of %d", c.Reference, c.Type, *c.Report, kind, state, amount)
	}
}

func TestDecision_approve(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	if r := h.status(id); r.State != payments.ReportOpen || r.Amount != 4198 || r.Currency != "EUR" || r.Captured != 0 {
		t.Errorf("before: %+v", r)
	}
	h.decide(id, sandboxbank.Approve)
	got := h.shop.next(t)
	h.want(got, id, "payment.succeeded", payments.ReportCaptured, 4198)
	if c := h.verified(got); c.Payment != "pay_1" || c.Report.Captured != 4198 || !c.Report.OccurredAt.Equal(h.clock.Now()) {
		t.Errorf("callback %+v %+v", c, *c.Report)
	}
	if r := h.status(id); r.State != payments.ReportCaptured || r.Captured != 4198 {
		t.Errorf("after: %+v", r)
	}
	h.quiet()
}

func TestDecision_approve_manual_is_authorized(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureManual)
	h.decide(id, sandboxbank.Approve)
	h.want(h.shop.next(t), id, "payment.authorized", payments.ReportAuthorized, 4198)
	if r := h.status(id); r.State != payments.ReportAuthorized || r.Captured != 0 {
		t.Errorf("after: %+v", r)
	}
	h.quiet()
}

func TestDecision_decline(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Decline)
	h.want(h.shop.next(t), id, "payment.failed", payments.ReportFailed, 4198)
	if r := h.status(id); r.State != payments.ReportFailed || r.DeclineCode == "" {
		t.Errorf("after: %+v", r)
	}
	h.quiet()
}

func TestDecision_pend_then_approve(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Pend)
	h.decide(id, sandboxbank.Pend)
	h.advance(2 * time.Hour) // a pending session does not run out
	if r := h.status(id); r.State != payments.ReportProcessing {
		t.Errorf("pending: %+v", r)
	}
	h.quiet()
	h.decide(id, sandboxbank.Approve)
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
}

func TestDecision_approve_silent(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.ApproveSilent)
	h.advance(time.Hour)
	h.quiet()
	if r := h.status(id); r.State != payments.ReportCaptured || r.Captured != 4198 {
		t.Errorf("after: %+v", r)
	}
}

func TestDecision_approve_late(t *testing.T) {
	t.Parallel()
	for _, cancelled := range []bool{false, true} {
		h := setup(t)
		id := h.open("pay_1", payments.CaptureAutomatic)
		h.decide(id, sandboxbank.ApproveLate)
		h.advance(29 * time.Minute)
		if r := h.status(id); r.State != payments.ReportOpen {
			t.Errorf("before its end: %+v", r)
		}
		want := payments.ReportExpired
		if cancelled {
			want = payments.ReportCancelled
			if _, err := h.provider.Cancel(t.Context(), payments.Operation{Reference: id}); err != nil {
				t.Fatal(err)
			}
		}
		h.advance(time.Minute)
		if r := h.status(id); r.State != want {
			t.Errorf("at its end: %+v, want %s", r, want)
		}
		h.advance(time.Second)
		h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
		if r := h.status(id); r.State != payments.ReportCaptured || r.Captured != 4198 {
			t.Errorf("after: %+v", r)
		}
		h.halt()
	}
}

func TestDecision_approve_twice(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.ApproveTwice)
	first := h.shop.next(t)
	h.advance(200 * time.Millisecond)
	second := h.shop.next(t)
	h.advance(200 * time.Millisecond)
	third := h.shop.next(t)
	for _, one := range []received{first, second, third} {
		h.want(one, id, "payment.succeeded", payments.ReportCaptured, 4198)
	}
	if first.id() != second.id() || string(first.body) != string(second.body) {
		t.Error("the second is not the first again")
	}
	if third.id() == first.id() || string(third.body) != string(first.body) {
		t.Error("the third is not the first under a new id")
	}
	h.quiet()
}

func TestDecision_approve_reordered(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.ApproveReordered)
	first := h.shop.next(t)
	h.want(first, id, "payment.succeeded", payments.ReportCaptured, 4198)
	h.advance(200 * time.Millisecond)
	second := h.shop.next(t)
	h.want(second, id, "payment.processing", payments.ReportProcessing, 4198)
	if !second.wire.Data.OccurredAt.Before(first.wire.Data.OccurredAt) {
		t.Error("the processing is not older than the success")
	}
	h.quiet()
}

func TestDecision_approve_wrong_amount(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.ApproveWrongAmount)
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 2099)
	if r := h.status(id); r.Amount != 2099 || r.Captured != 2099 {
		t.Errorf("status %+v", r)
	}
}

func TestDecision_approve_wrong_amount_as_told(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in       sandboxbank.DecideRequest
		amount   int64
		currency string
	}{
		{sandboxbank.DecideRequest{Amount: 4197}, 4197, "EUR"},
		{sandboxbank.DecideRequest{Amount: 4199}, 4199, "EUR"},
		{sandboxbank.DecideRequest{Currency: "USD"}, 4198, "USD"},
		{sandboxbank.DecideRequest{Payee: "somebody else"}, 4198, "EUR"},
	} {
		h := setup(t)
		id := h.open("pay_1", payments.CaptureAutomatic)
		tc.in.Decision = sandboxbank.ApproveWrongAmount
		if _, err := h.client.Decide(t.Context(), id, tc.in); err != nil {
			t.Fatal(err)
		}
		got := h.shop.next(t).wire.Data
		r := h.status(id)
		if got.Amount != tc.amount || got.Currency != tc.currency || r.Amount != tc.amount || string(r.Currency) != tc.currency {
			t.Errorf("%+v: callback %+v, status %+v", tc.in, got, r)
		}
		if tc.in.Payee != "" && r.Payee != tc.in.Payee {
			t.Errorf("payee %q", r.Payee)
		}
		h.halt()
	}
}

func TestDecision_approve_then_reverse(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.ApproveThenReverse)
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
	h.advance(2 * time.Second)
	h.want(h.shop.next(t), id, "payment.reversed", payments.ReportReversed, 4198)
	if r := h.status(id); r.State != payments.ReportReversed {
		t.Errorf("status %+v", r)
	}
	_, err := h.provider.Refund(t.Context(), payments.NewTransfer{Key: "r", Reference: id})
	if !errors.Is(err, payments.ErrRejected) {
		t.Errorf("refund of reversed money: %v", err)
	}
	h.quiet()
}

func TestDecision_unavailable(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Unavailable)
	_, err := h.provider.Status(t.Context(), id)
	var out *payments.UnavailableError
	if !errors.Is(err, payments.ErrUnavailable) || !errors.As(err, &out) || out.RetryAfter != time.Second {
		t.Errorf("during the outage: %v", err)
	}
	h.advance(20 * time.Second)
	if r := h.status(id); r.State != payments.ReportOpen {
		t.Errorf("after the outage: %+v", r)
	}
	h.decide(id, sandboxbank.Approve)
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
}

func TestDecision_is_made_once(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	h.decide(id, sandboxbank.Approve)
	_, err := h.client.Decide(t.Context(), id, sandboxbank.DecideRequest{Decision: sandboxbank.Decline})
	if !errors.Is(err, payments.ErrRejected) {
		t.Errorf("another decision: %v", err)
	}
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
	h.quiet()
}

func TestDecision_after_the_end_is_refused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.advance(30 * time.Minute)
	for _, d := range sandboxbank.Decisions() {
		if d == sandboxbank.Unavailable {
			continue
		}
		if _, err := h.client.Decide(t.Context(), id, sandboxbank.DecideRequest{Decision: d}); !errors.Is(err, payments.ErrRejected) {
			t.Errorf("%s: %v", d, err)
		}
	}
	if r := h.status(id); r.State != payments.ReportExpired {
		t.Errorf("status %+v", r)
	}
}
