package sandboxbank_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/sandboxbank"
)

func eur(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: money.EUR} }

func (h *house) fault(f sandboxbank.Fault) {
	h.t.Helper()
	if err := h.client.AddFault(h.t.Context(), f); err != nil {
		h.t.Fatal(err)
	}
}

// shortly is the provider of a shop with little patience, which runs out only
// when the bank has acted: on a slow machine the call might never reach it.
func (h *house) shortly(acted func() bool) *sandboxbank.Provider {
	h.t.Helper()
	p, err := sandboxbank.NewProvider(sandboxbank.ProviderOptions{
		BaseURL: h.server.URL, Secrets: []string{secretA}, Timeout: 150 * time.Millisecond,
		Transport: patience{h.t.Context(), acted},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// patience holds the end of a call back until the other side has acted.
type patience struct {
	test  context.Context
	acted func() bool
}

func (p patience) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(p.test)
	go func() {
		for tick := time.NewTicker(5 * time.Millisecond); !p.acted() && p.test.Err() == nil; <-tick.C {
		}
		<-r.Context().Done() // at the latest when the call returns
		cancel(context.Cause(r.Context()))
	}()
	answer, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return answer, err
}

// used is whether the bank has taken the one fault that it was given.
func (h *house) used() bool {
	list, err := h.client.Faults(h.t.Context())
	return err == nil && len(list) == 0
}

// TestFaults_of_the_API: what the caller sees, and what really happened.
func TestFaults_of_the_API(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct {
		err  error
		done bool
		mute bool // no answer ever ends: only the shop's patience does
	}{
		sandboxbank.FaultUnavailable: {payments.ErrUnavailable, false, false},
		sandboxbank.FaultTimeout:     {payments.ErrTimeout, false, true},
		sandboxbank.FaultLostAnswer:  {payments.ErrTimeout, true, true},
		sandboxbank.FaultHalfAnswer:  {payments.ErrTimeout, true, false},
		sandboxbank.FaultHTML:        {payments.ErrTimeout, true, false},
		sandboxbank.FaultEmpty:       {payments.ErrTimeout, true, false},
		sandboxbank.FaultHuge:        {payments.ErrTimeout, true, false},
		sandboxbank.FaultSlow:        {payments.ErrTimeout, true, true},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			id := h.open("pay_1", payments.CaptureManual)
			h.decide(id, sandboxbank.Approve)
			fault := sandboxbank.Fault{Kind: kind, Count: 1, Match: "capture"}
			shop := h.provider
			if want.mute {
				shop = h.shortly(func() bool {
					r, err := h.provider.Status(t.Context(), id)
					return h.used() && err == nil && (r.Captured == 1000) == want.done
				})
			} else {
				fault.Delay = "3s"
			}
			h.fault(fault)
			_, err := shop.Capture(t.Context(), payments.Operation{Key: "c", Reference: id, Amount: eur(1000)})
			if !errors.Is(err, want.err) {
				t.Errorf("got %v, want %v", err, want.err)
			}
			var out *payments.UnavailableError
			if errors.As(err, &out) && out.RetryAfter != 3*time.Second {
				t.Errorf("retry after %v", out.RetryAfter)
			}
			if r := h.status(id); (r.Captured == 1000) != want.done {
				t.Errorf("done: %v, want %v", r.Captured == 1000, want.done)
			}
			// The fault is used up, and the same key is safe to repeat.
			r, err := h.provider.Capture(t.Context(), payments.Operation{Key: "c", Reference: id, Amount: eur(1000)})
			if err != nil || r.Captured != 1000 {
				t.Errorf("the repetition: %+v, %v", r, err)
			}
		})
	}
}

func TestFaults_delay(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultDelay, Delay: "30ms", Match: "create"})
	start := time.Now()
	h.open("pay_1", payments.CaptureAutomatic)
	if took := time.Since(start); took < 30*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
}

func TestFaults_end_by_time_and_by_hand(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultUnavailable, For: "2s"})
	for range 3 {
		if _, err := h.provider.Status(t.Context(), id); !errors.Is(err, payments.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	h.advance(2 * time.Second)
	h.status(id)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultUnavailable})
	h.advance(1000 * time.Hour)
	if list, err := h.client.Faults(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("faults %+v, %v", list, err)
	}
	if err := h.client.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.status(id)
}

func TestFaults_match_only_what_they_name(t *testing.T) {
	t.Parallel()
	h := setup(t)
	hit, other := h.open("pay_1", payments.CaptureAutomatic), h.open("pay_2", payments.CaptureAutomatic)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultUnavailable, Match: "pay_1 status"})
	h.status(other)
	if _, err := h.provider.Cancel(t.Context(), payments.Operation{Reference: hit}); err != nil {
		t.Errorf("another call: %v", err)
	}
	if _, err := h.provider.Status(t.Context(), hit); !errors.Is(err, payments.ErrUnavailable) {
		t.Errorf("the call that was named: %v", err)
	}
}

func TestFaults_drop_callbacks(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultDropCallbacks, Match: "pay_1"})
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	h.quiet()
	if r := h.status(id); r.State != payments.ReportCaptured {
		t.Errorf("status %+v", r)
	}
}

func TestFaults_delay_callbacks(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultDelayCallbacks, Delay: "1m", Count: 1})
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	h.quiet()
	h.advance(time.Minute)
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
}

func TestFaults_duplicate_and_reorder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultDuplicate, Count: 1})
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultReorder, Count: 1})
	h.decide(id, sandboxbank.Approve)
	got := []received{h.shop.next(t)}
	h.advance(200 * time.Millisecond)
	got = append(got, h.shop.next(t), h.shop.next(t))
	var types []string
	for _, one := range got {
		types = append(types, h.verified(one).Type)
	}
	slices.Sort(types)
	if !slices.Equal(types, []string{"payment.processing", "payment.succeeded", "payment.succeeded"}) || types[0] == got[0].wire.Type {
		t.Errorf("got %v, first %s", types, got[0].wire.Type)
	}
	h.quiet()
}

func TestFaults_forge_and_stale(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{sandboxbank.FaultForge, sandboxbank.FaultStale} {
		h := setup(t)
		h.fault(sandboxbank.Fault{Kind: kind, Count: 1})
		h.decide(h.open("pay_1", payments.CaptureAutomatic), sandboxbank.Approve)
		one := h.shop.next(t)
		if _, err := h.provider.ParseCallback(one.header, one.body, h.clock.Now()); !errors.Is(err, payments.ErrForged) {
			t.Errorf("%s: %v", kind, err)
		}
		h.halt()
	}
}

func TestFaults_of_refunds(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	refund := func(key string) payments.Transfer {
		r, err := h.provider.Refund(t.Context(), payments.NewTransfer{Key: key, Reference: id, Amount: eur(1000)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultFailRefunds, Count: 1})
	if r := refund("a"); r.Status != payments.RefundFailed || r.Code == "" {
		t.Errorf("%+v", r)
	}
	h.fault(sandboxbank.Fault{Kind: sandboxbank.FaultHoldRefunds, Count: 1, Delay: "1h"})
	if r := refund("b"); r.Status != payments.RefundPending {
		t.Errorf("%+v", r)
	}
	h.advance(time.Hour)
	r := h.status(id)
	if len(r.Transfers) != 2 || r.Transfers[1].Status != payments.RefundSucceeded || !r.Transfers[1].At.Equal(h.clock.Now()) {
		t.Errorf("an hour later: %+v", r.Transfers)
	}
	// A refund that failed gave nothing back: all but the held one is left.
	for range 3 {
		refund(time.Now().String())
	}
	if _, err := h.provider.Refund(t.Context(), payments.NewTransfer{Key: "z", Reference: id, Amount: eur(199)}); !errors.Is(err, payments.ErrRejected) {
		t.Errorf("more than was captured: %v", err)
	}
}

func TestFaults_that_make_no_sense_are_refused(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, f := range []sandboxbank.Fault{
		{}, {Kind: "earthquake"}, {Kind: "delay", Delay: "soon"}, {Kind: "delay", Delay: "-1s"},
		{Kind: "delay", For: "-1s"}, {Kind: "delay", For: "x"}, {Kind: "delay", Count: -1},
	} {
		if err := h.client.AddFault(t.Context(), f); !errors.Is(err, payments.ErrRejected) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	for range 100 {
		h.fault(sandboxbank.Fault{Kind: "delay", Delay: "0s"})
	}
	if err := h.client.AddFault(t.Context(), sandboxbank.Fault{Kind: "delay"}); !errors.Is(err, payments.ErrRejected) {
		t.Errorf("the 101st: %v", err)
	}
}
