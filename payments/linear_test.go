package payments_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"tracker/payments"
)

// What clients of one payment did, and what they saw.
type (
	seenInput  string // "pay", "cancel" or "read"
	seenOutput struct {
		ok     bool            // pay: the bank took it; cancel: it was no conflict
		status payments.Status // read
		owed   bool            // read: a refund is under way or done
	}
	seenState struct{ paid, stopped bool }
)

// history runs clients at once and records when each began and ended.
func history(clients []seenInput, do func(seenInput) seenOutput) []porcupine.Operation {
	began := time.Now()
	ops := make([]porcupine.Operation, len(clients))
	var all sync.WaitGroup
	for i, in := range clients {
		all.Go(func() {
			call := time.Since(began).Nanoseconds()
			out := do(in)
			ops[i] = porcupine.Operation{ClientId: i, Input: in, Output: out, Call: call, Return: time.Since(began).Nanoseconds()}
		})
	}
	all.Wait()
	return ops
}

var mixed = []seenInput{"read", "pay", "read", "cancel", "read", "cancel", "pay", "read", "read"}

// cancelModel is a payment that is paid or cancelled, never both, whatever the
// timing. That the bank refuses a shopper who comes second is the bank's answer
// and says nothing about us.
func cancelModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return seenState{} },
		Step: func(state, input, output any) (bool, any) {
			s, out := state.(seenState), output.(seenOutput)
			switch input.(seenInput) {
			case "pay":
				if !out.ok {
					return true, s
				}
				return !s.stopped, seenState{paid: true}
			case "cancel":
				if !out.ok {
					return s.paid, s
				}
				return !s.paid, seenState{stopped: true}
			}
			switch out.status {
			case payments.StatusCaptured:
				return s.paid, s
			case payments.StatusCancelled:
				return s.stopped, s
			}
			return !s.paid && !s.stopped, s
		},
	}
}

func TestRow12_cancel_and_pay_are_linearizable(t *testing.T) {
	each(t, func(r *rig) {
		for round := range 12 {
			p := r.start(r.order(1999))
			ops := history(mixed, func(in seenInput) seenOutput {
				switch in {
				case "pay":
					report, ok := r.bank.tryApprove(p.Reference)
					return seenOutput{ok: ok && r.trySay(p, "evt_"+p.ID, report) == nil}
				case "cancel":
					_, err := r.svc.Cancel(context.Background(), payments.Command{Merchant: merchant, ID: p.ID})
					return seenOutput{ok: err == nil}
				}
				got, _ := r.svc.Get(context.Background(), merchant, p.ID)
				return seenOutput{status: got.Status}
			})
			if !porcupine.CheckOperations(cancelModel(), ops) {
				r.Fatalf("round %d has no order that explains it: %+v\n%s", round, ops, story(r.get(p.ID)))
			}
		}
	})
}

// closeModel is a payment of an order that is cancelled: paid and closed always
// shows a refund, and nothing else does.
func closeModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return seenState{} },
		Step: func(state, input, output any) (bool, any) {
			s, out := state.(seenState), output.(seenOutput)
			switch input.(seenInput) {
			case "pay":
				return true, seenState{paid: true, stopped: s.stopped}
			case "cancel":
				return true, seenState{paid: s.paid, stopped: true}
			}
			return out.ok == s.paid && out.owed == (s.paid && s.stopped), s
		},
	}
}

func TestRow12_cancelled_order_and_pay_are_linearizable(t *testing.T) {
	each(t, func(r *rig) {
		for round := range 12 {
			order := r.order(1999)
			p := r.start(order)
			report := r.bank.approve(p.Reference)
			ops := history(mixed, func(in seenInput) seenOutput {
				switch in {
				case "pay":
					_ = r.trySay(p, "evt_"+p.ID, report)
				case "cancel":
					_ = r.svc.OnOrder(context.Background(), orderEvent(order, "order.cancelled"))
				}
				got, _ := r.svc.Get(context.Background(), merchant, p.ID)
				return seenOutput{ok: got.Captured > 0, owed: got.Refunded+got.RefundPending > 0}
			})
			if !porcupine.CheckOperations(closeModel(), ops) {
				r.Fatalf("round %d has no order that explains it: %+v\n%s", round, ops, story(r.get(p.ID)))
			}
		}
	})
}
