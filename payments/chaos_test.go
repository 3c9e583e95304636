package payments_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tracker/payments"
)

var errCrash = errors.New("the process died here")

// chaos is one run of everything that can happen to one order, in any order.
type chaos struct {
	*rig
	store   *memStore
	order   string
	outcome string // what became of the order: "", cancelled or expired
	started int
	sent    int
	crash   bool
	mood    string
	waiting []said // callbacks under way, also for a second time
	seen    map[string]int64
	dropped map[string]bool // payments of which a callback was lost for good
	wrong   []string        // errors that no story explains
}

type said struct {
	payment payments.Payment
	event   string
	report  payments.Report
}

// TestChaos_promises drives random interleavings of callbacks, polls, cancels,
// expiries, refunds and crashes against the promises about money.
func TestChaos_promises(t *testing.T) {
	t.Parallel()
	for _, late := range []payments.LatePolicy{payments.LateRefund, payments.LateHold, payments.LateAccept} {
		t.Run(string(late), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) { newChaos(t, late).run(rt) })
		})
	}
}

func newChaos(t *testing.T, late payments.LatePolicy) *chaos {
	store := newMemStore()
	c := &chaos{
		rig: newRig(t, store, payments.Options{Policy: payments.Policy{Late: late}}), store: store,
		seen: map[string]int64{}, dropped: map[string]bool{},
	}
	c.opt.Logger = slog.New(errorSink{slog.DiscardHandler, c})
	c.restart()
	c.order = c.rig.order(1000)
	store.Crash = func() error {
		if c.crash {
			c.crash = false
			return errCrash
		}
		return nil
	}
	c.bank.FaultFunc = func(call string) (before, after error) {
		switch c.mood {
		case "deaf":
			return payments.ErrTimeout, nil
		case "mute":
			return nil, payments.ErrTimeout
		case "busy":
			return &payments.UnavailableError{RetryAfter: time.Minute}, nil
		case "refuses":
			if call != "status" && call != "refund" {
				return &payments.RejectedError{Code: "no"}, nil
			}
		case "dies": // the call is made and its answer never written down
			c.crash = true
		}
		return nil, nil
	}
	return c
}

// errorSink notes what the reconciler complains about.
type errorSink struct {
	slog.Handler
	c *chaos
}

func (errorSink) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (s errorSink) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" && a.Value.String() != errCrash.Error() {
			s.c.wrong = append(s.c.wrong, a.Value.String())
		}
		return true
	})
	return nil
}

// took accepts the errors that a caller must expect, and no others.
func (c *chaos) took(err error) bool {
	var conflict *payments.ConflictError
	expected := errors.Is(err, errCrash) || errors.Is(err, payments.ErrUnavailable) || errors.As(err, &conflict)
	if err != nil && !expected {
		c.wrong = append(c.wrong, err.Error())
	}
	return err == nil
}

func (c *chaos) run(rt *rapid.T) {
	actions := map[string]func(*rapid.T){
		"start":   c.doStart,
		"decide":  c.doDecide,
		"deliver": c.doDeliver,
		"command": c.doCommand,
		"refund":  c.doRefund,
		"review":  c.doReview,
		"close":   c.doClose,
		"wait":    c.doWait,
		"settle":  func(rt *rapid.T) { c.bank.settleTransfers(rapid.Bool().Draw(rt, "well")) },
		"slow":    func(rt *rapid.T) { c.bank.slow = rapid.Bool().Draw(rt, "refunds take days") },
		"mood": func(rt *rapid.T) {
			c.mood = rapid.SampledFrom([]string{"", "", "deaf", "mute", "busy", "refuses", "dies"}).Draw(rt, "mood")
		},
		"crash": func(*rapid.T) { c.crash = true; c.restart() },
		"":      c.check,
	}
	rt.Repeat(actions)
	c.finish(rt)
}

func (c *chaos) all() []payments.Payment {
	list, _ := c.store.After(context.Background(), "", 100)
	return list
}

func (c *chaos) pick(rt *rapid.T) payments.Payment {
	list := c.all()
	if len(list) == 0 {
		rt.Skip("no payment yet")
	}
	return list[rapid.IntRange(0, len(list)-1).Draw(rt, "payment")]
}

func (c *chaos) doStart(rt *rapid.T) {
	if c.started++; c.started > 4 {
		rt.Skip("enough")
	}
	_, err := c.svc.Start(context.Background(), payments.Start{
		Merchant: merchant, OrderID: c.order, Force: rapid.Bool().Draw(rt, "force"),
		Capture: rapid.SampledFrom([]payments.CaptureMode{payments.CaptureAutomatic, payments.CaptureManual}).Draw(rt, "capture"),
		By:      rapid.SampledFrom([]payments.Cause{payments.CauseMerchant, payments.CauseShopper}).Draw(rt, "by"),
	})
	c.took(err)
}

// doDecide is the shopper or the bank at the bank. Only what a bank can do is done.
func (c *chaos) doDecide(rt *rapid.T) {
	p := c.pick(rt)
	s := c.bank.sessions[p.Reference]
	if s == nil {
		rt.Skip("no session")
	}
	var report payments.Report
	what := rapid.SampledFrom([]string{"approve", "approve", "pend", "decline", "expire", "wrong", "reverse"}).Draw(rt, "what")
	open := s.State == payments.ReportOpen || s.State == payments.ReportProcessing
	switch {
	case what == "approve" && (open || s.State == payments.ReportCancelled && s.Captured == 0):
		report = c.bank.approve(p.Reference) // also after the end: the late success
	case what == "wrong" && open:
		report = c.bank.with(p.Reference, func(s *session) {
			s.State, s.Captured, s.Amount, s.OccurredAt = payments.ReportCaptured, 999, 999, c.clock.now()
		})
	case what == "pend" && s.State == payments.ReportOpen:
		report = c.bank.decide(p.Reference, payments.ReportProcessing)
	case what == "decline" && open:
		report = c.bank.decide(p.Reference, payments.ReportFailed)
	case what == "expire" && s.State == payments.ReportOpen:
		report = c.bank.decide(p.Reference, payments.ReportExpired)
	case what == "reverse" && s.State == payments.ReportCaptured && s.sent() == 0:
		report = c.bank.decide(p.Reference, payments.ReportReversed)
	default:
		rt.Skip("the bank would not do that")
	}
	c.sent++
	c.waiting = append(c.waiting, said{p, fmt.Sprint("evt_", c.sent), report})
}

func (c *chaos) doDeliver(rt *rapid.T) {
	if len(c.waiting) == 0 {
		rt.Skip("nothing under way")
	}
	at := rapid.IntRange(0, len(c.waiting)-1).Draw(rt, "which")
	switch w := c.waiting[at]; rapid.SampledFrom([]string{"once", "twice", "keep", "drop"}).Draw(rt, "how") {
	case "twice":
		c.took(c.trySay(w.payment, w.event+"_again", w.report))
		fallthrough
	case "once":
		if !c.took(c.trySay(w.payment, w.event, w.report)) {
			return // not acknowledged: the bank sends it again
		}
	case "keep":
		c.took(c.trySay(w.payment, w.event, w.report))
		return
	case "drop":
		c.dropped[w.payment.ID] = true
	}
	c.waiting = slices.Delete(c.waiting, at, at+1)
}

func (c *chaos) doCommand(rt *rapid.T) {
	p, ctx := c.pick(rt), context.Background()
	cmd := payments.Command{Merchant: merchant, ID: p.ID}
	var err error
	switch rapid.SampledFrom([]string{"cancel", "void", "capture", "part", "nudge"}).Draw(rt, "command") {
	case "cancel":
		_, err = c.svc.Cancel(ctx, cmd)
	case "void":
		_, err = c.svc.Void(ctx, cmd)
	case "capture":
		_, err = c.svc.Capture(ctx, cmd, 0)
	case "part":
		cmd.Key = rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key")
		_, err = c.svc.Capture(ctx, cmd, 300)
	case "nudge":
		err = c.svc.Nudge(ctx, merchant, p.ID)
	}
	c.took(err)
}

func (c *chaos) doRefund(rt *rapid.T) {
	p := c.pick(rt)
	_, _, err := c.svc.Refund(context.Background(), payments.NewRefund{
		Merchant: merchant, PaymentID: p.ID, Amount: rapid.SampledFrom([]int64{0, 1, 400, 1000}).Draw(rt, "amount"),
		Key: rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "key"),
	})
	c.took(err)
}

func (c *chaos) doReview(rt *rapid.T) {
	p := c.pick(rt)
	d := rapid.SampledFrom([]payments.Decision{payments.DecisionAccept, payments.DecisionReturn}).Draw(rt, "decision")
	_, err := c.svc.Review(context.Background(), payments.Command{Merchant: merchant, ID: p.ID}, d)
	c.took(err)
}

func (c *chaos) doClose(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "rarely") > 0 || c.outcome == "cancelled" {
		rt.Skip("not now")
	}
	end := rapid.SampledFrom([]string{"cancelled", "expired"}).Draw(rt, "end")
	c.orders[c.order] = payments.Due{}
	if c.took(c.svc.OnOrder(context.Background(), orderEvent(c.order, "order."+end))) {
		c.outcome = end
	}
}

func (c *chaos) doWait(rt *rapid.T) {
	c.clock.add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 2 * time.Minute, time.Hour, 8 * 24 * time.Hour}).Draw(rt, "time"))
	_, _ = c.svc.Reconcile(context.Background())
}

// check is what must hold at every moment, whatever is under way.
func (c *chaos) check(rt *rapid.T) {
	if len(c.wrong) > 0 {
		rt.Fatalf("errors: %v", c.wrong)
	}
	for _, p := range c.all() {
		switch {
		case p.Refunded+p.RefundPending > p.Captured:
			rt.Fatalf("refunds %d and %d of %d captured\n%s", p.Refunded, p.RefundPending, p.Captured, story(p))
		case p.Closed() != p.NextCheckAt.IsZero():
			rt.Fatalf("%s, closed %v, next check %v\n%s", p.Status, p.Closed(), p.NextCheckAt, story(p))
		case p.Sequence < c.seen[p.ID] || int(p.Sequence) != len(p.Timeline) || len(c.events(p.ID)) != len(p.Timeline):
			rt.Fatalf("a hole: sequence %d, %d transitions, %d events\n%s", p.Sequence, len(p.Timeline), len(c.events(p.ID)), story(p))
		}
		c.seen[p.ID] = p.Sequence
		c.checkStory(rt, p)
		if s := c.bank.sessions[p.Reference]; s != nil && s.sent() > s.Captured {
			rt.Fatalf("the bank sent back %d of %d\n%s", s.sent(), s.Captured, story(p))
		}
	}
}

func (c *chaos) checkStory(rt *rapid.T, p payments.Payment) {
	at := payments.Status("")
	for i, step := range p.Timeline {
		if step.Seq != int64(i+1) || step.Cause == "" || step.At.IsZero() {
			rt.Fatalf("step %d is not whole: %+v", i+1, step)
		}
		if step.Subject != "" {
			continue // of a refund
		}
		if at != "" && !at.CanBecome(payments.Status(step.To)) || string(at) != step.From {
			rt.Fatalf("%s may not become %s\n%s", at, step.To, story(p))
		}
		at = payments.Status(step.To)
	}
	if at != p.Status {
		rt.Fatalf("the story ends in %s, the payment is %s", at, p.Status)
	}
}

// finish heals everything and lets a month pass: then no payment may be stuck
// and the money must add up.
func (c *chaos) finish(rt *rapid.T) {
	c.mood, c.crash, c.bank.slow = "", false, false
	c.restart()
	c.bank.settleTransfers(true)
	for _, w := range c.waiting {
		if err := c.trySay(w.payment, w.event, w.report); err != nil {
			rt.Fatalf("callback: %v", err)
		}
	}
	c.settleAll(30 * 24 * time.Hour)
	c.check(rt)
	var kept int64
	for _, p := range c.all() {
		kept += c.checkEnd(rt, p)
	}
	if kept > 1000 {
		rt.Fatalf("the order costs 1000, kept %d", kept)
	}
}

// checkEnd compares the end of a payment with what the bank did, and returns what
// was kept.
func (c *chaos) checkEnd(rt *rapid.T, p payments.Payment) int64 {
	s := c.bank.sessions[p.Reference]
	if s == nil {
		if !p.Closed() {
			rt.Fatalf("no session, and not closed\n%s", story(p))
		}
		return 0
	}
	net := s.Captured - s.sent()
	person := p.Status == payments.StatusReview || p.Status == payments.StatusLateSuccess
	switch {
	case !p.Closed() && !person && s.State != payments.ReportProcessing:
		rt.Fatalf("stuck in %s, the bank says %s\n%s", p.Status, s.State, story(p))
	case person || s.State == payments.ReportReversed || s.State == payments.ReportProcessing:
		return 0
	case p.Captured != s.Captured && c.told(p):
		rt.Fatalf("we say captured %d, the bank %d\n%s", p.Captured, s.Captured, story(p))
	case p.Captured-p.Refunded != net && c.told(p):
		rt.Fatalf("we say %d is kept, the bank %d\n%s", p.Captured-p.Refunded, net, story(p))
	case c.outcome == "cancelled" && net != 0 && c.told(p):
		rt.Fatalf("the order is cancelled and %d of it is kept\n%s", net, story(p))
	case p.Status == payments.StatusFailed && s.State == payments.ReportCaptured && c.told(p):
		rt.Fatalf("failed, and the bank has the money\n%s", story(p))
	}
	return p.Captured - p.Refunded
}

// told reports whether the bank's last word can have reached us: nobody asks
// about a payment that ended, so a dropped late callback stays unknown to us.
func (c *chaos) told(p payments.Payment) bool {
	ended := slices.Contains([]payments.Status{payments.StatusFailed, payments.StatusExpired,
		payments.StatusCancelled, payments.StatusVoided}, p.Status)
	return !ended || !c.dropped[p.ID]
}
