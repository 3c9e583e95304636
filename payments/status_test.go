package payments_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tracker/payments"
)

// diagram reads the arrows "from → to, to" that stand in doc.go under a heading.
func diagram(t *testing.T, heading string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), heading)
	if !found {
		t.Fatalf("doc.go has no %q", heading)
	}
	arrow := regexp.MustCompile(`^//\t(\w+) +→ (.*)$`)
	table := map[string][]string{}
	for line := range strings.Lines(after) {
		m := arrow.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			if len(table) > 0 {
				break
			}
			continue
		}
		table[m[1]] = nil
		if m[2] != "the end" {
			table[m[1]] = strings.Split(m[2], ", ")
		}
	}
	return table
}

func TestStatus_diagram_is_the_table(t *testing.T) {
	t.Parallel()
	want := map[string][]string{}
	for _, s := range payments.Statuses() {
		want[string(s)] = words(s.Next())
	}
	if diff := cmp.Diff(want, diagram(t, "# The life of a payment")); diff != "" {
		t.Fatalf("table and diagram (-table +doc.go)\n%s", diff)
	}
}

func TestRefundStatus_diagram_is_the_table(t *testing.T) {
	t.Parallel()
	want := map[string][]string{}
	for _, s := range payments.RefundStatuses() {
		want[string(s)] = words(s.Next())
	}
	if diff := cmp.Diff(want, diagram(t, "# The life of a refund")); diff != "" {
		t.Fatalf("table and diagram (-table +doc.go)\n%s", diff)
	}
}

func words[S ~string](list []S) []string {
	var texts []string
	for _, s := range list {
		texts = append(texts, string(s))
	}
	return texts
}

func TestStatus_every_status_can_be_reached_and_none_is_a_trap(t *testing.T) {
	t.Parallel()
	reached := map[payments.Status]bool{payments.StatusCreated: true}
	for queue := []payments.Status{payments.StatusCreated}; len(queue) > 0; queue = queue[1:] {
		for _, next := range queue[0].Next() {
			if !reached[next] {
				reached[next] = true
				queue = append(queue, next)
			}
		}
	}
	for _, s := range payments.Statuses() {
		if !reached[s] {
			t.Errorf("%s cannot be reached", s)
		}
		if len(s.Next()) == 0 && !s.Final() {
			t.Errorf("%s is not final and leads nowhere", s)
		}
	}
}

// Nothing that ended with money, or with a person's decision, may go back to
// waiting for the shopper or the bank.
func TestStatus_forward_only(t *testing.T) {
	t.Parallel()
	undecided := []payments.Status{payments.StatusCreated, payments.StatusRequiresAction, payments.StatusProcessing, payments.StatusUnknown}
	for _, from := range payments.Statuses() {
		if slices.Contains(undecided, from) {
			continue
		}
		for _, to := range undecided {
			if from.CanBecome(to) {
				t.Errorf("%s may become %s", from, to)
			}
		}
		if from.Final() && from.CanBecome(payments.StatusAuthorized) {
			t.Errorf("%s may become authorized", from)
		}
	}
}

func TestEventTypes_are_complete(t *testing.T) {
	t.Parallel()
	if got, want := len(payments.EventTypes()), len(payments.Statuses())+3; got != want {
		t.Fatalf("%d types, want %d", got, want)
	}
}
