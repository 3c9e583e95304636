package payments_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tracker/notify/eventwire"
	"tracker/payments"
)

// TestGolden_events pins the JSON of one event of every type. Run it with
// -update after a change that is meant, and read the difference.
func TestGolden_events(t *testing.T) {
	t.Parallel()
	found := goldenEvents(t)
	for _, kind := range payments.EventTypes() {
		t.Run(kind, func(t *testing.T) {
			e, ok := found[kind]
			if !ok {
				t.Fatal("no story leads to this event")
			}
			var got bytes.Buffer
			text, err := e.Encode()
			if err == nil {
				err = json.Indent(&got, text, "", "  ")
			}
			if err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			path := filepath.Join("testdata", kind+".json")
			if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
		})
	}
}

// goldenEvents plays stories, with ids that do not change, until every type of
// event was announced once.
func goldenEvents(t *testing.T) map[string]eventwire.Event {
	n := byte(0)
	id := func(prefix string, _ time.Time) string {
		n++
		return prefix + "0000000000000000000000" + string([]byte{'0' + n/100, '0' + n/10%10, '0' + n%10, '0'})
	}
	found := map[string]eventwire.Event{}
	for _, story := range goldenStories() {
		r := newRig(t, newMemStore(), payments.Options{NewID: id, Policy: payments.Policy{Late: story.late}})
		order := id(eventwire.PrefixOrder, r.clock.now())
		r.setDue(order, payments.Due{Amount: amount(1999), Open: true, Reference: "1042"})
		p := r.startAs(payments.Start{OrderID: order, Capture: story.capture})
		r.clock.add(5 * time.Second)
		story.play(r, p)
		for _, e := range r.events(p.ID) {
			if _, ok := found[e.Type]; !ok {
				found[e.Type] = e
			}
		}
	}
	return found
}

type goldenStory struct {
	capture payments.CaptureMode
	late    payments.LatePolicy
	play    func(r *rig, p payments.Payment)
}

func goldenStories() []goldenStory {
	command := func(p payments.Payment) payments.Command { return payments.Command{Merchant: merchant, ID: p.ID} }
	refund := func(r *rig, p payments.Payment, amount int64) {
		if _, _, err := r.svc.Refund(r.Context(), payments.NewRefund{Merchant: merchant, PaymentID: p.ID, Amount: amount, Reason: "damaged", Key: "golden"}); err != nil {
			r.Fatal(err)
		}
	}
	return []goldenStory{
		{play: func(r *rig, p payments.Payment) {
			r.say(p, "msg_1", r.bank.decide(p.Reference, payments.ReportProcessing))
			r.bank.FaultFunc = func(string) (error, error) { return payments.ErrTimeout, nil }
			r.clock.add(2 * time.Minute)
			r.reconcile()
			r.bank.FaultFunc = nil
			r.say(p, "msg_2", r.bank.approve(p.Reference))
			refund(r, p, 500)
		}},
		{play: func(r *rig, p payments.Payment) {
			r.say(p, "msg_1", r.bank.approve(p.Reference))
			r.bank.RefundFunc = func(payments.NewTransfer) (payments.Transfer, error) {
				return payments.Transfer{}, &payments.RejectedError{Code: "account_closed"}
			}
			refund(r, p, 500)
			r.say(p, "msg_2", r.bank.decide(p.Reference, payments.ReportReversed))
		}},
		{capture: payments.CaptureManual, play: func(r *rig, p payments.Payment) {
			r.say(p, "msg_1", r.bank.approve(p.Reference))
			if _, err := r.svc.Capture(r.Context(), command(p), 500); err != nil {
				r.Fatal(err)
			}
		}},
		{capture: payments.CaptureManual, play: func(r *rig, p payments.Payment) {
			r.say(p, "msg_1", r.bank.approve(p.Reference))
			if _, err := r.svc.Void(r.Context(), command(p)); err != nil {
				r.Fatal(err)
			}
		}},
		{play: func(r *rig, p payments.Payment) {
			refused := r.bank.decide(p.Reference, payments.ReportFailed)
			refused.DeclineCode = "insufficient_funds"
			r.say(p, "msg_1", refused)
		}},
		{play: func(r *rig, p payments.Payment) { r.clock.add(30 * time.Minute); r.reconcile() }},
		{play: func(r *rig, p payments.Payment) {
			mustCancel(r, p)
			r.say(p, "msg_1", r.bank.decide(p.Reference, payments.ReportCaptured))
			r.reconcile()
		}},
		{play: func(r *rig, p payments.Payment) {
			report := r.bank.approve(p.Reference)
			report.Amount, report.Captured = 1998, 1998
			r.say(p, "msg_1", report)
		}},
	}
}
