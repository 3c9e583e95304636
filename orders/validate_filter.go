package orders

import (
	"fmt"
	"slices"
	"strings"

	"tracker/notify/eventwire"
)

// checkFilter names query parameters by pointers of one step, "/status".
func checkFilter(f Filter) error {
	c := &checker{}
	c.between("/limit", int64(f.Limit), 1, MaxLimit)
	each(c, "/status", f.Status, Statuses())
	each(c, "/payment_status", f.PaymentStatus, PaymentStatuses())
	each(c, "/fulfillment_status", f.FulfillmentStatus, FulfillmentStatuses())
	each(c, "/waits_for", f.WaitsFor, Actors())
	each(c, "/task", f.Task, Tasks())
	c.line("/reference", f.Reference, MaxReference, false)
	c.line("/q", f.Query, MaxQuery, false)
	if f.StartingAfter != "" && !eventwire.ValidID(eventwire.PrefixOrder, f.StartingAfter) {
		c.add("/starting_after", "invalid", "must be the id of an order")
	}
	return c.err()
}

func each[S ~string](c *checker, pointer string, values, known []S) {
	for _, v := range values {
		if !slices.Contains(known, v) {
			c.add(pointer, "unknown", "%q is none of %s", string(v), strings.Trim(fmt.Sprint(known), "[]"))
		}
	}
}
