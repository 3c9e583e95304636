package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a tab of a headless Chromium. What its console says against us
// fails the test.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, width, height int) *browser {
	t.Helper()
	file := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			file = found
			break
		}
	}
	if file == "" {
		t.Fatal("there is no Chromium: run make test, which installs it")
	}
	// Chromium asks its makers' hosts for this and that; a closed network answers none of it.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(file), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t, ctx}
	// The first action starts the browser, which lives as long as its context.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), int64(height))); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("a page threw: %s", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError {
				t.Errorf("a page logged an error: %s", e.Args[0].Value)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.shot("failed"))
	}
}

func (b *browser) open(address string) {
	b.t.Helper()
	b.do("open "+address, chromedp.Navigate(address))
}

// click presses the first match. A page that is given way to, or drawn anew, while
// the place of the match is asked for is asked again.
func (b *browser) click(selector string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithDeadline(b.ctx, deadline)
		err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
		cancel()
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "Could not find node") || time.Now().After(deadline) {
			b.t.Fatalf("click %s: %v\n%s", selector, err, b.shot("failed"))
		}
	}
}

// place presses the shop's button and waits for the checkout. A press on what a
// script is drawing anew at that moment is no press, so each page is drawn first.
func (b *browser) place() {
	b.t.Helper()
	b.until("the shop is drawn", `document.querySelector("#place span") !== null`)
	b.click("#place")
	b.state("/checkout/", "ready")
	b.until("the checkout is drawn", `"drawn" in document.documentElement.dataset`)
}

// eval is what a script in the page says. It fails while a page gives way to
// the next one.
func (b *browser) eval(script string) (string, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string]("String("+script+")"))
}

// until asks the page again and again whether something is so, across reloads.
func (b *browser) until(what, script string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		said, err := b.eval(script)
		if err == nil && said == "true" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain until %s (%q, %v)\n%s", what, said, err, b.shot("failed"))
		}
		<-time.After(50 * time.Millisecond)
	}
}

// state waits until the page at a path has the given <main data-state>.
func (b *browser) state(path, want string) {
	b.t.Helper()
	b.until(path+" shows "+want, fmt.Sprintf(`location.pathname.startsWith(%q) && document.querySelector("main")?.dataset.state === %q`, path, want))
}

// text is what the first match shows.
func (b *browser) text(selector string) string {
	b.t.Helper()
	said, err := b.eval(fmt.Sprintf(`document.querySelector(%q)?.innerText`, selector))
	if err != nil {
		b.t.Fatalf("read %s: %v", selector, err)
	}
	return said
}

// shot keeps a picture of the whole page among the artefacts, and says where.
func (b *browser) shot(name string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return "no picture: " + err.Error()
	}
	dir := filepath.Join(root, ".artifacts")
	file := filepath.Join(dir, strings.ReplaceAll(b.t.Name(), "/", "_")+"-"+name+".png")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Error(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		b.t.Error(err)
	}
	return "see " + file
}

// mark leaves a sign in the page that only a reload removes.
func (b *browser) mark() {
	b.t.Helper()
	if _, err := b.eval(`window.unreloaded = true`); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) notReloaded() {
	b.t.Helper()
	if said, err := b.eval(`window.unreloaded`); said != "true" {
		b.t.Errorf("the page was reloaded (%v)", err)
	}
}

func TestBrowser_order_is_placed_paid_and_watched_live(t *testing.T) {
	t.Parallel()
	p := startProgram(t, nil)
	for _, size := range []struct {
		name          string
		width, height int
	}{{"desktop", 1280, 900}, {"phone", 360, 740}} {
		t.Run(size.name, func(t *testing.T) {
			b := openBrowser(t, size.width, size.height)
			b.open(p.public + "/")
			b.state("/", "ready")
			b.shot("1-shop")
			b.place()
			b.shot("2-checkout")
			b.click(`form[data-kind="pay"] button`)
			b.until("the bank asks", `document.querySelector("button[value=approve]") !== null`)
			b.shot("3-bank")
			b.click(`button[value="approve"]`)
			b.state("/checkout/", "paid")
			if h := b.text("h1"); !strings.Contains(h, "Paid") || !strings.Contains(h, "41.98") {
				t.Errorf("the checkout says %q", h)
			}
			b.shot("4-paid")
			path, err := b.eval(`location.pathname`)
			if err != nil {
				t.Fatal(err)
			}
			order := path[strings.LastIndex(path, "/")+1:]

			b.open(p.public + "/track/" + order)
			b.state("/track/", "packing")
			b.mark()
			b.shot("5-packing")
			p.must(201, "POST", "/v1/orders/"+order+"/shipments", object{"carrier": "DHL", "tracking_number": "00340434"})
			shipment := p.must(200, "GET", "/v1/orders/"+order, nil)["shipments"].([]any)[0].(object)["id"].(string)
			for _, s := range []struct{ status, state string }{{"in_transit", "moving"}, {"out_for_delivery", "out"}, {"delivered", "delivered"}} {
				p.must(201, "POST", "/v1/shipments/"+shipment+"/events", object{"status": s.status})
				b.state("/track/", s.state)
				b.shot("6-" + s.state)
			}
			b.notReloaded()
			if h := b.text("h1"); h != "Delivered" {
				t.Errorf("in the end the page says %q", h)
			}
		})
	}
}

func TestBrowser_order_page_heals_after_kill(t *testing.T) {
	t.Parallel()
	p, w := startProgram(t, nil), &walk{}
	steps := mainPath()
	steps[0].do(p, w)
	b := openBrowser(t, 800, 900)
	b.open(p.public + "/track/" + w.order + "?access_token=" + w.token)
	b.state("/track/", "unpaid")
	b.mark()
	if address, err := b.eval(`location.href`); err != nil || strings.Contains(address, "token") {
		t.Errorf("the address shows the token: %s, %v", address, err)
	}
	p.killAndRestart()
	for _, s := range steps[1:4] {
		s.do(p, w)
	}
	b.state("/track/", "packing")
	b.notReloaded()
}
