package payments_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tracker/config/dbconn"
	"tracker/config/dbconn/dbtest"
	"tracker/payments"
	"tracker/payments/paymentsdb"
)

// run starts the reconciler and returns a function that stops it and waits.
func run(t *testing.T, svc *payments.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- svc.RunReconciler(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("reconciler: %v", err)
		}
	}
}

// The reconciler sleeps until the very moment of the next check, and does
// nothing in between.
func TestRunReconciler_wakes_exactly_when_the_check_is_due(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newMemStore(), payments.Options{Idle: time.Hour})
		r.opt.Now = time.Now
		r.restart()
		claims := &countingStore{Store: r.store}
		svc := payments.NewService(claims, map[string]payments.Provider{"fake": r.bank}, r, r.opt)
		defer run(t, svc)()
		synctest.Wait()
		p, err := svc.Start(t.Context(), payments.Start{Merchant: merchant, OrderID: r.order(1999)})
		if err != nil {
			t.Fatal(err)
		}
		r.bank.approve(p.Reference)
		synctest.Wait()
		idle := claims.claims.Load()
		time.Sleep(time.Until(p.NextCheckAt) - time.Millisecond)
		synctest.Wait()
		if got := r.get(p.ID); got.Status != payments.StatusRequiresAction || claims.claims.Load() != idle {
			t.Fatalf("before it is due: %s, %d claims", got.Status, claims.claims.Load()-idle)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		r.want(p.ID, payments.StatusCaptured)
	})
}

type countingStore struct {
	payments.Store
	claims atomic.Int64
}

func (c *countingStore) Claim(ctx context.Context, in payments.Claim) ([]payments.Claimed, time.Time, error) {
	c.claims.Add(1)
	return c.Store.Claim(ctx, in)
}

func TestRunReconciler_is_woken_by_what_an_order_owes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newMemStore(), payments.Options{})
		r.opt.Now = time.Now
		r.restart()
		defer run(t, r.svc)()
		order := r.order(1999)
		p := r.start(order)
		r.say(p, "evt_1", r.bank.approve(p.Reference))
		began := time.Now()
		r.closeOrder(order, "order.cancelled")
		synctest.Wait()
		r.want(p.ID, payments.StatusRefunded)
		if waited := time.Since(began); waited > 0 {
			t.Fatalf("waited %s", waited)
		}
	})
}

func TestRunReconciler_a_slow_bank_does_not_hold_up_the_others(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newMemStore(), payments.Options{Workers: 2})
		r.opt.Now = time.Now
		r.restart()
		slow := r.start(r.order(1))
		r.bank.StatusFunc = func(ref string) (payments.Report, error) {
			if ref == slow.Reference {
				time.Sleep(9 * time.Second)
			}
			return r.bank.with(ref, func(*session) {}), nil
		}
		var others []payments.Payment
		for range 10 {
			p := r.start(r.order(2))
			r.bank.approve(p.Reference)
			others = append(others, p)
		}
		defer run(t, r.svc)()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for _, p := range others {
			r.want(p.ID, payments.StatusCaptured)
		}
	})
}

// The same in real time, on real databases, with the durations of a sandbox.
func TestRunReconciler_with_milliseconds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, sets, func(t *testing.T, db *dbconn.DB) {
		r := newRig(t, paymentsdb.New(db), payments.Options{
			Policy: payments.Policy{Expiry: time.Hour, After: 50 * time.Millisecond},
		})
		r.opt.Now = time.Now
		r.restart()
		// One shopper approves in the same moment, however slow the machine is.
		r.bank.CreateFunc = func(in payments.NewSession) (payments.Session, error) {
			s, err := r.bank.create(in)
			if in.Amount.Minor == 1999 {
				r.bank.approve(s.Reference)
			}
			return s, err
		}
		defer run(t, r.svc)()
		// Only the other must be quick: its time may be up before the bank hears of it.
		silent, brief := r.start(r.order(1999)), r.order(5)
		r.setDue(brief, payments.Due{Amount: amount(5), Open: true, Reference: "1042", PayBy: time.Now().Add(300 * time.Millisecond)})
		unpaid := r.start(brief)
		eventually(t, func() bool {
			return r.get(silent.ID).Status == payments.StatusCaptured && r.get(unpaid.ID).Status == payments.StatusExpired
		})
		if got := r.get(unpaid.ID); got.UpdatedAt.Before(unpaid.ExpiresAt) {
			t.Fatalf("expired at %s, before %s", got.UpdatedAt, unpaid.ExpiresAt)
		}
	})
}

// eventually waits until fits holds, for as long as a slow machine may take.
func eventually(t *testing.T, fits func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !fits() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it never came")
		}
	}
}

// A client that hangs up while the bank thinks does not undo what it asked for.
func TestCommand_goes_on_when_the_caller_is_gone(t *testing.T) {
	each(t, func(r *rig) {
		p := authorizedPayment(r)
		ctx, hangUp := context.WithCancel(context.Background())
		var once sync.Once
		r.bank.FaultFunc = func(string) (error, error) { once.Do(hangUp); return nil, nil }
		got, err := r.svc.Capture(ctx, payments.Command{Merchant: merchant, ID: p.ID}, 0)
		if err != nil || got.Status != payments.StatusCaptured {
			r.Fatalf("%v %s", err, got.Status)
		}
	})
}
