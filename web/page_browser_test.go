package web

import (
	"context"
	"fmt"
	"html"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/payments"
)

// openBrowser starts the machine's Chromium in UTC, so that what it writes can
// be compared with what the server wrote. An error of a page fails the test.
func openBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed for this test: make test installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Env("TZ=UTC"), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	ctx, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(stop)
	err = chromedp.Listen(ctx, func(e any) {
		if thrown, ok := e.(*runtime.EventExceptionThrown); ok {
			t.Errorf("a page threw: %s", thrown.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// shown waits for the connection line, which only the script draws, and reads
// the page.
const shown = `new Promise((done) => {
  const end = Date.now() + 60000;
  const look = () => (document.querySelector("#line")?.textContent || Date.now() > end)
    ? done(document.querySelector("main").dataset.state + "\n" + document.querySelector("main").textContent) : setTimeout(look, 20);
  look();
})`

// spaces compares the sentences of the page with those that were sent, spaces
// between words included, and wants all of it to be seen.
const spaces = `(async () => {
  const sent = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const read = (page) => [...page.querySelectorAll("main :is(h1, .lead, .text, .note, .title, .notes, .label, .what)")]
    .map((e) => e.textContent.replaceAll(" UTC", "").replace(/\s+/g, " ").trim());
  const was = read(sent), is = read(document);
  const hidden = [...document.querySelectorAll("main time")].filter((e) => getComputedStyle(e).visibility !== "visible").map((e) => "hidden: " + e.textContent);
  return [...was.map((text, i) => (text === is[i] ? "" : text + " | " + is[i])), ...hidden].filter(Boolean).join("\n");
})()`

// TestBrowser_script_draws_what_the_server_sent loads every state in Chromium and
// compares the page after the script's drawing with the one that was sent.
func TestBrowser_script_draws_what_the_server_sent(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	ctx := openBrowser(t)
	for i, g := range goldens() {
		page := []string{"track", "checkout"}[i%2] // the words of both are compared by TestTwins; this is about drawing
		id, token := k.put(g.state)
		if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/"+page+"/"+id+"?access_token="+token)); err != nil {
			t.Fatalf("%s %s: %v", page, g.name, err)
		}
		drawn, err := chromedp.Run(ctx, chromedp.Evaluate[string](shown, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s %s: %v", page, g.name, err)
		}
		sent := k.get("/"+page+"/"+id, k.cookie(id, token)).Body.String()
		compareShown(t, page+" "+g.name, sent, drawn)
		if differ, err := chromedp.Run(ctx, chromedp.Evaluate[string](spaces, chromedp.EvalAwaitPromise)); err != nil || differ != "" {
			t.Errorf("%s %s: %v\n%s", page, g.name, err, differ)
		}
	}
}

// embedded puts an element into a page and waits until it shows something.
const embedded = `(async () => {
  const s = document.createElement("script");
  Object.assign(s, { type: "module", src: "/client/v1/elements.js" });
  document.head.append(s);
  const el = document.createElement(%q);
  for (const [k, v] of Object.entries(%s)) el.setAttribute(k, v);
  el.textContent = "fallback";
  document.querySelector("main").replaceChildren(el);
  for (let i = 0; i < 400; i++) {
    const part = el.shadowRoot?.querySelector("[part=headline],[part=connection]");
    if (part && el.getAttribute("connection") !== "connecting") return part.textContent + "|" + (el.getAttribute("status") || "") + "|" + el.getAttribute("connection");
    await new Promise((done) => setTimeout(done, 25));
  }
  return "nothing";
})()`

func TestBrowser_elements(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	ctx := openBrowser(t)
	id, token := k.put(newState(paid))
	pay := ""
	for p := range k.feeds.states[id].Payments {
		pay = p
	}
	for _, c := range []struct{ tag, attributes, want string }{
		{"order-status", `{"order":"` + id + `","lang":"de","token":"` + token + `"}`, "Bestätigt|confirmed|live"},
		{"order-status", `{"order":"` + id + `","view":"line","lang":"en","token":"` + token + `"}`, "Confirmed|confirmed|live"},
		{"payment-status", `{"payment":"` + pay + `","lang":"es","token":"` + token + `"}`, "41,98\u00a0€ pagados|captured|live"},
		{"order-status", `{"order":"` + id + `","lang":"en","token":"` + token + `x"}`, "The live status is not available here.||denied"},
	} {
		// An error page has the strictest policy that an element must live with.
		if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/nothing")); err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(embedded, c.tag, c.attributes), chromedp.EvalAwaitPromise))
		if err != nil || got != c.want {
			t.Errorf("%s %s: %q, want %q, %v", c.tag, c.attributes, got, c.want, err)
		}
	}
}

// paymentOf puts the element of a state's payment into a page, and waits for its words.
const paymentOf = `(async () => {
  await import("/client/v1/elements.js");
  const el = document.createElement("payment-status");
  for (const [k, v] of Object.entries(%s)) el.setAttribute(k, v);
  document.querySelector("main").replaceChildren(el);
  for (let i = 0; i < 1200; i++) {
    const offers = [...el.shadowRoot.querySelectorAll("[part=action]")].map((a) => a.textContent).join();
    if (el.shadowRoot.querySelector("[part=headline]")?.textContent + ": " + offers === %q) return "";
    await new Promise((done) => setTimeout(done, 25));
  }
  return "waited in vain: " + el.shadowRoot.textContent;
})()`

// TestBrowser_payment_element_knows_its_order asks nobody to pay for an order
// that takes no payment any more.
func TestBrowser_payment_element_knows_its_order(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	ctx := openBrowser(t)
	failed := payment(payments.Summary{Status: payments.StatusFailed, Sequence: 2},
		eventwire.Transition{Seq: 1, Type: "payment.created", To: "created", At: clock("10:02"), Cause: "merchant"},
		eventwire.Transition{Seq: 2, Type: "payment.failed", To: "failed", At: clock("10:03"), Cause: "callback"})
	for name, c := range map[string]struct {
		state pageState
		shows string
	}{
		"open": {newState(failed, status(orders.StatusPendingPayment, orders.PaymentFailed, orders.FulfillmentUnfulfilled)), "Your bank declined the payment: Try again,Back to the shop"},
		"cancelled": {newState(failed, transition("order.cancelled", "cancelled", "2026-11-23T10:20:00Z", "merchant"),
			status(orders.StatusCancelled, orders.PaymentUnpaid, orders.FulfillmentUnfulfilled)), "This order was cancelled: Back to the shop"},
	} {
		id, token := k.put(c.state)
		attributes := `{"payment":"` + k.feeds.states[id].Order.Payments[0].ID + `","lang":"en","token":"` + token + `"}`
		if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/nothing")); err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(paymentOf, attributes, c.shows), chromedp.EvalAwaitPromise))
		if err != nil || got != "" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// compareShown compares texts without spaces and zones: the script writes the
// reader's own.
func compareShown(t *testing.T, what, sent, drawn string) {
	t.Helper()
	state, text, _ := strings.Cut(drawn, "\n")
	if !strings.Contains(sent, `data-state="`+state+`"`) {
		t.Errorf("%s: the script says %s", what, state)
	}
	_, main, _ := strings.Cut(sent, "<main")
	main, _, _ = strings.Cut(main, "</main>")
	got, want := essence(text), essence(plainOf("<main"+main))
	got = strings.Replace(got, essence("Live. Changes appear here by themselves."), "", 1)
	got = strings.ReplaceAll(got, "Copy", "")
	if got != want {
		t.Errorf("%s:\nscript %s\nserver %s", what, got, want)
	}
}

func essence(s string) string {
	s = strings.ReplaceAll(s, " UTC", "")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\u00a0' }), "")
}

// plainOf is the text of our own markup, without what only browsers without
// script see.
func plainOf(markup string) string {
	for {
		before, rest, found := strings.Cut(markup, "<noscript>")
		if !found {
			break
		}
		_, after, _ := strings.Cut(rest, "</noscript>")
		markup = before + after
	}
	var b strings.Builder
	inside := false
	for _, r := range markup {
		switch {
		case r == '<':
			inside = true
		case r == '>' && inside:
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return html.UnescapeString(b.String())
}
