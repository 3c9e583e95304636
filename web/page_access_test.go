package web

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page" // the package has a type page
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// traffic is what a page costs: the bytes of every answer, as they came.
type traffic struct {
	mu    sync.Mutex
	bytes map[network.RequestID]float64
	urls  []string
}

func (n *traffic) hear(ev any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		n.urls = append(n.urls, e.Request.URL)
	case *network.EventResponseReceived:
		n.bytes[e.RequestID] = e.Response.EncodedDataLength
	case *network.EventDataReceived: // of a stream, which does not end
		n.bytes[e.RequestID] += float64(e.EncodedDataLength)
	case *network.EventLoadingFinished:
		n.bytes[e.RequestID] = e.EncodedDataLength
	}
}

// TestWeight_of_the_order_page loads it with an empty cache in every language:
// all of it, script, words and the stream's beginning, stays below 40 KB, and
// nothing leaves the origin.
func TestWeight_of_the_order_page(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	ctx := openBrowser(t)
	cost := &traffic{bytes: map[network.RequestID]float64{}}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, cost.hear); err != nil {
		t.Fatal(err)
	}
	st := newState(paid, parcel("in_transit", everything(), "2026-11-26", "picked_up 2026-11-22T07:00:00Z", "in_transit 2026-11-22T08:00:00Z Leipzig"))
	for _, lang := range languages() {
		id, token := k.put(st)
		if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/track/"+id+"?access_token="+token)); err != nil { // sets the cookie
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // and nothing of that is under way
			t.Fatal(err)
		}
		if _, err := chromedp.Call(ctx, network.ClearBrowserCache, cdp.Empty{}); err != nil {
			t.Fatal(err)
		}
		cost.mu.Lock()
		cost.bytes, cost.urls = map[network.RequestID]float64{}, nil
		cost.mu.Unlock()
		if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/track/"+id+"?lang="+lang)); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[string](shown, chromedp.EvalAwaitPromise)); err != nil {
			t.Fatal(err)
		}
		cost.mu.Lock()
		sum := 0.0
		for _, n := range cost.bytes {
			sum += n
		}
		if t.Logf("%s: %.0f bytes in %d requests", lang, sum, len(cost.urls)); sum > 40_000 || sum < 10_000 || len(cost.urls) > 9 {
			t.Errorf("%s: %.0f bytes in %d requests: %v", lang, sum, len(cost.urls), cost.urls)
		}
		for _, address := range cost.urls {
			if u, err := url.Parse(address); err != nil || u.Scheme+"://"+u.Host != srv.URL {
				t.Errorf("the page asks %s", address)
			}
		}
		cost.mu.Unlock()
	}
}

// TestFirst_paint_needs_one_request shows the page without script: the document
// alone, with its style.
func TestFirst_paint_needs_one_request(t *testing.T) {
	t.Parallel()
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	srv := httptest.NewServer(k)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	ctx := openBrowser(t)
	id, token := k.put(newState(paid))
	cost := &traffic{bytes: map[network.RequestID]float64{}}
	if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/track/"+id+"?access_token="+token)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, cost.hear); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/track/"+id)); err != nil {
		t.Fatal(err)
	}
	cost.mu.Lock()
	defer cost.mu.Unlock()
	for _, address := range cost.urls {
		if !strings.HasSuffix(address, "/track/"+id) && !strings.HasSuffix(address, "/client/icon.svg") {
			t.Errorf("without script the page asks %s", address)
		}
	}
	if len(cost.urls) == 0 {
		t.Error("the page was not asked for at all")
	}
}

// tabbed is where the keyboard is, and whether that can be seen.
const tabbed = `(() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  if (at === document.body) return "";
  at.reached = true;
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  return seen ? "seen" : "not seen: " + at.outerHTML.slice(0, 120);
})()`

// left is what the keyboard did not reach.
const left = `[...(document.querySelector("dialog[open]") || document).querySelectorAll("a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex='0']")]
  .filter((e) => e.checkVisibility() && !e.reached).map((e) => e.outerHTML.slice(0, 120)).join("\n")`

// wide is what does not fit into the window, where only code, tables and strips
// may be pushed sideways.
const wide = `(() => {
  const out = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest("pre,.scroll,svg,.vh,.skip"))
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1) // from right to left, they stick out there
    .map((e) => e.outerHTML.slice(0, 100));
  const cut = [...document.querySelectorAll("main *")].filter((e) => e.checkVisibility() && !e.closest("pre,.scroll,svg,.vh,select") && getComputedStyle(e).overflow === "hidden" && e.scrollWidth > e.clientWidth + 1)
    .map((e) => "cut: " + e.outerHTML.slice(0, 100));
  const scrolls = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways: " + document.documentElement.scrollWidth] : [];
  return [...scrolls, ...out.slice(0, 4), ...cut.slice(0, 4)].join("\n");
})()`

// TestAccess goes through every page by keyboard, at 320 CSS pixels with text
// twice as large, and as people have set their machines.
func TestAccess(t *testing.T) {
	t.Parallel()
	a := &answers{}
	shopAndErrors(t, a)
	desk(t, a)
	srv := httptest.NewServer(a)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	k := newKit(t, func(d *Deps) { d.Now = time.Now })
	shopper := httptest.NewServer(k)
	t.Cleanup(func() { shopper.CloseClientConnections(); shopper.Close() })
	x := newExaminer(t)
	pages := map[string]string{}
	for i, m := range a.made {
		pages[m.name] = fmt.Sprint(srv.URL, "/made/", i)
	}
	for _, g := range goldens() {
		switch g.name {
		case "two parcels, one late", "declined", "processing", "delivered and partly refunded", "at bank":
			st := hardNames(g.state)
			id, token := k.put(st)
			pages["track "+g.name] = shopper.URL + "/track/" + id + "?lang=ar&access_token=" + token
			id, token = k.put(st)
			pages["checkout "+g.name] = shopper.URL + "/checkout/" + id + "?access_token=" + token
		}
	}
	for name, address := range pages {
		x.size(1024)
		x.open(address)
		x.eval(settled)
		x.keyboard(name)
		x.settings(name)
		x.size(320)
		x.textSize(32)
		if found := x.eval(wide); found != "" {
			t.Errorf("%s, 320 px and 200 %%:\n%s", name, found)
		}
		x.textSize(16)
	}
}

// hardNames gives the lines names that are hard to show.
func hardNames(st pageState) pageState {
	list := append(st.Order.Items[:0:0], st.Order.Items...)
	list[0].Name = strings.Repeat("<b>Mug</b> 🥣 ", 40) + "\u202eEUR 1.00"
	list[1].Name = strings.Repeat("x", 500)
	st.Order.Items = list
	return st
}

// textSize sets how large the reader wants text, 16 by default.
func (x *examiner) textSize(pixels int64) {
	x.t.Helper()
	if _, err := chromedp.Call(x.ctx, cdpage.SetFontSizes, cdpage.SetFontSizesParams{FontSizes: &cdpage.FontSizes{Standard: pixels}}); err != nil {
		x.t.Fatal(err)
	}
}

// settled waits for the page's script, where it has one.
const settled = `new Promise((done) => {
  const end = Date.now() + 60000, page = document.querySelector("script[src$='order.js'],script[src$='checkout.js']");
  const look = () => (!page || document.querySelector("#line")?.textContent || Date.now() > end ? done("") : setTimeout(look, 20));
  look();
})`

func (x *examiner) keyboard(name string) {
	x.t.Helper()
	x.eval(`document.activeElement.reached = true, ""`) // a dialog gives it to its first control
	for range 400 {
		if err := chromedp.Do(x.ctx, chromedp.KeyEvent(kb.Tab)); err != nil {
			x.t.Fatal(err)
		}
		said := x.eval(tabbed)
		if said == "" { // once round
			break
		}
		if said != "seen" {
			x.t.Errorf("%s: focus is %s", name, said)
		}
	}
	if missed := x.eval(left); missed != "" {
		x.t.Errorf("%s: the keyboard does not reach\n%s", name, missed)
	}
}

// settings looks at what follows from a person's settings: still pictures,
// forced colours, paper.
func (x *examiner) settings(name string) {
	x.t.Helper()
	for _, c := range []struct {
		kind     string
		features []string
		script   string
	}{
		{"", nil, `document.getAnimations().filter((a) => a.effect.getTiming().duration > 0).map((a) => a.effect.target.outerHTML.slice(0, 100)).join("\n")`},
		{"", []string{"forced-colors", "active"}, `[...document.querySelectorAll(".pill,.notice,.btn,.dot")].filter((e) => e.checkVisibility() && getComputedStyle(e).borderStyle === "none").map((e) => "no border: " + e.outerHTML.slice(0, 100)).join("\n")`},
		{"print", nil, `[...document.querySelectorAll(".btn,.quiet,.strip,.reload")].filter((e) => e.checkVisibility()).map((e) => "on paper: " + e.outerHTML.slice(0, 100)).join("\n")`},
	} {
		x.media(c.kind, c.features...)
		if found := x.eval(c.script); found != "" {
			x.t.Errorf("%s, %s %v:\n%s", name, c.kind, c.features, found)
		}
	}
	x.media("")
}
