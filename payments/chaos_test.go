package payments_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/payments"
	"tracker/payments/paymentsdb"
)

// chaos is one run of everything that can happen to one order, in any order. What
// it does follows from rapid's seed alone, so that a seed is a story.
type chaos struct {
	*rig
	store   *frailStore
	order   string
	outcome string // what became of the order: "", cancelled or expired
	started int
	sent    int
	mood    string
	waiting []said // callbacks under way, also for a second time
	seen    map[string]int64
	dropped map[string]bool // payments of which a callback was lost for good
	unheard map[string]bool // payments of which the lost callback was of a refund
	wrong   []string        // errors that no story explains
}

type said struct {
	payment payments.Payment
	event   string
	report  payments.Report
	refund  bool // it tells of a refund that was made at the bank
}

func latePolicies() []payments.LatePolicy {
	return []payments.LatePolicy{payments.LateRefund, payments.LateHold, payments.LateAccept}
}

// TestChaos_promises drives random interleavings of callbacks, polls, cancels,
// expiries, refunds and crashes against the promises about money.
func TestChaos_promises(t *testing.T) {
	t.Parallel()
	for _, late := range latePolicies() {
		t.Run(string(late), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) { newChaos(t, newMemStore(), late).run(rt) })
		})
	}
}

// TestDatabaseChaos_promises is the same on the real databases. A run there takes
// a hundred times as long, so about one in ten is made, and the log says how many.
func TestDatabaseChaos_promises(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		made := 0
		defer func() { t.Logf("%d interleavings", made) }()
		rapid.Check(t, func(rt *rapid.T) {
			if rapid.IntRange(0, 9).Draw(rt, "one in ten") > 0 {
				return
			}
			made++
			wipe(t, db)
			c := newChaos(t, paymentsdb.New(db), rapid.SampledFrom(latePolicies()).Draw(rt, "late"))
			c.db = db
			c.run(rt)
		})
	})
}

// wipe leaves the tables empty: the bank of the next run knows nothing of this one's.
func wipe(t *testing.T, db *dbconn.DB) {
	t.Helper()
	err := db.Write(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		for _, table := range []string{"outbox", "payment_callbacks", "payment_transitions", "payment_intents", "payment_refunds", "payments", "payment_orders", "payment_providers"} {
			if err := tx.Exec("DELETE FROM " + table).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newChaos(t *testing.T, store payments.Store, late payments.LatePolicy) *chaos {
	frail, made := &frailStore{Store: store}, 0
	c := &chaos{
		rig: newRig(t, frail, payments.Options{
			Policy: payments.Policy{Late: late}, Workers: 1,
			NewID: func(prefix string, _ time.Time) string { made++; return fmt.Sprintf("%s%026d", prefix, made) },
		}),
		store: frail, seen: map[string]int64{}, dropped: map[string]bool{}, unheard: map[string]bool{},
	}
	c.opt.Logger = slog.New(errorSink{slog.DiscardHandler, c})
	c.restart()
	c.order = fmt.Sprintf("ord_%026d", 1)
	c.setDue(c.order, payments.Due{Amount: amount(1000), Open: true, Reference: "1042"})
	c.bank.FaultFunc = c.fault
	return c
}

// fault is the bank in its present mood.
func (c *chaos) fault(call string) (before, after error) {
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
		c.store.death = beforeCommit
	}
	return nil, nil
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
		"bank":    c.doBankRefund,
		"settle":  func(rt *rapid.T) { c.bank.settleTransfers(rapid.Bool().Draw(rt, "well")) },
		"slow":    func(rt *rapid.T) { c.bank.slow = rapid.Bool().Draw(rt, "refunds take days") },
		"mood": func(rt *rapid.T) {
			c.mood = rapid.SampledFrom([]string{"", "", "deaf", "mute", "busy", "refuses", "dies"}).Draw(rt, "mood")
		},
		"crash": func(rt *rapid.T) {
			c.store.death = rapid.SampledFrom([]death{beforeCommit, afterCommit}).Draw(rt, "when")
			c.restart()
		},
		"": c.check,
	}
	rt.Repeat(actions)
	c.finish(rt)
}

func (c *chaos) all() []payments.Payment {
	list, err := c.store.After(context.Background(), "", 100)
	if err != nil {
		c.Fatal(err)
	}
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
	c.waiting = append(c.waiting, said{p, fmt.Sprint("evt_", c.sent), report, false})
}

// doBankRefund is somebody at the bank who sends money back. The bank's callback
// says it as a whole report, or tells of nothing but the refund.
func (c *chaos) doBankRefund(rt *rapid.T) {
	p := c.pick(rt)
	if c.bank.sessions[p.Reference] == nil {
		rt.Skip("no session")
	}
	report, made, ok := c.bank.refundItself(p.Reference, rapid.SampledFrom([]int64{1, 300, 700, 1000}).Draw(rt, "bank's refund"))
	if !ok {
		rt.Skip("the bank would not do that")
	}
	if rapid.Bool().Draw(rt, "only the refund") {
		report.State, report.Captured, report.Transfers = payments.ReportNothing, 0, []payments.Transfer{made}
	}
	c.sent++
	c.waiting = append(c.waiting, said{p, fmt.Sprint("evt_", c.sent), report, true})
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
		c.unheard[w.payment.ID] = c.unheard[w.payment.ID] || w.refund
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
