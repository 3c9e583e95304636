package orders

import (
	"slices"

	"tracker/notify/eventwire"
)

// checkFilter names query parameters by pointers of one step, "/status".
func checkFilter(f Filter) error {
	c := &checker{}
	c.between("/limit", int64(f.Limit), 1, MaxLimit)
	each(c, "/status", f.Status, Status.Valid)
	each(c, "/payment_status", f.PaymentStatus, PaymentStatus.Valid)
	each(c, "/fulfillment_status", f.FulfillmentStatus, FulfillmentStatus.Valid)
	each(c, "/waits_for", f.WaitsFor, func(a Actor) bool { return slices.Contains(Actors(), a) })
	each(c, "/task", f.Task, func(t Task) bool { return slices.Contains(Tasks(), t) })
	c.line("/reference", f.Reference, MaxReference, false)
	c.line("/q", f.Query, MaxQuery, false)
	if f.StartingAfter != "" && !eventwire.ValidID(eventwire.PrefixOrder, f.StartingAfter) {
		c.add("/starting_after", "invalid", "must be the id of an order")
	}
	return c.err()
}

func each[S ~string](c *checker, pointer string, values []S, valid func(S) bool) {
	for _, v := range values {
		if !valid(v) {
			c.add(pointer, "unknown", "%q is not a value of it", string(v))
		}
	}
}
