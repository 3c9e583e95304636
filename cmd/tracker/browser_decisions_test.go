package main

import (
	"fmt"
	"strings"
	"testing"
)

// ending is what a shopper sees after a decision at the bank. Between is a state
// on the way, which is left by itself.
type ending struct{ decision, between, state, says string }

// endings are all decisions of the sandbox bank but the two that need time or
// silence of their own, which are told by tests beside.
func endings() []ending {
	return []ending{
		{"approve", "", "paid", "Paid"},
		{"decline", "", "declined", "declined"},
		{"approve_silent", "waiting", "paid", "Paid"},
		{"approve_twice", "", "paid", "Paid"},
		{"approve_reordered", "", "paid", "Paid"},
		{"approve_wrong_amount", "", "review", "checking"},
		{"approve_then_reverse", "paid", "reversed", "took the payment back"},
	}
}

// sizes are a phone and a desktop.
func sizes() []struct {
	name          string
	width, height int
} {
	return []struct {
		name          string
		width, height int
	}{{"desktop", 1280, 900}, {"phone", 360, 740}}
}

// toBank places an order in the shop and presses Pay. It returns the order's id
// and the address of the bank's page.
func (b *browser) toBank(p *program) (order, bank string) {
	b.t.Helper()
	b.open(p.public + "/")
	b.state("/", "ready")
	b.place()
	path, err := b.eval(`location.pathname`)
	if err != nil {
		b.t.Fatal(err)
	}
	b.click(`form[data-kind="pay"] button`)
	b.until("the bank asks", `document.querySelector("button[value=approve]") !== null`)
	if bank, err = b.eval(`location.href`); err != nil {
		b.t.Fatal(err)
	}
	return path[strings.LastIndex(path, "/")+1:], bank
}

// money demands what the server holds of an order: what pages show is only words.
func (p *program) money(order, status string, captured float64) {
	p.t.Helper()
	list := p.must(200, "GET", "/v1/orders/"+order, nil)["payments"].([]any)
	last := list[len(list)-1].(object)
	if last["status"] != status || last["captured"] != captured {
		p.t.Errorf("the payment of %s is %v with %v captured, want %s with %v", order, last["status"], last["captured"], status, captured)
	}
}

// TestBrowser_every_decision places an order, pays it and presses each button of
// the bank, on a phone and on a desktop.
func TestBrowser_every_decision(t *testing.T) {
	t.Parallel()
	p := startProgram(t, map[string]string{"TRACKER_RECONCILE_AFTER": "3s"})
	for _, size := range sizes() {
		t.Run(size.name, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, size.width, size.height).withAxe()
			for _, e := range endings() {
				order, _ := b.toBank(p)
				b.click(fmt.Sprintf(`button[value=%q]`, e.decision))
				if e.between != "" {
					b.state("/checkout/", e.between)
				}
				b.state("/checkout/", e.state)
				if h := b.text("h1"); !strings.Contains(h, e.says) {
					t.Errorf("%s: the page says %q", e.decision, h)
				}
				b.look(e.decision)
				if e.decision == "approve_twice" || e.decision == "approve_reordered" {
					p.money(order, "captured", 4198)
				}
			}
			bankAskedAgain(b, p)
			declinedThenPaid(b, p)
		})
	}
}

// bankAskedAgain is about silence: the shopper presses nothing, comes back, and
// decides later.
func bankAskedAgain(b *browser, p *program) {
	b.t.Helper()
	_, bank := b.toBank(p)
	b.click(`button[value="pend"]`)
	b.until("the wait is explained", `["waiting", "still", "asking"].includes(document.querySelector("main").dataset.state)`)
	b.look("pend")
	b.open(bank)
	b.click(`button[value="approve"]`)
	b.state("/checkout/", "paid")
}

// declinedThenPaid tries again on the page that said no, and goes on to the end:
// the shop ships and gives a part of the money back, all by its console.
func declinedThenPaid(b *browser, p *program) {
	b.t.Helper()
	order, _ := b.toBank(p)
	b.click(`button[value="decline"]`)
	b.state("/checkout/", "declined")
	b.click(`form[data-kind="pay"] button`)
	b.until("the bank asks again", `document.querySelector("button[value=approve]") !== null`)
	b.click(`button[value="approve"]`)
	b.state("/checkout/", "paid")
	b.sell(p, order)
	b.open(p.public + "/track/" + order)
	b.state("/track/", "delivered")
	b.until("the refund is told", `document.querySelector(".money").textContent.includes("10.00")`)
	b.look("delivered-and-refunded")
}

// sell does the shop's part by the console: ship, carry, deliver, refund.
func (b *browser) sell(p *program, order string) {
	b.t.Helper()
	desk := p.public + "/console/orders/" + order
	b.open(p.public + "/console")
	b.until("the console opens", `document.querySelector("form.narrow button, #rows, #cards") !== null`)
	if said, _ := b.eval(`document.querySelector("main").dataset.state`); said == "login" {
		b.click("form.narrow button")
		b.state("/console", "live")
	}
	b.open(desk)
	b.until("the desk is live", `document.querySelector("#line.live") !== null`)
	b.act(`a[data-dialog][href$="/ship"]`, `f.carrier.value = "DHL"; f.tracking_number.value = "00340434"`)
	for _, status := range []string{"in_transit", "delivered"} {
		b.act(`a[data-dialog][href*="/event"]`, `f.status.value = "`+status+`"`)
		b.until("the desk knows of "+status, `document.querySelector("#desk").textContent.includes("`+status+` at")`)
	}
	b.look("desk")
	b.act(`a[data-dialog][href*="/refund"]`, `f.amount.value = "10.00"; f.reason.value = "chipped"`)
	b.until("the refund is listed", `document.querySelector("#desk").textContent.includes("chipped")`)
}

// act opens an action's dialog, fills its form and confirms.
func (b *browser) act(link, fill string) {
	b.t.Helper()
	b.until("there is "+link, fmt.Sprintf(`document.querySelector(%q) !== null`, link))
	b.click(link)
	b.until("the dialog asks", `document.querySelector("dialog[open] form button.primary") !== null`)
	if _, err := b.eval(`((f) => { ` + fill + ` })(document.querySelector("dialog[open] form").elements)`); err != nil {
		b.t.Fatal(err)
	}
	b.click("dialog[open] form button.primary")
	b.until("the dialog is gone", `document.querySelector("dialog[open]") === null`)
}

// TestBrowser_late_and_out_of_order has a program of its own: payments run out
// soon there, and a bank that is out of order is so for everybody.
func TestBrowser_late_and_out_of_order(t *testing.T) {
	t.Parallel()
	p := startProgram(t, map[string]string{"TRACKER_PAYMENT_EXPIRY": "30s", "TRACKER_RECONCILE_AFTER": "3s"})
	b := openBrowser(t, 360, 740).withAxe()
	late, _ := b.toBank(p)
	b.click(`button[value="approve_late"]`)
	b.until("the wait is explained", `["waiting", "still", "asking"].includes(document.querySelector("main").dataset.state)`)

	_, bank := b.toBank(p)
	b.click(`button[value="unavailable"]`)
	b.until("the wait is explained", `["waiting", "still", "asking", "unknown", "open"].includes(document.querySelector("main").dataset.state)`)
	b.look("unavailable")
	b.open(bank)
	b.click(`button[value="approve"]`)
	b.state("/checkout/", "paid")

	b.open(p.public + "/checkout/" + late)
	b.state("/checkout/", "late_done")
	b.look("approve_late")
	if h := b.text("h1"); !strings.Contains(h, "41.98") || !strings.Contains(h, "sent back") {
		t.Errorf("the page says %q", h)
	}
}
