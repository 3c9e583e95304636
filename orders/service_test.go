package orders_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tracker/orders"
)

func TestService_the_main_path(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.create()
	if o.Amount != 4198 || o.Status != orders.StatusPendingPayment || o.PaymentStatus != orders.PaymentUnpaid ||
		o.FulfillmentStatus != orders.FulfillmentUnfulfilled || o.TokenEpoch != 1 || !o.PayBy.Equal(w.now.Add(24*time.Hour)) {
		t.Fatalf("a new order: %+v", o)
	}
	w.pay(o, money{Status: "requires_action"})
	w.pay(o, money{Status: "processing", Seq: 2})
	o = w.pay(o, money{Status: "captured", Captured: o.Amount, Seq: 3})
	o, parcel := w.ship(o)
	w.report(parcel, orders.ShipmentInTransit, w.now)
	o = w.report(parcel, orders.ShipmentDelivered, w.now.Add(time.Hour))
	const want = `1 created →pending_payment merchant
2 payment_changed unpaid→action_required payment
3 payment_changed action_required→processing payment
4 payment_changed processing→paid payment
5 confirmed pending_payment→confirmed payment
6 shipment_created unfulfilled→fulfilled merchant
7 shipment_changed label_created→in_transit callback
8 shipment_changed in_transit→delivered callback
9 completed confirmed→completed callback
`
	if diff := cmp.Diff(want, story(o)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !o.Closed() {
		t.Error("a delivered and paid order is not closed")
	}
	if last := o.Timeline[6]; last.TheirTime == nil || !last.TheirTime.Equal(w.now) || last.Evidence != "DHL 0034" || last.Subject != parcel {
		t.Errorf("the carrier's transition: %+v", last)
	}
}

func TestService_Cancel(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("an unpaid order", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.create()
		o = w.must(w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{Reason: "changed my mind", By: orders.CauseShopper}))
		if o.Status != orders.StatusCancelled || o.CancelledBy != orders.CauseShopper || o.RefundDue() != 0 || !o.Closed() {
			t.Errorf("%+v", o)
		}
	})
	t.Run("again is a no-op", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.create()
		first := w.must(w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{Reason: "one"}))
		again := w.must(w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{Reason: "two"}))
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("it changed\n%s", diff)
		}
	})
	t.Run("a paid order owes the money until it is back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.paid()
		o = w.must(w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{}))
		if o.RefundDue() != 4198 || o.Closed() || o.Waits() != (orders.Waits{For: orders.ActorMerchant, Task: orders.TaskRefund}) {
			t.Fatalf("due %d, closed %v, waits %v", o.RefundDue(), o.Closed(), o.Waits())
		}
		o = w.pay(o, money{Status: "captured", Captured: 4198, RefundPending: 4198, Seq: 2})
		if o.RefundDue() != 4198 || o.Closed() {
			t.Errorf("while it is on its way: due %d, closed %v", o.RefundDue(), o.Closed())
		}
		// The payment announces the refund first and what it is thereby second.
		o = w.pay(o, money{Status: "captured", Captured: 4198, Refunded: 4198, Seq: 3})
		if o.RefundDue() != 0 || o.Closed() {
			t.Errorf("with one more event to come: due %d, closed %v", o.RefundDue(), o.Closed())
		}
		o = w.pay(o, money{Status: "refunded", Captured: 4198, Refunded: 4198, Seq: 4})
		if o.RefundDue() != 0 || !o.Closed() || o.PaymentStatus != orders.PaymentRefunded || o.Status != orders.StatusCancelled {
			t.Errorf("after it: due %d, closed %v, %s", o.RefundDue(), o.Closed(), o.PaymentStatus)
		}
	})
	t.Run("a success that comes later is owed too", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.create()
		w.must(w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{}))
		o = w.pay(o, money{Status: "late_success", Captured: 4198})
		if o.Status != orders.StatusCancelled || o.RefundDue() != 4198 || o.Closed() {
			t.Errorf("%s, due %d, closed %v", o.Status, o.RefundDue(), o.Closed())
		}
		o = w.pay(o, money{Status: "refunded", Captured: 4198, Refunded: 4198, Seq: 2, Past: []string{"late_success"}})
		if o.Status != orders.StatusCancelled || o.RefundDue() != 0 || !o.Closed() || o.PaymentStatus != orders.PaymentRefunded {
			t.Errorf("%s, %s, due %d, closed %v", o.Status, o.PaymentStatus, o.RefundDue(), o.Closed())
		}
	})
	t.Run("an accepted late success is not owed by an expired order", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.create()
		w.now = o.PayBy
		if n, err := w.service.Sweep(ctx); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		o = w.pay(o, money{Status: "captured", Past: []string{"expired", "late_success"}, Captured: 4198, Seq: 3})
		if o.Status != orders.StatusExpired || o.RefundDue() != 0 || !o.Closed() || o.PaymentStatus != orders.PaymentPaid {
			t.Errorf("%s, %s, due %d, closed %v", o.Status, o.PaymentStatus, o.RefundDue(), o.Closed())
		}
	})
	t.Run("after shipping is a conflict", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o, _ := w.ship(w.paid(), orders.ShipmentItem{SKU: "PLATE", Quantity: 1})
		_, err := w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{})
		wantConflict(t, err, orders.CodeAlreadyShipped, "confirmed", 4)
	})
	t.Run("after the shipment was called off it may be cancelled", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o, parcel := w.ship(w.paid())
		w.report(parcel, orders.ShipmentCancelled, w.now)
		o = w.must(w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{}))
		if o.Status != orders.StatusCancelled || o.RefundDue() != o.Amount {
			t.Errorf("%s, due %d", o.Status, o.RefundDue())
		}
	})
	t.Run("a completed order is a conflict", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o, parcel := w.ship(w.paid())
		w.report(parcel, orders.ShipmentDelivered, w.now)
		_, err := w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{})
		wantConflict(t, err, orders.CodeIllegalTransition, "completed", 6)
	})
	t.Run("on another sequence is a conflict", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		o := w.create()
		_, err := w.service.Cancel(ctx, merchant, o.ID, orders.Cancellation{IfSequence: 7})
		wantConflict(t, err, orders.CodeSequenceMismatch, "pending_payment", 1)
	})
}

func wantConflict(t *testing.T, err error, code, status string, sequence int64) {
	t.Helper()
	var got *orders.ConflictError
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want a conflict", err)
	}
	if got.Code != code || got.Status != status || got.Sequence != sequence || got.Detail == "" {
		t.Errorf("got %+v, want %s at %s, %d", got, code, status, sequence)
	}
}

func TestService_Create_of_an_order_over_nothing_is_confirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.newOrder()
	in.Items = []orders.Item{{SKU: "SAMPLE", Name: "Sample", Quantity: 1}}
	o := w.must(w.service.Create(context.Background(), merchant, in))
	if o.Status != orders.StatusConfirmed || o.PaymentStatus != orders.PaymentPaid || o.Sequence != 2 {
		t.Errorf("%s, %s, %d", o.Status, o.PaymentStatus, o.Sequence)
	}
}

func TestService_what_needs_no_shipping_is_completed_when_paid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in, no := w.newOrder(), false
	in.RequiresShipping = &no
	o := w.must(w.service.Create(context.Background(), merchant, in))
	if o.FulfillmentStatus != orders.FulfillmentNotRequired {
		t.Errorf("fulfilment %s", o.FulfillmentStatus)
	}
	o = w.pay(o, money{Status: "captured", Captured: o.Amount})
	if o.Status != orders.StatusCompleted || !o.Closed() || o.Sequence != 4 {
		t.Errorf("%s, closed %v, %d", o.Status, o.Closed(), o.Sequence)
	}
}

func TestService_Hold_and_Release(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	o := w.paid()
	o = w.must(w.service.Hold(ctx, merchant, o.ID, orders.Hold{By: orders.CauseOperator}))
	o = w.must(w.service.Hold(ctx, merchant, o.ID, orders.Hold{}))
	if o.FulfillmentStatus != orders.FulfillmentOnHold || o.Sequence != 4 || o.Waits().Task != orders.TaskRelease {
		t.Fatalf("%s, %d, %v", o.FulfillmentStatus, o.Sequence, o.Waits())
	}
	_, _, err := w.service.Ship(ctx, merchant, o.ID, orders.NewShipment{Carrier: "DHL", TrackingNumber: "00340434"})
	wantConflict(t, err, orders.CodeOnHold, "confirmed", 4)
	o = w.must(w.service.Release(ctx, merchant, o.ID, orders.Hold{}))
	if o.FulfillmentStatus != orders.FulfillmentUnfulfilled || o.Latest.From != "on_hold" {
		t.Errorf("%s, %+v", o.FulfillmentStatus, o.Latest)
	}
}

func TestService_a_held_order_is_completed_when_it_is_released(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	o, parcel := w.ship(w.paid())
	w.must(w.service.Hold(ctx, merchant, o.ID, orders.Hold{}))
	if o = w.report(parcel, orders.ShipmentDelivered, w.now); o.Status != orders.StatusConfirmed {
		t.Fatalf("while on hold: %s", o.Status)
	}
	if o = w.must(w.service.Release(ctx, merchant, o.ID, orders.Hold{})); o.Status != orders.StatusCompleted {
		t.Errorf("after it: %s", o.Status)
	}
	_, err := w.service.Hold(ctx, merchant, o.ID, orders.Hold{})
	wantConflict(t, err, orders.CodeIllegalTransition, "completed", o.Sequence)
}

func TestService_RotateToken_raises_the_epoch_in_the_event(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.create()
	o = w.must(w.service.RotateToken(context.Background(), merchant, o.ID, 0))
	e, err := w.service.Newest(context.Background(), merchant, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if e.Epoch != 2 || e.Type != orders.TypePaymentChanged || e.Transition.Subject != orders.SubjectToken ||
		e.Transition.From != e.Transition.To {
		t.Errorf("%+v", e)
	}
}

func TestService_Payable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.create()
	due := func() orders.Due {
		d, err := w.service.Payable(context.Background(), merchant, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := due(); !d.Open || d.Amount != 4198 || d.Currency != "EUR" || d.Reference != "1042" {
		t.Errorf("a new order: %+v", d)
	}
	w.pay(o, money{Status: "captured", Captured: 1000})
	if d := due(); !d.Open || d.Amount != 3198 {
		t.Errorf("a part is paid: %+v", d)
	}
	w.now = w.now.Add(orders.DefaultPayWithin)
	if d := due(); d.Open {
		t.Errorf("its time is over: %+v", d)
	}
	w.now = w.now.Add(-time.Hour)
	w.pay(o, money{ID: "pay_0000000000000000000000000b", Status: "captured", Captured: 3198})
	if d := due(); d.Open || d.Amount != 0 || d.Status != orders.StatusConfirmed {
		t.Errorf("all is paid: %+v", d)
	}
}

func TestService_a_lost_race_is_decided_again(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.create()
	lost := 0
	w.store.SaveFunc = func(orders.Change) error {
		if lost < 3 {
			lost++
			return orders.ErrStale
		}
		return nil
	}
	if o = w.must(w.service.Cancel(context.Background(), merchant, o.ID, orders.Cancellation{})); o.Status != orders.StatusCancelled {
		t.Errorf("%s", o.Status)
	}
	w.store.SaveFunc = func(orders.Change) error { return orders.ErrStale }
	_, err := w.service.RotateToken(context.Background(), merchant, o.ID, 0)
	wantConflict(t, err, orders.CodeConcurrentUpdate, "cancelled", 2)
}

func TestService_an_error_of_the_store_comes_through(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("the disk is full")
	w.store.SaveFunc = func(orders.Change) error { return broken }
	if _, err := w.service.Create(context.Background(), merchant, w.newOrder()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestService_time_never_runs_backwards_within_an_order(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.create()
	w.now = w.now.Add(-time.Minute)
	o = w.must(w.service.Cancel(context.Background(), merchant, o.ID, orders.Cancellation{}))
	if o.Latest.At.Before(o.Timeline[0].At) {
		t.Errorf("%s comes before %s", o.Latest.At, o.Timeline[0].At)
	}
}
