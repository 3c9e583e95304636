package paymentsdb_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
	"tracker/payments"
	"tracker/payments/money"
	"tracker/payments/paymentsdb"
)

const merchant = "mer_00000000000000000000000000"

func sets(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{
		{Name: txoutbox.Name, FS: txoutbox.Migrations(dialect)},
		{Name: paymentsdb.Name, FS: paymentsdb.Migrations(dialect)},
	}
}

type rig struct {
	*testing.T
	db    *dbconn.DB
	store *paymentsdb.Store
	at    time.Time
}

func each(t *testing.T, fn func(r rig)) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		fn(rig{t, db, paymentsdb.New(db), time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)})
	})
}

// apply applies facts to an order's ledger.
func (r rig) apply(order string, facts ...payments.Fact) error {
	return r.store.Update(context.Background(), merchant, order, func(l *payments.Ledger) error {
		for _, f := range facts {
			why := payments.Why{At: r.at, Cause: payments.CauseCallback, Evidence: "evt"}
			if _, err := l.Apply(f, why, payments.Policy{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// began stores a payment that is due at once and returns its id.
func (r rig) began() string {
	r.Helper()
	order, id := eventwire.NewID(eventwire.PrefixOrder, r.at), eventwire.NewID(eventwire.PrefixPayment, r.at)
	fresh := payments.Payment{ID: id, Merchant: merchant, OrderID: order, Provider: "fake", Amount: money.Amount{Minor: 1, Currency: "EUR"}}
	if err := r.apply(order, payments.Began{New: fresh}); err != nil {
		r.Fatal(err)
	}
	return id
}

// captured stores a captured payment and returns its id and order.
func (r rig) captured() (id, order string) {
	r.Helper()
	order, id = eventwire.NewID(eventwire.PrefixOrder, r.at), eventwire.NewID(eventwire.PrefixPayment, r.at)
	fresh := payments.Payment{
		ID: id, Merchant: merchant, OrderID: order, Provider: "fake", Capture: payments.CaptureAutomatic,
		Amount: money.Amount{Minor: 1000, Currency: "EUR"},
	}
	report := payments.Report{
		Reference: "ses_" + id, State: payments.ReportCaptured, Currency: "EUR", Amount: 1000, Captured: 1000, OccurredAt: r.at,
	}
	if err := r.apply(order, payments.Began{New: fresh}, payments.Told{Payment: id, Report: report}); err != nil {
		r.Fatal(err)
	}
	return id, order
}

func (r rig) rows(query string, args ...any) int64 {
	r.Helper()
	var n int64
	if err := r.db.Read(r.Context()).Raw(query, args...).Scan(&n).Error; err != nil {
		r.Fatal(err)
	}
	return n
}

func TestUpdate_an_error_stores_nothing(t *testing.T) {
	each(t, func(r rig) {
		id, order := r.captured()
		broken := errors.New("no")
		err := r.store.Update(r.Context(), merchant, order, func(l *payments.Ledger) error {
			why := payments.Why{At: r.at, Cause: payments.CauseMerchant}
			if _, err := l.Apply(payments.RefundWanted{Payment: id, Amount: 1, Key: "k"}, why, payments.Policy{}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			r.Fatalf("error %v", err)
		}
		if n := r.rows("SELECT COUNT(*) FROM payment_refunds"); n != 0 {
			r.Fatalf("%d refunds", n)
		}
		if n := r.rows("SELECT COUNT(*) FROM outbox"); n != 2 {
			r.Fatalf("%d events", n)
		}
	})
}

func TestUpdate_of_a_foreign_order_is_not_found(t *testing.T) {
	each(t, func(r rig) {
		_, order := r.captured()
		err := r.store.Update(r.Context(), "mer_11111111111111111111111111", order, func(*payments.Ledger) error { return nil })
		if !errors.Is(err, payments.ErrNotFound) {
			r.Fatalf("error %v", err)
		}
	})
}

func TestUpdate_what_is_stored_is_what_was_decided(t *testing.T) {
	each(t, func(r rig) {
		id, order := r.captured()
		if err := r.apply(order, payments.RefundWanted{Payment: id, Amount: 300, Key: "k", Reason: "r"}); err != nil {
			r.Fatal(err)
		}
		var decided payments.Payment
		err := r.store.Update(r.Context(), merchant, order, func(l *payments.Ledger) error { decided = *l.Payment(id); return nil })
		if err != nil {
			r.Fatal(err)
		}
		read, err := r.store.Payment(r.Context(), merchant, id)
		if err != nil {
			r.Fatal(err)
		}
		a, errA := decided.Newest()
		b, errB := read.Newest()
		if errA != nil || errB != nil {
			r.Fatal(errA, errB)
		}
		x, _ := a.Encode()
		y, _ := b.Encode()
		if string(x) != string(y) || read.RefundPending != 300 || read.Refunds[0].Status != payments.RefundRequested {
			r.Fatalf("decided %s\nread %s", x, y)
		}
	})
}

// The database refuses what our own arithmetic should never ask for.
func TestDatabase_refuses_refunds_beyond_the_captured_sum(t *testing.T) {
	each(t, func(r rig) {
		id, _ := r.captured()
		err := r.db.Write(r.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("UPDATE payments SET refunded = 600, refund_pending = 401 WHERE id = ?", id).Error
		})
		if err == nil || !strings.Contains(err.Error(), "refunds_within_captured") && !strings.Contains(strings.ToLower(err.Error()), "check") {
			r.Fatalf("error %v", err)
		}
	})
}

func TestDatabase_computes_the_sums_from_the_rows(t *testing.T) {
	each(t, func(r rig) {
		id, order := r.captured()
		var both sync.WaitGroup
		for _, key := range []string{"a", "b"} {
			both.Go(func() {
				if err := r.apply(order, payments.RefundWanted{Payment: id, Amount: 200, Key: key}); err != nil {
					r.Error(err)
				}
			})
		}
		both.Wait()
		if n := r.rows("SELECT refund_pending FROM payments WHERE id = ?", id); n != 400 {
			r.Fatalf("pending %d", n)
		}
		p, err := r.store.Payment(r.Context(), merchant, id)
		if err != nil {
			r.Fatal(err)
		}
		if err := r.apply(order, payments.Sent{Payment: id, Refund: p.Refunds[0].ID, Transfer: payments.Transfer{Status: payments.RefundSucceeded}}); err != nil {
			r.Fatal(err)
		}
		if n := r.rows("SELECT refunded - refund_pending FROM payments WHERE id = ?", id); n != 0 {
			r.Fatalf("200 and 200 differ by %d", n)
		}
	})
}

func TestReceive_stores_once_with_its_effect(t *testing.T) {
	each(t, func(r rig) {
		in := payments.Inbound{Provider: "fake", EventID: "evt_1", Payment: "pay_none", ReceivedAt: r.at, State: payments.InboxParked}
		calls := 0
		fn := func(l *payments.Ledger, in *payments.Inbound) error {
			if calls++; l != nil {
				r.Error("a ledger out of nothing")
			}
			in.State = payments.InboxParked
			return nil
		}
		for i := range 3 {
			fresh, err := r.store.Receive(r.Context(), in, fn)
			if err != nil || fresh != (i == 0) {
				r.Fatalf("copy %d: fresh %v, %v", i, fresh, err)
			}
		}
		if calls != 1 {
			r.Fatalf("%d calls", calls)
		}
		broken := errors.New("no")
		in.EventID = "evt_2"
		if _, err := r.store.Receive(r.Context(), in, func(*payments.Ledger, *payments.Inbound) error { return broken }); !errors.Is(err, broken) {
			r.Fatalf("error %v", err)
		}
		if n := r.rows("SELECT COUNT(*) FROM payment_callbacks"); n != 1 {
			r.Fatalf("%d callbacks stored", n)
		}
	})
}

func TestStart_key_is_unique_per_merchant(t *testing.T) {
	each(t, func(r rig) {
		start := func() error {
			order := eventwire.NewID(eventwire.PrefixOrder, r.at)
			return r.apply(order, payments.Began{New: payments.Payment{
				ID: eventwire.NewID(eventwire.PrefixPayment, r.at), Merchant: merchant, OrderID: order, Provider: "fake",
				Key: "same", Amount: money.Amount{Minor: 1, Currency: "EUR"},
			}})
		}
		if err := start(); err != nil {
			r.Fatal(err)
		}
		if err := start(); !errors.Is(err, gorm.ErrDuplicatedKey) {
			r.Fatalf("error %v", err)
		}
		if p, err := r.store.PaymentByKey(r.Context(), merchant, "same"); err != nil || p.Key != "same" {
			r.Fatalf("%v %+v", err, p)
		}
	})
}

func TestQueue_claims_once_postpones_and_tells_the_next(t *testing.T) {
	each(t, func(r rig) {
		claim := func(now, until time.Time) ([]payments.Claimed, time.Time, error) {
			return r.store.Claim(r.Context(), payments.Claim{Provider: "fake", Now: now, Until: until, Limit: 10})
		}
		order, id := eventwire.NewID(eventwire.PrefixOrder, r.at), eventwire.NewID(eventwire.PrefixPayment, r.at)
		if _, any, err := r.store.NextDue(r.Context(), "fake"); any || err != nil {
			r.Fatalf("nothing is due: %v %v", any, err)
		}
		err := r.apply(order, payments.Began{New: payments.Payment{
			ID: id, Merchant: merchant, OrderID: order, Provider: "fake", Amount: money.Amount{Minor: 1, Currency: "EUR"},
		}})
		if err != nil {
			r.Fatal(err)
		}
		due, any, err := r.store.NextDue(r.Context(), "fake")
		if err != nil || !any || !due.Equal(r.at) {
			r.Fatalf("due %v %v %v", due, any, err)
		}
		if _, any, _ := r.store.NextDue(r.Context(), "other"); any {
			r.Fatal("another provider's payment")
		}
		until := r.at.Add(time.Minute)
		if err := r.store.Postpone(r.Context(), "fake", until); err != nil {
			r.Fatal(err)
		}
		if list, _, err := claim(r.at, until); err != nil || len(list) != 0 {
			r.Fatalf("postponed, and claimed: %v %v", list, err)
		}
		lease := until.Add(time.Minute)
		list, _, err := claim(until, lease)
		if err != nil || len(list) != 1 || list[0] != (payments.Claimed{Merchant: merchant, Order: order, Payment: id}) {
			r.Fatalf("claimed %v %v", list, err)
		}
		if again, _, _ := claim(until, lease); len(again) != 0 {
			r.Fatal("claimed twice")
		}
		if due, _, _ := r.store.NextDue(r.Context(), "fake"); !due.Equal(lease) {
			r.Fatalf("the lease ends at %v, due %v", lease, due)
		}
	})
}

// Two processes: each asks as if it were alone, and both together stay under the rate.
func TestQueue_shares_the_pace_among_processes(t *testing.T) {
	each(t, func(r rig) {
		for range 12 {
			r.began()
		}
		claim := func(store *paymentsdb.Store, now time.Time) (int, time.Time) {
			list, again, err := store.Claim(r.Context(), payments.Claim{Provider: "fake", Now: now, Until: now.Add(time.Hour), Limit: 4, Rate: 5})
			if err != nil {
				r.Fatal(err)
			}
			return len(list), again
		}
		other := paymentsdb.New(r.db)
		if n, _ := claim(r.store, r.at); n != 4 {
			r.Fatalf("the first got %d", n)
		}
		if n, again := claim(other, r.at); n != 1 || !again.Equal(r.at.Add(200*time.Millisecond)) {
			r.Fatalf("the second got %d, again %s", n, again)
		}
		if n, _ := claim(r.store, r.at.Add(100*time.Millisecond)); n != 0 {
			r.Fatalf("too early, and got %d", n)
		}
		if n, _ := claim(other, r.at.Add(400*time.Millisecond)); n != 2 {
			r.Fatalf("after two gaps got %d", n)
		}
		quiet := r.at.Add(time.Minute)
		if err := r.store.Postpone(r.Context(), "fake", quiet); err != nil {
			r.Fatal(err)
		}
		if err := other.Postpone(r.Context(), "fake", r.at.Add(time.Second)); err != nil { // an earlier end
			r.Fatal(err)
		}
		late := r.began()
		if n, again := claim(other, r.at.Add(30*time.Second)); n != 0 || !again.Equal(quiet) {
			r.Fatalf("in the silence got %d, again %s", n, again)
		}
		if p, err := r.store.Payment(r.Context(), merchant, late); err != nil || !p.NextCheckAt.Equal(quiet) {
			r.Fatalf("began in the silence: next check %s, %v", p.NextCheckAt, err)
		}
	})
}

// What a process claimed by a clock that was an hour ahead, and did not finish, is
// not out of the others' reach for an hour; what one with a right clock has is.
func TestQueue_takes_back_what_was_leased_by_a_wrong_clock(t *testing.T) {
	each(t, func(r rig) {
		for range 4 {
			r.began()
		}
		claim := func(now time.Time) int {
			list, _, err := r.store.Claim(r.Context(), payments.Claim{Provider: "fake", Now: now, Until: now.Add(time.Minute), Limit: 10})
			if err != nil {
				r.Fatal(err)
			}
			return len(list)
		}
		if n := claim(r.at.Add(time.Hour)); n != 4 {
			r.Fatalf("the wrong clock got %d", n)
		}
		if n := claim(r.at); n != 4 {
			r.Fatalf("got %d of what was leased an hour ahead", n)
		}
		if n := claim(r.at.Add(59 * time.Second)); n != 0 {
			r.Fatalf("got %d of what was leased", n)
		}
	})
}

func TestAfter_pages_through_everything(t *testing.T) {
	each(t, func(r rig) {
		want := map[string]bool{}
		for range 5 {
			id, _ := r.captured()
			want[id] = true
		}
		for after := ""; ; {
			list, err := r.store.After(r.Context(), after, 2)
			if err != nil {
				r.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for _, p := range list {
				if !want[p.ID] || int64(len(p.Timeline)) != p.Sequence {
					r.Fatalf("%s: twice, or without its timeline", p.ID)
				}
				delete(want, p.ID)
				after = p.ID
			}
		}
		if len(want) != 0 {
			r.Fatalf("missing %v", want)
		}
	})
}

// A reader sees one moment of a payment: its refunds and its timeline belong to
// its sequence, whatever is written meanwhile.
func TestPayment_is_read_as_of_one_moment(t *testing.T) {
	each(t, func(r rig) {
		id, order := r.captured()
		writing := make(chan struct{})
		go func() {
			defer close(writing)
			for i := range 40 {
				if err := r.apply(order, payments.RefundWanted{Payment: id, Amount: 1, Key: string(rune('a' + i))}); err != nil {
					r.Error(err)
				}
			}
		}()
		for done := false; !done; {
			select {
			case <-writing:
				done = true
			default:
			}
			p, err := r.store.Payment(context.Background(), merchant, id)
			if err != nil {
				r.Error(err)
				break
			}
			if int(p.Sequence) != len(p.Timeline) || int64(len(p.Refunds)) != p.RefundPending || len(p.Timeline) != 2+len(p.Refunds) {
				r.Errorf("sequence %d, %d transitions, %d refunds", p.Sequence, len(p.Timeline), len(p.Refunds))
				break
			}
		}
		<-writing
	})
}

func TestCounts(t *testing.T) {
	each(t, func(r rig) {
		order := eventwire.NewID(eventwire.PrefixOrder, r.at)
		err := r.apply(order, payments.Began{New: payments.Payment{
			ID: eventwire.NewID(eventwire.PrefixPayment, r.at), Merchant: merchant, OrderID: order, Provider: "fake",
			Amount: money.Amount{Minor: 1, Currency: "EUR"},
		}})
		if err != nil {
			r.Fatal(err)
		}
		r.captured()
		got, err := r.store.Counts(r.Context(), r.at, 5)
		if err != nil || got.Open != 1 || got.Overdue != 0 {
			r.Fatalf("%+v %v", got, err)
		}
		if got, _ = r.store.Counts(r.Context(), r.at.Add(time.Millisecond), 0); got.Overdue != 1 || got.BudgetUsed != 1 {
			r.Fatalf("a millisecond later: %+v", got)
		}
	})
}

func TestMigrations_of_an_unknown_dialect_panic(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	paymentsdb.Migrations("oracle")
}
