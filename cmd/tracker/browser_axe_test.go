package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdpage "github.com/chromedp/cdproto/page" // the program has a type page
	"github.com/chromedp/chromedp"
)

// judge is what axe has to say against the page that is open. In the dark only
// colours can be wrong that were right in the light.
const judge = `(async (rules) => {
  const found = await axe.run(document, { preload: false, resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) });
  return found.violations.map((v) => v.id + ": " + v.help + "\n" + v.nodes.slice(0, 3).map((n) => "    " + n.target + " " + n.html.slice(0, 160) + " " + n.any.map((a) => a.message)).join("\n")).join("\n");
})(%s)`

// withAxe puts axe-core into every page that this tab opens from now on.
func (b *browser) withAxe() *browser {
	b.t.Helper()
	source, err := os.ReadFile(filepath.Join(npmModules(b.t), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: string(source)}); err != nil {
		b.t.Fatal(err)
	}
	return b
}

// media emulates what a person has set. Nothing fades while colours are measured.
func (b *browser) media(scheme string) {
	b.t.Helper()
	p := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, p); err != nil {
		b.t.Fatal(err)
	}
}

// look examines the page and keeps pictures of it, in the light and in the dark.
func (b *browser) look(name string) {
	b.t.Helper()
	for scheme, rules := range map[string]string{"light": "null", "dark": `["color-contrast", "link-in-text-block"]`} {
		b.media(scheme)
		b.shot(name + "-" + scheme)
		if found := b.judged(rules); found != "" {
			b.t.Errorf("%s, %s: %s", name, scheme, found)
		}
	}
	b.media("light")
}

// judged is what axe finds. A page that goes on to another one meanwhile, as those
// that wait do, takes axe with it: then the next one is examined.
func (b *browser) judged(rules string) string {
	b.t.Helper()
	var err error
	for range 5 {
		var found string
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		found, err = chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(judge, rules), chromedp.EvalAwaitPromise))
		cancel()
		if err == nil {
			return found
		}
		b.until("the page stands", `document.readyState === "complete" && document.querySelector("main") !== null`)
	}
	return err.Error()
}

// payable places an order and starts its payment: what a shopper's server does.
func (p *program) payable() (order, bank string) {
	p.t.Helper()
	o := p.must(201, "POST", "/v1/orders", object{"reference": "1042", "currency": "EUR", "items": []object{{"sku": "mug", "name": "Mug", "quantity": 2, "unit_amount": 2099}}})
	order = o["id"].(string)
	pay := p.must(201, "POST", "/v1/payments", object{"order_id": order, "return_url": p.public + "/checkout/" + order})
	return order, pay["next_action"].(object)["url"].(string)
}

// TestBrowser_axe_bank examines every state of the bank's page.
func TestBrowser_axe_bank(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	b := openBrowser(t, 1280, 900).withAxe()
	order, stopped := p.payable()
	payment := p.must(200, "GET", "/v1/orders/"+order, nil)["payments"].([]any)[0].(object)["id"].(string)
	p.must(200, "POST", "/v1/payments/"+payment+"/cancel", object{})
	b.open(stopped)
	b.state("/pay/", "cancelled")
	b.look("cancelled")
	_, bank := p.payable()
	b.open(bank)
	b.state("/pay/", "open")
	b.look("open")
	p.decide(bank, "pend")
	b.open(bank)
	b.look("pending")
	p.decide(bank, "approve")
	b.open(bank)
	b.state("/pay/", "decided")
	b.look("decided")
	b.open(p.bank + "/pay/nothing")
	b.state("/pay/", "unknown")
	b.look("unknown")
}

// TestBrowser_axe_live examines what only a running program shows: the console
// with orders, its dialogs, and the lab while it measures.
func TestBrowser_axe_live(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	b := openBrowser(t, 1280, 900).withAxe()
	paid, bank := p.payable()
	p.decide(bank, "approve")
	p.until("the order is confirmed", func() bool { return p.field("/v1/orders/"+paid, "status") == "confirmed" })
	p.payable()
	b.open(p.public + "/console")
	b.state("/console", "login")
	b.look("login")
	b.click(`form.narrow button`)
	b.state("/console", "live")
	b.until("the console is live", `document.querySelector("#line.live") !== null`)
	b.look("list")
	b.click("#keys")
	b.until("the keys are shown", `document.querySelector("dialog[open]") !== null`)
	b.look("keys")
	b.open(p.public + "/console/orders/" + paid)
	b.look("order")
	b.click(`a[data-dialog][href$="/ship"]`)
	b.until("the dialog is open", `document.querySelector("dialog[open] form") !== null`)
	b.look("dialog")
	b.open(p.public + "/console/webhooks")
	b.look("webhooks")
	b.open(p.public + "/lab")
	b.click("#change")
	b.until("three ways know of the change", `["long", "sse", "ws"].every((id) => / (ms|s)$/.test(document.querySelector("#lane-" + id + " [data-f=last]").textContent))`)
	b.look("lab")
	b.open(p.public + "/docs")
	b.look("docs")
}
