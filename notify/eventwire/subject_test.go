package eventwire_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tracker/notify/eventwire"
)

func TestNewID_is_valid_unique_and_sorts_by_time(t *testing.T) {
	t.Parallel()
	var ids []string
	for ms := range 1000 {
		ids = append(ids, eventwire.NewID(eventwire.PrefixOrder, time.UnixMilli(int64(ms)+1.8e12)))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids of later moments sort before earlier ones")
	}
	for _, id := range ids {
		if !eventwire.ValidID(eventwire.PrefixOrder, id) {
			t.Fatalf("%s is not valid", id)
		}
	}
	if len(slices.Compact(ids)) != len(ids) {
		t.Error("an id came twice")
	}
}

func TestValidID_lets_nothing_into_a_subject(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "ord_", order[:29], order + "0", strings.Replace(order, "6", ".", 1), strings.Replace(order, "6", "*", 1),
		strings.Replace(order, "6", ">", 1), strings.Replace(order, "6", " ", 1), strings.ToUpper(order), payment, "ord_" + strings.Repeat("l", 26)} {
		if eventwire.ValidID(eventwire.PrefixOrder, id) || eventwire.Orders.ValidID(id) {
			t.Errorf("%q is valid", id)
		}
	}
}

func TestKey_Subject_round_trip(t *testing.T) {
	t.Parallel()
	for _, kind := range eventwire.Kinds() {
		id := map[eventwire.Kind]string{eventwire.Orders: order, eventwire.Payments: payment}[kind]
		key := eventwire.Key{Merchant: merchant, Kind: kind, ID: id}
		back, err := eventwire.ParseSubject(key.Subject())
		if err != nil || back != key {
			t.Errorf("%v: %v, %v", key, back, err)
		}
		if !strings.HasPrefix(key.Subject(), strings.TrimSuffix(eventwire.KindWildcard(kind), ">")) {
			t.Errorf("%s is not under %s", key.Subject(), eventwire.KindWildcard(kind))
		}
	}
	for _, bad := range []string{"", "tracker.orders", "tracker.cooks." + merchant + "." + order, "x.orders." + merchant + "." + order,
		"tracker.orders." + merchant + "." + payment, "tracker.orders.mer_1." + order, "tracker.orders." + merchant + "." + order + ".x"} {
		if _, err := eventwire.ParseSubject(bad); err == nil {
			t.Errorf("%q was parsed", bad)
		}
	}
}
