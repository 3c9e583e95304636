package sandboxbank_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tracker/payments"
	"tracker/payments/sandboxbank"
)

func TestCalls_are_repeated_until_the_shop_says_yes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.shop.answer(http.StatusInternalServerError, http.StatusFound, http.StatusNotFound, http.StatusOK)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	first := h.shop.next(t)
	for range 3 {
		again := h.repeated()
		if again.id() != first.id() || string(again.body) != string(first.body) {
			t.Error("the repetition is another message")
		}
		// Each attempt is signed anew: an old signature would be stale by now.
		h.verified(again)
	}
	h.quiet()
}

// repeated is the callback after one that the shop refused. The clock moves only
// when the bank has noted the refusal: earlier it would not count for the pause,
// and later the signature would be old on arrival.
func (h *house) repeated() received {
	h.t.Helper()
	select {
	case <-h.refused:
		h.advance(10 * time.Minute) // beyond any pause
		return h.shop.next(h.t)
	case one := <-h.shop.got: // the refusal was cut short by a restart: no pause
		return one
	case <-time.After(2 * time.Minute):
		h.t.Fatal("the refusal was not noted")
		return received{}
	}
}

func TestCalls_end_after_the_last_attempt(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *sandboxbank.Options) { o.Attempts = 3 })
	h.shop.answer(500, 500, 500)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	h.shop.next(t)
	h.repeated()
	h.repeated()
	h.advance(24 * time.Hour)
	h.quiet()
}

func TestCalls_survive_a_restart(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.shop.answer(http.StatusServiceUnavailable)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	first := h.shop.next(t)
	h.restart()
	again := h.repeated()
	if again.id() != first.id() {
		t.Errorf("got %s, want %s again", again.id(), first.id())
	}
	h.quiet()
}

func TestRestart_keeps_sessions_timers_and_refunds(t *testing.T) {
	t.Parallel()
	h := setup(t)
	late, reverse := h.open("pay_1", payments.CaptureAutomatic), h.open("pay_2", payments.CaptureAutomatic)
	h.decide(late, sandboxbank.ApproveLate)
	h.decide(reverse, sandboxbank.ApproveThenReverse)
	h.shop.next(t)
	partial := h.open("pay_3", payments.CaptureManual)
	h.decide(partial, sandboxbank.Approve)
	h.shop.next(t)
	if _, err := h.provider.Capture(t.Context(), payments.Operation{Key: "c", Reference: partial, Amount: eur(2000)}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.provider.Refund(t.Context(), payments.NewTransfer{Key: "r", Refund: "ref_1", Reference: partial, Amount: eur(500)}); err != nil {
		t.Fatal(err)
	}
	h.restart()
	h.restart() // the journal that was rewritten is as good as the one before it
	if again := h.open("pay_3", payments.CaptureManual); again != partial {
		t.Errorf("another session for the payment: %s", again)
	}
	r := h.status(partial)
	if r.State != payments.ReportCaptured || r.Captured != 2000 || len(r.Transfers) != 1 || r.Transfers[0].Refund != "ref_1" {
		t.Errorf("after the restart: %+v", r)
	}
	if _, err := h.provider.Capture(t.Context(), payments.Operation{Key: "c", Reference: partial, Amount: eur(2000)}); err != nil {
		t.Error(err)
	}
	if r := h.status(partial); r.Captured != 2000 {
		t.Errorf("the same key captured again: %+v", r)
	}
	h.advance(2 * time.Second)
	h.want(h.shop.next(t), reverse, "payment.reversed", payments.ReportReversed, 4198)
	h.advance(31 * time.Minute)
	h.want(h.shop.next(t), late, "payment.succeeded", payments.ReportCaptured, 4198)
}

func TestJournal_survives_a_torn_last_line(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.halt()
	for _, tail := range []string{`{"sessions":[{"id":"ses_half`, "\x00\x00\x00", "{\"sess\n"} {
		file, err := os.OpenFile(h.options.Path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(tail); err != nil {
			t.Fatal(err)
		}
		file.Close()
		h.start()
		if r := h.status(id); r.State != payments.ReportOpen {
			t.Errorf("after %q: %+v", tail, r)
		}
		h.halt()
	}
}

func TestJournal_that_is_damaged_inside_is_an_error(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.open("pay_1", payments.CaptureAutomatic)
	h.open("pay_2", payments.CaptureAutomatic)
	h.halt()
	text, err := os.ReadFile(h.options.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.options.Path, []byte("?"+string(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandboxbank.New(h.options); err == nil || !strings.Contains(err.Error(), "at byte 0") {
		t.Errorf("it opened: %v", err)
	}
}

func TestJournal_forgets_what_is_old_and_stays_small(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *sandboxbank.Options) { o.Keep = time.Hour })
	old := h.open("pay_1", payments.CaptureAutomatic)
	waits := h.open("pay_2", payments.CaptureAutomatic)
	h.decide(waits, sandboxbank.ApproveLate)
	h.halt()
	h.clock.Advance(time.Hour + time.Minute)
	h.start()
	if _, err := h.client.Session(t.Context(), old); err == nil {
		t.Error("an old session is still known")
	}
	h.want(h.shop.next(t), waits, "payment.succeeded", payments.ReportCaptured, 4198)
}

func TestCrash_between_answer_and_restart_loses_nothing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	// A copy of the file at the moment of the answer is what kill -9 leaves.
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.ApproveSilent)
	text, err := os.ReadFile(h.options.Path)
	if err != nil {
		t.Fatal(err)
	}
	h.halt()
	if err := os.WriteFile(h.options.Path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h.start()
	if r := h.status(id); r.State != payments.ReportCaptured {
		t.Errorf("what was answered is lost: %+v", r)
	}
}

func TestBank_in_memory(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *sandboxbank.Options) { o.Path = "" })
	id := h.open("pay_1", payments.CaptureAutomatic)
	h.decide(id, sandboxbank.Approve)
	h.want(h.shop.next(t), id, "payment.succeeded", payments.ReportCaptured, 4198)
}
