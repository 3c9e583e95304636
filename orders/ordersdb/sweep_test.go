package ordersdb_test

import (
	"testing"
	"time"

	"tracker/orders"
)

func TestStore_the_sweeper_expires_what_nobody_pays(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		states := []string{"", "created", "requires_action", "failed", "processing", "unknown", "authorized", "review", "captured"}
		byState := map[string]string{}
		for _, state := range states {
			o := w.create(t)
			byState[state] = o.ID
			if state == "" {
				continue
			}
			p := payment{Status: state}
			if state == "captured" {
				p.Captured = o.Amount
			}
			w.pay(t, o, p)
		}
		if n, err := w.service.Sweep(t.Context()); n != 0 || err != nil {
			t.Fatalf("before its time: %d expired, %v", n, err)
		}
		w.now = w.now.Add(orders.DefaultPayWithin)
		n, err := w.service.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n != 2 {
			t.Errorf("%d expired", n)
		}
		expires := map[string]bool{"": true, "failed": true}
		for state, id := range byState {
			o := w.get(t, id)
			if (o.Status == orders.StatusExpired) != expires[state] {
				t.Errorf("with a payment %q the order is %s", state, o.Status)
			}
			if o.Status == orders.StatusExpired && o.Latest.Cause != string(orders.CauseTimer) {
				t.Errorf("expired because of %q", o.Latest.Cause)
			}
		}
	})
}

func TestStore_two_sweepers_and_a_payment_at_once(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		list := make([]orders.Order, 30)
		for i := range list {
			list[i] = w.create(t)
		}
		w.now = w.now.Add(orders.DefaultPayWithin + time.Second)
		counts := make([]int, 2)
		errs := race(3, func(i int) (err error) {
			if i < 2 {
				counts[i], err = w.service.Sweep(t.Context())
				return err
			}
			for _, o := range list {
				w.pay(t, o, payment{Status: "captured", Captured: o.Amount})
			}
			return nil
		})
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		expired := 0
		for _, o := range list {
			o = w.get(t, o.ID)
			switch {
			case o.Status == orders.StatusExpired && o.RefundDue() == o.Amount:
				expired++
			case o.Status != orders.StatusConfirmed:
				t.Errorf("%s, refund due %d", o.Status, o.RefundDue())
			}
		}
		if expired != counts[0]+counts[1] {
			t.Errorf("%d expired, the sweepers say %v", expired, counts)
		}
	})
}
