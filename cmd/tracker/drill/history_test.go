package drill

import (
	"strings"
	"testing"
)

// told is a history in which an order was created, paid for and sent, in front of
// two watchers, and what the database has of it. Each test breaks one of the two.
type told struct {
	history        *History
	order, payment *Feed
	first, second  *View
	truth          map[string]Truth
}

func newTold() *told {
	h := NewHistory()
	x := &told{history: h, order: h.Feed("ord_1", ""), payment: h.Feed("pay_1", "ord_1")}
	x.first, x.second = h.Join(x.order), h.Join(x.order)
	h.Accepted(x.order, "order.created", 1)
	h.Accepted(x.payment, "payment.created", 1)
	h.Accepted(x.order, "order.shipment_created", 4)
	h.Refunded(x.payment, 500)
	x.truth = map[string]Truth{
		"ord_1": {ID: "ord_1", Sequence: 4, Status: "confirmed", Timeline: []string{"order.created", "order.payment_changed", "order.confirmed", "order.shipment_created"}},
		"pay_1": {ID: "pay_1", Sequence: 3, Status: "partially_refunded", Timeline: []string{"payment.created", "payment.captured", "payment.refund_requested"},
			Amount: 2000, Captured: 2000, Refunded: 500, Settled: true},
	}
	return x
}

// watch brings the first n events to a watcher.
func (x *told) watch(v *View, n int) {
	for i, kind := range x.truth["ord_1"].Timeline[:n] {
		x.history.Saw(v, int64(i+1), kind)
	}
}

func (x *told) verdict() Verdict { return x.history.Verify(x.history.Dirty(), x.truth) }

func (x *told) change(id string, fn func(*Truth)) {
	t := x.truth[id]
	fn(&t)
	x.truth[id] = t
}

func TestHistory_whole(t *testing.T) {
	t.Parallel()
	x := newTold()
	x.watch(x.first, 4)
	x.watch(x.second, 4)
	if v := x.verdict(); !v.OK() || len(v.Faults) > 0 {
		t.Errorf("nothing is wrong, and it says %+v", v)
	}
	if c := x.history.Counts(); c != (Counts{Accepted: 4, Deliveries: 8}) {
		t.Errorf("the counts: %+v", c)
	}
	if dirty := x.history.Dirty(); len(dirty) != 0 {
		t.Errorf("%d feeds are still to be verified", len(dirty))
	}
	x.history.Saw(x.first, 5, "order.completed")
	if dirty := x.history.Dirty(); len(dirty) != 1 {
		t.Errorf("after news, %d feeds are to be verified", len(dirty))
	}
	if orders, payments := x.history.Made(); orders != 1 || payments != 1 {
		t.Errorf("%d orders and %d payments were made", orders, payments)
	}
}

// TestHistory_broken breaks one thing at a time, in what watchers had or in what
// the database has. A checker that lets one of them pass proves nothing.
func TestHistory_broken(t *testing.T) {
	t.Parallel()
	whole := func(x *told) { x.watch(x.first, 4); x.watch(x.second, 4) }
	for name, broken := range map[string]struct {
		happen func(x *told)
		counts func(c Counts, v Verdict) int64 // where it has to show
		says   string
	}{
		"a watcher is behind":   {func(x *told) { x.watch(x.first, 4); x.watch(x.second, 2) }, lost, "has 2 of 4"},
		"a watcher has nothing": {func(x *told) { x.watch(x.first, 4) }, lost, "has 0 of 4"},
		"a sequence is missing": {func(x *told) {
			x.watch(x.first, 4)
			x.watch(x.second, 2)
			x.history.Saw(x.second, 4, "order.shipment_created")
		}, lost, "1 holes"},
		"a sequence came twice":     {func(x *told) { whole(x); x.history.Saw(x.first, 4, "order.shipment_created") }, doubled, "4 came again"},
		"two sequences are swapped": {func(x *told) { x.watch(x.first, 4); x.swapped(x.second) }, disordered, "2 came after 3"},
		"a watcher was reset":       {func(x *told) { whole(x); x.history.Reset(x.first); x.watch(x.first, 4) }, wrong, "was reset"},
		"what was accepted is 404":  {func(x *told) { whole(x); x.history.Denied(x.order) }, wrong, "not found"},
		"one event, two types": {func(x *told) {
			x.watch(x.first, 4)
			x.watch(x.second, 3)
			x.history.Saw(x.second, 4, "order.completed")
		}, wrong, "to another"},
		"sequence 0":                 {func(x *told) { whole(x); x.history.Saw(x.first, 0, "order.created") }, wrong, "sequence 0"},
		"announced, not committed":   {func(x *told) { whole(x); x.history.Saw(x.first, 5, "order.completed") }, untrue, "the database ends at 4"},
		"announced as another":       {func(x *told) { whole(x); x.change("ord_1", func(t *Truth) { t.Timeline[1] = "order.cancelled" }) }, untrue, "was announced as"},
		"the order is gone":          {func(x *told) { whole(x); delete(x.truth, "ord_1") }, lost, "the database has none"},
		"its end is gone":            {func(x *told) { whole(x); x.cutOff(3) }, lost, "named sequence 4"},
		"a hole in the timeline":     {func(x *told) { whole(x); x.change("ord_1", func(t *Truth) { t.Sequence = 5 }) }, lost, "its timeline has 4"},
		"an accepted write is gone":  {func(x *told) { whole(x); x.history.Accepted(x.order, "order.shipment_changed", 0) }, lost, "1 × order.shipment_changed"},
		"a write had two effects":    {func(x *told) { whole(x); x.again("order.shipment_created") }, twice, "the database has 2"},
		"sent away too early":        {func(x *told) { x.watch(x.first, 4); x.watch(x.second, 3); x.sentAway(x.second) }, lost, "sent away at 3 of 4"},
		"more captured than owed":    {func(x *told) { whole(x); x.change("pay_1", func(t *Truth) { t.Captured = 2001 }) }, money, "2001 captured of 2000"},
		"more refunded than taken":   {func(x *told) { whole(x); x.change("pay_1", func(t *Truth) { t.Refunded, t.Pending = 1500, 501 }) }, money, "of 2000 captured"},
		"a refund that is not there": {func(x *told) { whole(x); x.change("pay_1", func(t *Truth) { t.Refunded = 499 }) }, money, "refunds of 500"},
		"captured twice": {func(x *told) {
			whole(x)
			x.change("pay_1", func(t *Truth) { t.Sequence, t.Timeline = 4, append(t.Timeline, "payment.captured") })
		}, money, "captured 2 times"},
		"a stuck payment": {func(x *told) {
			whole(x)
			x.change("pay_1", func(t *Truth) { t.Status, t.Settled = "processing", false })
		}, money, "no check is scheduled"},
		"cancelled, and kept": {func(x *told) { whole(x); x.change("ord_1", func(t *Truth) { t.Status = "cancelled" }) }, money, "a payment is kept"},
		"two payments kept":   {func(x *told) { whole(x); x.secondPayment() }, money, "2 payments are kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTold()
			broken.happen(x)
			v := x.verdict()
			if n := broken.counts(x.history.Counts(), v); n == 0 {
				t.Errorf("it does not show: %+v %+v", x.history.Counts(), v)
			}
			if all := strings.Join(append(v.Faults, x.history.Notes()...), "\n"); !strings.Contains(all, broken.says) {
				t.Errorf("nobody says %q in:\n%s", broken.says, all)
			}
		})
	}
}

func lost(_ Counts, v Verdict) int64       { return v.Lost }
func twice(_ Counts, v Verdict) int64      { return v.Twice }
func untrue(_ Counts, v Verdict) int64     { return v.Untrue }
func money(_ Counts, v Verdict) int64      { return v.Money }
func doubled(c Counts, _ Verdict) int64    { return c.Doubled }
func disordered(c Counts, _ Verdict) int64 { return c.Disordered }
func wrong(c Counts, _ Verdict) int64      { return c.Wrong }

func (x *told) swapped(v *View) {
	for _, seq := range []int64{1, 3, 2, 4} {
		x.history.Saw(v, seq, x.truth["ord_1"].Timeline[seq-1])
	}
}

func (x *told) cutOff(n int64) {
	x.change("ord_1", func(t *Truth) { t.Sequence, t.Timeline = n, t.Timeline[:n] })
}

func (x *told) again(kind string) {
	x.change("ord_1", func(t *Truth) { t.Sequence, t.Timeline = t.Sequence+1, append(t.Timeline, kind) })
	x.history.Saw(x.first, 5, kind)
	x.history.Saw(x.second, 5, kind)
}

func (x *told) sentAway(v *View) {
	x.change("ord_1", func(t *Truth) { t.Closed = true })
	x.history.Leave(v, true)
}

func (x *told) secondPayment() {
	x.history.Accepted(x.history.Feed("pay_2", "ord_1"), "payment.created", 1)
	x.truth["pay_2"] = Truth{ID: "pay_2", Sequence: 2, Status: "captured", Timeline: []string{"payment.created", "payment.captured"}, Amount: 2000, Captured: 2000, Settled: true}
}
