package web

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/payments"
	"tracker/payments/money"
)

// The moment at which every golden state is looked at.
var goldenNow = clock("12:00")

func clock(hm string) time.Time { return moment("2026-11-23T" + hm + ":00Z") }

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// build changes a state that starts as an unpaid order.
type build func(*pageState)

func newState(changes ...build) pageState {
	s := pageState{
		Order: orders.Summary{
			ID: "ord_1", Reference: "1042", Status: orders.StatusPendingPayment, PaymentStatus: orders.PaymentUnpaid,
			FulfillmentStatus: orders.FulfillmentUnfulfilled, Amount: 4198, Currency: "EUR", Sequence: 1,
			Items: []orders.Item{{SKU: "mug", Name: "Mug", Quantity: 2, UnitAmount: 1500}, {SKU: "plate", Name: "صحن 🍽️", Quantity: 1, UnitAmount: 1198}},
			Shop:  orders.Shop{Name: "Kiln & Clay", URL: "https://shop.example", HelpURL: "https://shop.example/help"},
			PayBy: clock("12:30"), CreatedAt: clock("10:01"), UpdatedAt: clock("10:01"),
			Shipments: []orders.ShipmentSummary{}, Payments: []orders.Payment{},
		},
		Timeline: []eventwire.Transition{{Seq: 1, Type: "order.created", To: "pending_payment", At: clock("10:01"), Cause: "merchant"}},
		Payments: map[string]paymentState{},
		Settings: pageSettings{RefundDays: "5 to 10", LateSuccess: "refund"},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func (s *pageState) add(kind, from, to, at, cause, subject string) {
	s.Timeline = append(s.Timeline, eventwire.Transition{Seq: int64(len(s.Timeline) + 1), Type: kind, From: from, To: to,
		At: moment(at), Cause: cause, Subject: subject})
	s.Order.UpdatedAt, s.Order.Sequence = moment(at), int64(len(s.Timeline))
}

func status(order orders.Status, pay orders.PaymentStatus, sent orders.FulfillmentStatus) build {
	return func(s *pageState) {
		s.Order.Status, s.Order.PaymentStatus, s.Order.FulfillmentStatus = order, pay, sent
	}
}

// payment adds a payment in a state, as order and payments tell it.
func payment(p payments.Summary, timeline ...eventwire.Transition) build {
	return func(s *pageState) {
		if p.ID == "" {
			p.ID = fmt.Sprintf("pay_%d", len(s.Order.Payments)+1)
		}
		if p.Amount == 0 {
			p.Amount = 4198
		}
		if p.UpdatedAt.IsZero() {
			p.UpdatedAt = clock("10:03")
		}
		p.OrderID, p.Currency = s.Order.ID, "EUR"
		s.Order.Payments = append(s.Order.Payments, orders.Payment{ID: p.ID, Status: string(p.Status), Amount: p.Amount, Captured: p.Captured,
			Refunded: p.Refunded, RefundPending: p.RefundPending, UpdatedAt: p.UpdatedAt, NextCheckAt: p.NextCheckAt})
		s.Payments[p.ID] = paymentState{Payment: p, Timeline: timeline}
	}
}

func paid(s *pageState) {
	payment(payments.Summary{Status: payments.StatusCaptured, Captured: 4198, Reference: "8F2K-19"},
		eventwire.Transition{Seq: 1, Type: "payment.captured", To: "captured", At: clock("10:03"), Cause: "callback"})(s)
	s.add("order.payment_changed", "unpaid", "paid", "2026-11-23T10:03:12Z", "payment", "pay_1")
	s.add("order.confirmed", "pending_payment", "confirmed", "2026-11-23T10:03:12Z", "payment", "")
	status(orders.StatusConfirmed, orders.PaymentPaid, orders.FulfillmentUnfulfilled)(s)
}

// parcel adds a shipment whose scans are "status time [place]".
func parcel(status orders.ShipmentStatus, items []orders.ShipmentItem, dates string, scans ...string) build {
	return func(s *pageState) {
		id := fmt.Sprintf("shp_%d", len(s.Order.Shipments)+1)
		p := orders.ShipmentSummary{ID: id, Carrier: "DHL", TrackingNumber: "0034043", TrackingURL: "https://dhl.example/0034043",
			Status: status, Items: items, Events: []orders.ScanSummary{}, CreatedAt: clock("11:00"), UpdatedAt: clock("11:00")}
		p.EstimatedFrom, p.EstimatedTo, _ = strings.Cut(dates, "/")
		for _, scan := range scans {
			f := strings.Fields(scan)
			e := orders.ScanSummary{Status: orders.ShipmentStatus(f[0]), OccurredAt: moment(f[1]), RecordedAt: moment(f[1]).Add(time.Minute)}
			if len(f) > 2 {
				e.Location, e.RecordedAt = f[2], moment(f[1]).Add(time.Hour)
			}
			p.Events = append(p.Events, e)
			p.UpdatedAt = e.OccurredAt
		}
		s.Order.Shipments = append(s.Order.Shipments, p)
		s.Order.FulfillmentStatus = orders.FulfillmentPartiallyFulfilled
		s.add("order.shipment_created", "", string(orders.ShipmentLabelCreated), "2026-11-23T11:00:00Z", "merchant", id)
	}
}

func ships(s orders.FulfillmentStatus) build {
	return func(p *pageState) { p.Order.FulfillmentStatus = s }
}

func transition(kind, to, at, cause string) build {
	return func(s *pageState) { s.add(kind, "", to, at, cause, "") }
}

func everything() []orders.ShipmentItem {
	return []orders.ShipmentItem{{SKU: "mug", Quantity: 2}, {SKU: "plate", Quantity: 1}}
}

func mugs() []orders.ShipmentItem   { return []orders.ShipmentItem{{SKU: "mug", Quantity: 2}} }
func plates() []orders.ShipmentItem { return []orders.ShipmentItem{{SKU: "plate", Quantity: 1}} }

func at(hm string) *time.Time {
	t := clock(hm)
	return &t
}

type golden struct {
	name     string
	state    pageState
	want     string // data-state of the order page
	title    string
	sentence string
}

// goldens are the rows of the order page, each with its words in English.
func goldens() []golden {
	confirmed := orders.StatusConfirmed
	late := []eventwire.Transition{{Seq: 3, Type: "payment.late_success", To: "late_success", At: clock("10:41"), Cause: "callback"}}
	return []golden{
		{"cancelled", newState(transition("order.cancelled", "cancelled", "2026-11-23T10:20:00Z", "merchant"), status(orders.StatusCancelled, orders.PaymentUnpaid, orders.FulfillmentUnfulfilled),
			func(s *pageState) { s.Order.CancelledBy = "merchant" }), "cancelled", "Order cancelled", "Cancelled by the shop at 10:20 UTC."},
		{"cancelled and refund due", newState(paid, transition("order.cancelled", "cancelled", "2026-11-22T10:20:00Z", "shopper"),
			status(orders.StatusCancelled, orders.PaymentPaid, orders.FulfillmentUnfulfilled),
			func(s *pageState) { s.Order.CancelledBy, s.Order.RefundDue = "shopper", 4198 }), "cancelled", "Order cancelled", "Cancelled by you on Sun 22 Nov at 10:20 UTC."},
		{"expired", newState(transition("order.expired", "expired", "2026-11-23T10:32:00Z", "timer"), status(orders.StatusExpired, orders.PaymentUnpaid, orders.FulfillmentUnfulfilled)),
			"expired", "Not paid in time", "The time to pay ran out at 10:32 UTC, so the order was closed."},
		{"expired and late", newState(transition("order.expired", "expired", "2026-11-23T10:32:00Z", "timer"),
			payment(payments.Summary{Status: payments.StatusRefundPending, Captured: 4198, RefundPending: 4198}, late...),
			status(orders.StatusExpired, orders.PaymentUnpaid, orders.FulfillmentUnfulfilled)), "expired", "Not paid in time", ""},
		{"expired and sent back", newState(transition("order.expired", "expired", "2026-11-23T10:32:00Z", "timer"),
			payment(payments.Summary{Status: payments.StatusRefunded, Captured: 4198, Refunded: 4198, UpdatedAt: clock("11:02")}, late...),
			status(orders.StatusExpired, orders.PaymentRefunded, orders.FulfillmentUnfulfilled)), "expired", "Not paid in time", ""},
		{"late and held", newState(transition("order.expired", "expired", "2026-11-23T10:32:00Z", "timer"),
			payment(payments.Summary{Status: payments.StatusLateSuccess, Captured: 4198}, late...), func(s *pageState) { s.Settings.LateSuccess = "hold" },
			status(orders.StatusExpired, orders.PaymentReview, orders.FulfillmentUnfulfilled)), "expired", "Not paid in time", ""},
		{"review", newState(payment(payments.Summary{Status: payments.StatusReview, Reported: &payments.Reported{Amount: 1998, Currency: "EUR"}}),
			status(orders.StatusPendingPayment, orders.PaymentReview, orders.FulfillmentUnfulfilled)), "review", "The shop is checking your payment",
			"A person at the shop decides what happens. You do not need to do anything or pay again."},
		{"reversed", newState(payment(payments.Summary{Status: payments.StatusReversed, Captured: 4198, UpdatedAt: clock("09:10")}),
			status(confirmed, orders.PaymentFailed, orders.FulfillmentOnHold)), "reversed", "Your bank took the payment back",
			"It took back EUR 41.98 at 09:10 UTC. The order is on hold until the shop has looked at it."},
		{"held", newState(paid, ships(orders.FulfillmentOnHold)), "held", "On hold", "The shop has paused this order. Nothing is sent until it goes on."},
		{"unpaid", newState(), "unpaid", "Waiting for your payment", "Please pay by 12:30 UTC; after that the order is closed."},
		{"declined", newState(payment(payments.Summary{Status: payments.StatusFailed}), status(orders.StatusPendingPayment, orders.PaymentFailed, orders.FulfillmentUnfulfilled)),
			"unpaid", "Waiting for your payment", "Your bank declined the last payment."},
		{"part paid", newState(payment(payments.Summary{Status: payments.StatusCaptured, Amount: 2000, Captured: 2000}),
			status(orders.StatusPendingPayment, orders.PaymentPartiallyPaid, orders.FulfillmentUnfulfilled)), "unpaid", "Waiting for your payment",
			"EUR 20.00 of EUR 41.98 is paid; EUR 21.98 is still to pay."},
		{"at bank", newState(payment(payments.Summary{Status: payments.StatusRequiresAction, NextAction: &payments.NextAction{Type: "redirect", URL: "https://bank.example/pay"}}),
			status(orders.StatusPendingPayment, orders.PaymentActionRequired, orders.FulfillmentUnfulfilled)), "at_bank", "Waiting for you at your bank",
			"Your bank has not told us of a payment yet."},
		{"processing", newState(payment(payments.Summary{Status: payments.StatusProcessing, UpdatedAt: clock("11:59"), NextCheckAt: at("12:01")}),
			status(orders.StatusPendingPayment, orders.PaymentProcessing, orders.FulfillmentUnfulfilled)), "bank_wait", "Waiting for your bank",
			"Nothing heard since 11:59 UTC. We ask at 12:01 UTC and go on until it answers. There is no need to pay again."},
		{"processing for long", newState(payment(payments.Summary{Status: payments.StatusProcessing, UpdatedAt: clock("11:50"), LastCheckAt: at("11:58")}),
			status(orders.StatusPendingPayment, orders.PaymentProcessing, orders.FulfillmentUnfulfilled)), "bank_wait", "Waiting for your bank",
			"Nothing heard since 11:50 UTC. We ask your bank and go on until it answers. There is no need to pay again."},
		{"unknown", newState(payment(payments.Summary{Status: payments.StatusUnknown, NextCheckAt: at("12:09")}),
			status(orders.StatusPendingPayment, orders.PaymentProcessing, orders.FulfillmentUnfulfilled)), "bank_wait", "Waiting for your bank", ""},
		{"authorized", newState(payment(payments.Summary{Status: payments.StatusAuthorized}), status(orders.StatusPendingPayment, orders.PaymentAuthorized, orders.FulfillmentUnfulfilled),
			transition("order.payment_changed", "authorized", "2026-11-23T10:03:00Z", "payment")), "approved", "Payment approved",
			"EUR 41.98 is reserved in your account. The shop takes it when it confirms the order."},
		{"stopped", newState(payment(payments.Summary{Status: payments.StatusCancelled})), "unpaid", "Waiting for your payment", ""},
		{"released", newState(payment(payments.Summary{Status: payments.StatusVoided}), status(orders.StatusPendingPayment, orders.PaymentVoided, orders.FulfillmentUnfulfilled)), "unpaid", "Waiting for your payment", ""},
		{"payment expired", newState(payment(payments.Summary{Status: payments.StatusExpired})), "unpaid", "Waiting for your payment", ""},
		{"packing", newState(paid), "packing", "Confirmed", "The shop is preparing your order."},
		{"labelled", newState(paid, parcel(orders.ShipmentLabelCreated, everything(), "")), "packing", "Confirmed", "Packed, waiting for DHL."},
		{"lost", newState(paid, parcel(orders.ShipmentLost, everything(), "", "in_transit 2026-11-20T08:00:00Z Leipzig", "lost 2026-11-23T08:00:00Z")),
			"trouble", "DHL cannot find it", "The shop has been told. DHL reported it at 08:00 UTC."},
		{"delayed", newState(paid, parcel(orders.ShipmentException, everything(), "2026-11-26/2026-11-27", "in_transit 2026-11-22T08:00:00Z", "exception 2026-11-23T06:40:00Z")),
			"trouble", "A problem on the way", "New date: Thu 26 Nov to Fri 27 Nov. DHL reported it at 06:40 UTC."},
		{"delivered, then not", newState(paid, parcel(orders.ShipmentException, everything(), "", "delivered 2026-11-22T08:00:00Z", "exception 2026-11-23T06:40:00Z")),
			"trouble", "A problem on the way", "No new date yet. The next report appears here. DHL reported it at 06:40 UTC. DHL corrected its report."},
		{"attempted", newState(paid, parcel(orders.ShipmentDeliveryAttempted, everything(), "", "delivery_attempted 2026-11-23T06:40:00Z")),
			"trouble", "DHL could not deliver it", "Its next report says whether it tries again or where you can collect it. DHL reported it at 06:40 UTC."},
		{"pickup", newState(paid, parcel(orders.ShipmentAvailableForPickup, everything(), "", "available_for_pickup 2026-11-23T06:40:00Z Leipzig")),
			"pickup", "Ready to collect", "At the carrier's pick-up point in Leipzig."},
		{"out", newState(paid, parcel(orders.ShipmentOutForDelivery, everything(), "2026-11-23", "in_transit 2026-11-22T08:00:00Z", "out_for_delivery 2026-11-23T08:12:00Z")),
			"out", "Out for delivery", "Since 08:12 UTC, says DHL."},
		{"moving", newState(paid, parcel(orders.ShipmentInTransit, everything(), "2026-11-26", "picked_up 2026-11-22T07:00:00Z", "in_transit 2026-11-22T08:00:00Z Leipzig", "in_transit 2026-11-22T18:00:00Z Halle")),
			"moving", "On its way", "DHL expects to deliver on Thu 26 Nov."},
		{"moving, date over", newState(paid, parcel(orders.ShipmentInTransit, everything(), "2026-11-20/2026-11-21", "in_transit 2026-11-22T08:00:00Z")),
			"moving", "On its way", "DHL has not given a date yet."},
		{"two parcels, one late", newState(paid, parcel(orders.ShipmentDelayed, mugs(), "2026-11-26/2026-12-01", "in_transit 2026-11-22T08:00:00Z", "delayed 2026-11-23T06:40:00Z"),
			parcel(orders.ShipmentPending, plates(), "")), "moving", "Parcel 1 of 2 is on its way", "DHL expects to deliver between Thu 26 Nov and Tue 1 Dec."},
		{"two parcels, one there", newState(paid, parcel(orders.ShipmentDelivered, mugs(), "", "delivered 2026-11-22T08:00:00Z"),
			parcel(orders.ShipmentOutForDelivery, plates(), "", "out_for_delivery 2026-11-23T08:00:00Z"), ships(orders.FulfillmentFulfilled)), "out", "Parcel 2 of 2 is out for delivery", ""},
		{"partly", newState(paid, parcel(orders.ShipmentDelivered, mugs(), "", "delivered 2026-11-22T08:00:00Z")), "partly", "1 of 2 parcels delivered", "The shop is preparing your order."},
		{"delivered", newState(paid, parcel(orders.ShipmentDelivered, everything(), "2026-11-23", "picked_up 2026-11-21T08:00:00Z", "delivered 2026-11-22T14:10:00Z"),
			status(orders.StatusCompleted, orders.PaymentPaid, orders.FulfillmentFulfilled), transition("order.completed", "completed", "2026-11-22T14:11:00Z", "merchant")),
			"delivered", "Delivered", "DHL says: delivered on Sun 22 Nov at 14:10 UTC."},
		{"delivered and partly refunded", newState(paid, parcel(orders.ShipmentDelivered, everything(), "", "delivered 2025-11-22T14:10:00Z"),
			status(orders.StatusCompleted, orders.PaymentPartiallyRefunded, orders.FulfillmentFulfilled), refunds), "delivered", "Delivered", "DHL says: delivered on Sat 22 Nov 2025 at 14:10 UTC."},
		{"returned", newState(paid, parcel(orders.ShipmentReturnedToSender, everything(), "", "in_transit 2026-11-20T08:00:00Z", "returned_to_sender 2026-11-22T08:00:00Z"), ships(orders.FulfillmentReturned)),
			"returned", "Returned", "DHL brought it back to the shop."},
		{"part returned", newState(paid, parcel(orders.ShipmentReturnedToSender, mugs(), "", "returned_to_sender 2026-11-22T08:00:00Z"), ships(orders.FulfillmentPartiallyReturned)), "returned", "Part of your order was returned", ""},
		{"digital", newState(paid, status(orders.StatusCompleted, orders.PaymentPaid, orders.FulfillmentNotRequired), transition("order.completed", "completed", "2026-11-23T10:04:00Z", "payment")),
			"digital", "Done", "There is nothing to ship."},
		{"overpaid", newState(paid, func(s *pageState) { s.Order.Payments[0].Captured = 6198 }, status(confirmed, orders.PaymentOverpaid, orders.FulfillmentUnfulfilled)), "packing", "Confirmed", ""},
		{"yen", newState(paid, func(s *pageState) { s.Order.Currency, s.Order.Amount = "JPY", 1234567 }), "packing", "Confirmed", ""},
	}
}

func refunds(s *pageState) {
	list := []payments.RefundSummary{}
	for i, st := range payments.RefundStatuses() {
		list = append(list, payments.RefundSummary{ID: fmt.Sprint("ref_", i), Amount: int64(100 * (i + 1)), Status: st, UpdatedAt: clock("11:00")})
	}
	p := s.Payments["pay_1"]
	p.Payment.Refunds = list
	s.Payments["pay_1"] = p
}

func testWords(t *testing.T) map[string]words {
	t.Helper()
	all, err := loadWords(pageFiles, "static/words")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestHeadline_golden(t *testing.T) {
	t.Parallel()
	all := testWords(t)
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			h := describer{phrases{all["en"], goldenNow}, g.state}.headline()
			if h.State != g.want || h.Title.String() != g.title {
				t.Errorf("got %s %q, want %s %q", h.State, h.Title, g.want, g.title)
			}
			if len(h.Sentences) == 0 || g.sentence != "" && strings.ReplaceAll(h.Sentences[0].String(), "\u00a0", " ") != g.sentence {
				t.Errorf("sentence %v, want %q", h.Sentences, g.sentence)
			}
		})
	}
}

func TestCheckout_golden(t *testing.T) {
	t.Parallel()
	all := testWords(t)
	want := map[string]string{
		"unpaid": "ready", "at bank": "back", "processing": "asking", "processing for long": "asking", "unknown": "unknown",
		"authorized": "authorized", "packing": "paid", "part paid": "part_paid", "declined": "declined", "stopped": "stopped", "released": "stopped",
		"payment expired": "pay_expired", "review": "review", "expired": "expired", "expired and late": "late_back", "late and held": "late_back",
		"expired and sent back": "late_done", "cancelled": "cancelled", "delivered": "paid", "reversed": "reversed", "held": "held",
	}
	for _, g := range goldens() {
		state, ok := want[g.name]
		if !ok {
			continue
		}
		got := describer{phrases{all["en"], goldenNow}, g.state}.checkoutView(visit{})
		if got.State != state {
			t.Errorf("%s: %s, want %s", g.name, got.State, state)
		}
		for _, a := range got.Actions {
			if a.Kind == "pay" && (g.name == "unknown" || g.name == "review" || strings.HasPrefix(g.name, "processing")) {
				t.Errorf("%s offers a second payment", g.name)
			}
		}
	}
}

func visits() []visit {
	return []visit{{}, {FromBank: true, At: goldenNow.Add(-3 * time.Second)}, {FromBank: true, At: goldenNow.Add(-20 * time.Second)},
		{FromBank: true, At: clock("11:50")}, {Flash: "other_tab"}, {Flash: "changed"}, {Flash: "bank_down"}, {Flash: "unsure"}}
}

// TestTwins renders every golden state in every language with Go and with the
// script that keeps the pages fresh, and wants the same words.
func TestTwins_say_the_same(t *testing.T) {
	t.Parallel()
	type example struct {
		Name     string    `json:"name"`
		Lang     string    `json:"lang"`
		Now      time.Time `json:"now"`
		State    pageState `json:"state"`
		Visit    visit     `json:"visit"`
		Track    trackView `json:"track"`
		Title    string    `json:"title"`
		Checkout checkoutView
	}
	all, list := testWords(t), []example{}
	for _, lang := range languages() {
		for i, g := range goldens() {
			for j, v := range visits() {
				if j > 0 && lang != "en" && (i+j)%4 != 0 {
					continue // every language sees every sentence anyway
				}
				d := describer{phrases{all[lang], goldenNow}, g.state}
				track := d.trackView()
				list = append(list, example{g.name, lang, goldenNow, g.state, v, track, d.title(track.headline), d.checkoutView(v)})
			}
		}
	}
	raw, err := json.Marshal(map[string]any{"examples": list, "icons": icons(), "sums": sums(all), "plurals": plurals()})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "examples.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	runNode(t, "testdata/js/twins.mjs", file)
}

type sumExample struct {
	Lang, Currency, Text string
	Minor                int64
}

// sums are amounts of every currency in every language.
func sums(all map[string]words) []sumExample {
	list := []sumExample{}
	for _, lang := range languages() {
		for _, c := range money.Currencies() {
			for _, minor := range []int64{0, -5, 4198, 123456789} {
				list = append(list, sumExample{lang, string(c), phrases{all[lang], goldenNow}.money(minor, string(c)), minor})
			}
		}
	}
	return list
}

// plurals are the forms of whole numbers, to be compared with Intl.PluralRules.
func plurals() map[string][]string {
	forms := map[string][]string{}
	for _, lang := range languages() {
		for n := range int64(130) {
			forms[lang] = append(forms[lang], pluralForm(lang, n))
		}
	}
	return forms
}

// runNode runs a script with the machine's Node.js, which make test installs.
func runNode(t *testing.T, arguments ...string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is needed for this test: make test installs it")
	}
	out, err := exec.CommandContext(t.Context(), node, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("node %s: %v\n%s", arguments, err, out)
	}
}

func TestClient_in_node(t *testing.T) {
	t.Parallel()
	runNode(t, "--test", "testdata/js/tracker.test.mjs")
}
