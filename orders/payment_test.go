package orders_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tracker/orders"
)

const (
	payA = "pay_0000000000000000000000000a"
	payB = "pay_0000000000000000000000000b"
)

func TestPaymentStatus_is_derived_from_all_payments(t *testing.T) {
	t.Parallel()
	const all = 4198 // what the order costs
	for name, c := range map[string]struct {
		list []money
		want orders.PaymentStatus
	}{
		"none":                          {nil, orders.PaymentUnpaid},
		"created":                       {[]money{{Status: "created"}}, orders.PaymentUnpaid},
		"at the bank":                   {[]money{{Status: "requires_action"}}, orders.PaymentActionRequired},
		"processing":                    {[]money{{Status: "processing"}}, orders.PaymentProcessing},
		"unknown is processing":         {[]money{{Status: "unknown"}}, orders.PaymentProcessing},
		"authorized":                    {[]money{{Status: "authorized"}}, orders.PaymentAuthorized},
		"captured":                      {[]money{{Status: "captured", Captured: all}}, orders.PaymentPaid},
		"captured in part":              {[]money{{Status: "partially_captured", Captured: 1000}}, orders.PaymentPartiallyPaid},
		"captured by two halves":        {[]money{{Status: "captured", Captured: 2000}, {ID: payB, Status: "captured", Captured: 2198}}, orders.PaymentPaid},
		"captured twice":                {[]money{{Status: "captured", Captured: all}, {ID: payB, Status: "captured", Captured: all}}, orders.PaymentOverpaid},
		"captured twice, one refunded":  {[]money{{Status: "captured", Captured: all}, {ID: payB, Status: "refunded", Past: []string{"captured"}, Captured: all, Refunded: all}}, orders.PaymentPaid},
		"refund under way":              {[]money{{Status: "captured", Captured: all, RefundPending: all}}, orders.PaymentPaid},
		"refunded in part":              {[]money{{Status: "partially_refunded", Past: []string{"captured"}, Captured: all, Refunded: 1}}, orders.PaymentPartiallyRefunded},
		"refunded":                      {[]money{{Status: "refunded", Past: []string{"captured"}, Captured: all, Refunded: all}}, orders.PaymentRefunded},
		"a part captured, and refunded": {[]money{{Status: "refunded", Past: []string{"captured"}, Captured: 5, Refunded: 5}}, orders.PaymentRefunded},
		"failed":                        {[]money{{Status: "failed"}}, orders.PaymentFailed},
		"voided":                        {[]money{{Status: "voided"}}, orders.PaymentVoided},
		"expired":                       {[]money{{Status: "expired"}}, orders.PaymentUnpaid},
		"cancelled":                     {[]money{{Status: "cancelled"}}, orders.PaymentUnpaid},
		"failed, then tried again":      {[]money{{Status: "failed"}, {ID: payB, Status: "processing"}}, orders.PaymentProcessing},
		"the newer end counts":          {[]money{{Status: "failed"}, {ID: payB, Status: "voided"}}, orders.PaymentVoided},
		"paid with a second tab open":   {[]money{{Status: "captured", Captured: all}, {ID: payB, Status: "requires_action"}}, orders.PaymentPaid},
		"a part paid, the rest at work": {[]money{{Status: "captured", Captured: 1000}, {ID: payB, Status: "processing"}}, orders.PaymentProcessing},
		"review":                        {[]money{{Status: "review"}}, orders.PaymentReview},
		"review beside paid":            {[]money{{Status: "captured", Captured: all}, {ID: payB, Status: "review"}}, orders.PaymentReview},
		"reversed":                      {[]money{{Status: "reversed", Past: []string{"captured"}, Captured: all}}, orders.PaymentFailed},
		"late success held":             {[]money{{Status: "late_success", Captured: all}}, orders.PaymentReview},
		"late success on its way back":  {[]money{{Status: "refund_pending", Past: []string{"late_success"}, Captured: all}}, orders.PaymentUnpaid},
		"late success given back":       {[]money{{Status: "refunded", Past: []string{"late_success"}, Captured: all, Refunded: all}}, orders.PaymentRefunded},
		"late success accepted":         {[]money{{Status: "captured", Past: []string{"late_success"}, Captured: all}}, orders.PaymentPaid},
		"money of another currency":     {[]money{{Status: "captured", Captured: all, Currency: "JPY"}}, orders.PaymentUnpaid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.create()
			for _, m := range c.list {
				m.Seq = int64(len(m.Past) + 1)
				o = w.pay(o, m)
			}
			if o.PaymentStatus != c.want {
				t.Errorf("got %s, want %s", o.PaymentStatus, c.want)
			}
			if confirmed := o.Status == orders.StatusConfirmed; confirmed && !slices.Contains([]orders.PaymentStatus{
				orders.PaymentPaid, orders.PaymentOverpaid, orders.PaymentPartiallyRefunded, orders.PaymentRefunded,
				orders.PaymentReview, orders.PaymentFailed}, o.PaymentStatus) {
				t.Errorf("confirmed at %s", o.PaymentStatus)
			}
		})
	}
}

func TestOnPayment_money_that_does_not_count_confirms_nothing(t *testing.T) {
	t.Parallel()
	for _, m := range []money{
		{Status: "late_success", Captured: 4198},
		{Status: "refunded", Past: []string{"late_success"}, Captured: 4198, Refunded: 4198, Seq: 2},
		{Status: "review", Captured: 4198},
		{Status: "authorized"},
		{Status: "captured", Captured: 4197},
		{Status: "captured", Captured: 4198, Currency: "USD"},
		{Status: "unknown"},
	} {
		w := newWorld(t)
		if o := w.pay(w.create(), m); o.Status != orders.StatusPendingPayment {
			t.Errorf("%+v made the order %s", m, o.Status)
		}
	}
}

func TestOnPayment_a_reversal_puts_the_order_on_hold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.paid()
	o = w.pay(o, money{Status: "reversed", Past: []string{"captured"}, Captured: o.Amount, Seq: 2})
	const want = `1 created →pending_payment merchant
2 payment_changed unpaid→paid payment
3 confirmed pending_payment→confirmed payment
4 payment_changed paid→failed payment
5 shipment_changed unfulfilled→on_hold payment
`
	if diff := cmp.Diff(want, story(o)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	o = w.must(w.service.Release(context.Background(), merchant, o.ID, orders.Hold{}))
	o = w.pay(o, money{Status: "reversed", Past: []string{"captured"}, Captured: o.Amount, Seq: 3})
	if o.OnHold {
		t.Error("the same reversal put the order on hold again")
	}
}

func TestOnPayment_refuses_what_it_cannot_read(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.create()
	good := w.event(o, money{Status: "captured", Captured: o.Amount})
	broken, strange, foreign, gone := good, good, good, good
	broken.Resource = []byte(`{"id":7}`)
	strange.Resource = []byte(`{"id":"pay_0000000000000000000000000z","status":"captured"}`)
	foreign.Merchant = "mer_0000000000000000000000000x"
	gone.Resource = []byte(`{"id":"` + firstPayment + `","order_id":"ord_gone","status":"captured"}`)
	order, err := w.service.Newest(context.Background(), merchant, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.service.OnPayment(context.Background(), broken); err == nil {
		t.Error("a body of the wrong types was taken")
	}
	if err := w.service.OnPayment(context.Background(), strange); err == nil {
		t.Error("another payment's body was taken")
	}
	if err := w.service.OnPayment(context.Background(), order); err == nil {
		t.Error("an order's event was taken")
	}
	if err := w.service.OnPayment(context.Background(), foreign); err != nil {
		t.Errorf("another merchant's payment comes again for ever: %v", err)
	}
	if err := w.service.OnPayment(context.Background(), gone); err != nil {
		t.Errorf("a payment of no order comes again for ever: %v", err)
	}
	if got := w.get(o.ID); got.Sequence != 1 {
		t.Errorf("something was changed: %s", story(got))
	}
}

// history is the events of one payment, in the order of their sequence.
type history []money

// histories draws what two payments of one order may go through.
func histories(t *rapid.T, amount int64) []history {
	steps := func(id string, states []string) history {
		var h history
		var captured, refunded int64
		for i, state := range states {
			switch state {
			case "captured", "late_success":
				captured = amount
			case "partially_refunded":
				refunded = amount / 3
			case "refunded":
				refunded = captured
			}
			h = append(h, money{ID: id, Status: state, Seq: int64(i + 1), Past: slices.Clone(states[:i]),
				Captured: captured, Refunded: refunded})
		}
		return h
	}
	ways := [][]string{
		{"created", "requires_action", "processing", "captured"},
		{"created", "requires_action", "processing", "captured", "partially_refunded", "refunded"},
		{"created", "requires_action", "authorized", "captured", "reversed"},
		{"created", "requires_action", "authorized", "voided"},
		{"created", "requires_action", "failed"},
		{"created", "expired", "late_success", "refund_pending", "refunded"},
		{"created", "expired", "late_success", "captured"},
		{"created", "cancelled"},
		{"created", "processing", "unknown", "captured"},
		{"created", "processing", "review", "captured"},
		{"created", "processing", "review", "refunded"},
	}
	way := rapid.SampledFrom(ways)
	return []history{steps(payA, way.Draw(t, "first")), steps(payB, way.Draw(t, "second"))}
}

// end is what must not depend on the order of arrival.
func end(o orders.Order) string {
	s := fmt.Sprintln(o.Status, o.PaymentStatus, o.RefundDue(), o.Closed(), o.OnHold)
	for _, p := range o.Payments {
		s += fmt.Sprintln(p.ID, p.Status, p.Captured, p.Refunded, p.Counts, p.Reversed, p.Sequence)
	}
	return s
}

func TestOnPayment_any_order_of_events_ends_in_the_same(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		inOrder, shuffled := w.create(), w.create()
		list := histories(t, inOrder.Amount)
		for _, m := range slices.Concat(list...) {
			inOrder = w.pay(inOrder, m)
		}
		all := slices.Concat(list...)
		all = append(all, rapid.SliceOfN(rapid.SampledFrom(all), 0, 4).Draw(t, "repeated")...)
		for _, m := range rapid.Permutation(all).Draw(t, "order") {
			before := shuffled
			shuffled = w.pay(shuffled, m)
			checkStep(t, before, shuffled)
		}
		if diff := cmp.Diff(end(inOrder), end(shuffled)); diff != "" {
			t.Fatalf("(-in order +shuffled)\n%s\n%s", diff, story(shuffled))
		}
	})
}

// checkStep holds two states of one order, one change apart, against the tables
// and the promises.
func checkStep(t *rapid.T, before, after orders.Order) {
	t.Helper()
	if before.Status != after.Status && !before.Status.Allows(after.Status) &&
		(before.Status != orders.StatusPendingPayment || after.Status != orders.StatusCompleted) {
		t.Fatalf("status went from %s to %s", before.Status, after.Status)
	}
	if a, b := before.PaymentStatus, after.PaymentStatus; a != b && !a.Allows(b) {
		t.Fatalf("payment status went from %s to %s", a, b)
	}
	if a, b := before.FulfillmentStatus, after.FulfillmentStatus; a != b && !a.Allows(b) {
		t.Fatalf("fulfilment went from %s to %s", a, b)
	}
	if int64(len(after.Timeline)) != after.Sequence {
		t.Fatalf("sequence %d with a timeline of %d", after.Sequence, len(after.Timeline))
	}
	for i, tr := range after.Timeline {
		if tr.Seq != int64(i+1) || tr.Cause == "" || tr.At.IsZero() {
			t.Fatalf("entry %d of the timeline: %+v", i, tr)
		}
	}
	ended := after.Status == orders.StatusCancelled || after.Status == orders.StatusExpired
	for _, p := range after.Payments {
		kept := p.Accepted && after.Status == orders.StatusExpired
		if ended && !kept && p.Status != "reversed" && p.Captured > p.Refunded && (after.RefundDue() == 0 || after.Closed()) {
			t.Fatalf("%s with %s captured and not given back, refund due %d", after.Status, p.ID, after.RefundDue())
		}
	}
}

func TestOnPayment_against_cancel_never_keeps_money(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		o := w.create()
		list := histories(t, o.Amount)
		all := rapid.Permutation(slices.Concat(list...)).Draw(t, "order")
		at := rapid.IntRange(0, len(all)).Draw(t, "cancelled before event")
		for i, m := range all {
			before := o
			if i == at {
				o = w.must(w.service.Cancel(context.Background(), merchant, o.ID, orders.Cancellation{}))
				checkStep(t, before, o)
				before = o
			}
			o = w.pay(o, m)
			checkStep(t, before, o)
		}
	})
}
