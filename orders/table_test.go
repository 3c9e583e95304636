package orders_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tracker/orders"
)

// TestTables_match_the_diagrams reads the diagrams of doc.go and compares each
// row with the table, in both directions.
func TestTables_match_the_diagrams(t *testing.T) {
	t.Parallel()
	drawn := diagrams(t)
	compareTable(t, drawn["order.status"], orders.Statuses(), orders.Status.Allows)
	compareTable(t, drawn["order.payment_status"], orders.PaymentStatuses(), orders.PaymentStatus.Allows)
	compareTable(t, drawn["order.fulfillment_status"], orders.FulfillmentStatuses(), orders.FulfillmentStatus.Allows)
	compareTable(t, drawn["shipment.status"], orders.ShipmentStatuses(), orders.ShipmentStatus.Allows)
}

func compareTable[S ~string](t *testing.T, drawn map[string][]string, states []S, allows func(S, S) bool) {
	t.Helper()
	table := map[string][]string{}
	for _, from := range states {
		table[string(from)] = []string{}
		for _, to := range states {
			if allows(from, to) {
				table[string(from)] = append(table[string(from)], string(to))
			}
		}
		slices.Sort(table[string(from)])
	}
	if diff := cmp.Diff(drawn, table); diff != "" {
		t.Errorf("%T: the diagram in doc.go and the table differ (-drawn +table)\n%s", states, diff)
	}
}

// diagrams is heading → from → sorted list of to.
func diagrams(t *testing.T) map[string]map[string][]string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`^// ((?:order|shipment)\.[a-z_]+):$`)
	row := regexp.MustCompile(`^//\t([a-z_]+) → (.+)$`)
	all, current := map[string]map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			current = m[1]
			all[current] = map[string][]string{}
		}
		if m := row.FindStringSubmatch(line); m != nil {
			next := []string{}
			if m[2] != "end" {
				next = strings.Split(m[2], " | ")
			}
			slices.Sort(next)
			all[current][m[1]] = next
		}
	}
	return all
}

func TestTables_say_who_acts_next(t *testing.T) {
	t.Parallel()
	got := map[string]orders.Actor{}
	for _, s := range orders.Statuses() {
		got["status "+string(s)] = s.ActsNext()
	}
	for _, s := range orders.PaymentStatuses() {
		got["payment "+string(s)] = s.ActsNext()
	}
	for _, s := range orders.FulfillmentStatuses() {
		got["fulfillment "+string(s)] = s.ActsNext()
	}
	for _, s := range orders.ShipmentStatuses() {
		got["shipment "+string(s)] = s.ActsNext()
	}
	for state, actor := range got {
		if !slices.Contains(orders.Actors(), actor) {
			t.Errorf("%s: nobody known acts next: %q", state, actor)
		}
	}
	for state, want := range map[string]orders.Actor{
		"status pending_payment": orders.ActorShopper, "status completed": orders.ActorNobody,
		"payment processing": orders.ActorBank, "payment review": orders.ActorMerchant,
		"fulfillment on_hold": orders.ActorMerchant, "shipment in_transit": orders.ActorCarrier,
		"shipment available_for_pickup": orders.ActorShopper,
	} {
		if got[state] != want {
			t.Errorf("%s: %s acts next, want %s", state, got[state], want)
		}
	}
}

func TestTables_know_no_other_words(t *testing.T) {
	t.Parallel()
	if orders.Status("paid").Valid() || orders.PaymentStatus("").Valid() ||
		orders.FulfillmentStatus("shipped").Valid() || orders.ShipmentStatus("sent").Valid() {
		t.Error("a word that is no state is valid")
	}
	if orders.Status("paid").Final() || orders.Status("paid").Allows(orders.StatusConfirmed) {
		t.Error("a word that is no state has a place in the table")
	}
	if got := fmt.Sprint(orders.StatusPendingPayment.Final(), orders.StatusCompleted.Final()); got != "false true" {
		t.Errorf("final: %s", got)
	}
}
