package payments_test

import (
	"testing"
	"time"

	"tracker/payments"
)

// A process whose clock was an hour ahead has handed out calls by it. When the
// clock is right again, neither that process nor another waits for the hour.
func TestReconciler_survives_a_clock_that_was_ahead(t *testing.T) {
	for name, after := range map[string]func(*rig){"the same process": func(*rig) {}, "another process": (*rig).restart} {
		t.Run(name, func(t *testing.T) {
			eachWith(t, payments.Options{Rate: 1}, func(r *rig) {
				look := func() int {
					n, err := r.svc.Reconcile(r.Context())
					if err != nil {
						r.Fatal(err)
					}
					return n
				}
				r.clock.add(time.Hour)
				for range 3 {
					r.start(r.order(1000))
				}
				r.clock.add(2 * time.Minute)
				if look() == 0 {
					r.Fatal("nothing was due")
				}
				r.clock.add(-time.Hour)
				after(r)
				p := r.start(r.order(1000))
				r.clock.add(2 * time.Minute)
				if look() == 0 {
					r.Fatalf("nobody looked after %s", p.ID)
				}
			})
		})
	}
}
