package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// moving is an order under way, whose feed the test makes move.
type moving struct {
	p     *program
	walk  walk
	moves int
}

// newMoving is the main path up to the parcel; name tells it from others.
func newMoving(p *program, name string) *moving {
	p.t.Helper()
	m, name := &moving{p: p}, url.QueryEscape(name)
	o := p.must(201, "POST", "/v1/orders", object{"reference": "3042", "currency": "EUR", "items": []object{
		{"sku": "mug", "name": "Mug", "quantity": 2, "unit_amount": 1500}}}, "Idempotency-Key", name+"/place")
	m.walk.order, m.walk.token = o["id"].(string), o["tracking_token"].(string)
	o = p.must(201, "POST", "/v1/payments", object{"order_id": m.walk.order}, "Idempotency-Key", name+"/pay")
	p.decide(o["next_action"].(object)["url"].(string), "approve")
	p.until("the order is confirmed", func() bool { return p.field("/v1/orders/"+m.walk.order, "status") == "confirmed" })
	p.must(201, "POST", "/v1/orders/"+m.walk.order+"/shipments", object{"carrier": "DHL", "tracking_number": "00340434"}, "Idempotency-Key", name+"/ship")
	m.walk.shipment = p.must(200, "GET", "/v1/orders/"+m.walk.order, nil)["shipments"].([]any)[0].(object)["id"].(string)
	return m
}

func (m *moving) feed() string { return "/v1/orders/" + m.walk.order + "/events" }

// move makes n changes and returns the sequence after them.
func (m *moving) move(n int) int {
	m.p.t.Helper()
	for range n {
		m.moves++
		m.p.must(201, "POST", "/v1/shipments/"+m.walk.shipment+"/events", object{"status": "in_transit", "occurred_at": carriedAt(m.moves), "location": fmt.Sprintf("Hub %d", m.moves)})
	}
	return m.seq()
}

// deliver ends the order, and so its feed.
func (m *moving) deliver() int {
	m.p.t.Helper()
	m.p.must(201, "POST", "/v1/shipments/"+m.walk.shipment+"/events", object{"status": "delivered", "occurred_at": carriedAt(m.moves + 1)})
	return m.seq()
}

func (m *moving) seq() int {
	m.p.t.Helper()
	return int(m.p.must(200, "GET", "/v1/orders/"+m.walk.order, nil)["sequence"].(float64))
}

// newTab opens one more tab of b's browser.
func (b *browser) newTab(t *testing.T) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	tab := &browser{t, ctx}
	// Chromium slows the timers of hidden tabs down to one a minute. The first
	// action opens the tab, which lives as long as its context.
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	}))
	if err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	err = chromedp.Listen(ctx, func(ev any) {
		if e, is := ev.(*runtime.EventExceptionThrown); is {
			t.Errorf("a page threw: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// casePage imports the client and writes down what it is told.
const casePage = `<!doctype html><html lang="en"><title>case</title><script type="module">
import { watch } from "%[1]s/client/v1/tracker.js";
const seen = window.seen = { seqs: [], states: [], resets: 0, restored: 0, asked: [] };
addEventListener("pageshow", (e) => { seen.restored += e.persisted; });
const options = %[2]s;
const { tokens } = options;
if (tokens) options.token = (again) => { seen.asked.push(again); return tokens[again ? 1 : 0]; };
window.watching = watch("%[3]s", { ...options,
  onEvent: (e) => seen.seqs.push(e.seq),
  onReset: () => { seen.resets++; seen.seqs.length = 0; },
  onState: (s) => seen.states.push(s.state + "/" + s.transport),
});
</script>`

// hurried are the client's times, shorter than in life by about ten. The
// heartbeat fits the proxy's.
func hurried(more object) object {
	o := object{"heartbeat": 1000, "firstByte": 2000, "wait": 3, "every": 1000, "backoff": 200, "climb": 2000}
	for name, value := range more {
		o[name] = value
	}
	return o
}

// clientTab is a tab with a page that watches through a proxy.
type clientTab struct {
	*browser
	proxy *faultProxy
	name  string
	opts  object
	feed  string
	home  string // where the client is loaded from, "" is the proxy
}

// load opens the page.
func (c *clientTab) load() {
	c.t.Helper()
	options, err := json.Marshal(c.opts)
	if err != nil {
		c.t.Fatal(err)
	}
	page := fmt.Sprintf(casePage, c.home, options, c.feed)
	c.proxy.page.Store(&page)
	c.open(c.proxy.URL + "/case")
}

// watchIn opens a tab that watches m through the proxy with the options.
func watchIn(t *testing.T, b *browser, proxy *faultProxy, m *moving, options object) *clientTab {
	t.Helper()
	if _, own := options["tokens"]; !own && options["token"] == nil {
		options["token"] = m.walk.token
	}
	c := &clientTab{browser: b.newTab(t), proxy: proxy, name: t.Name(), opts: options, feed: m.feed()}
	c.load()
	return c
}

// seen is what a page has been told.
type seen struct {
	Seqs      []int    `json:"seqs"`
	States    []string `json:"states"`
	Resets    int      `json:"resets"`
	Restored  int      `json:"restored"`
	Asked     []bool   `json:"asked"`
	State     string   `json:"state"`
	Transport lane     `json:"transport"`
	Hidden    bool     `json:"hidden"`
}

func (c *clientTab) seen() (s seen) {
	c.t.Helper()
	text, err := c.eval(`JSON.stringify({...window.seen, state: window.watching?.state.state, transport: window.watching?.state.transport, hidden: document.hidden})`)
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	if err != nil {
		c.t.Logf("%s: %v", c.name, err)
	}
	return s
}

// shows waits until what the page was told satisfies ok.
func (c *clientTab) shows(what string, ok func(seen) bool) seen {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		s := c.seen()
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: waited in vain until %s: %+v", c.name, what, s)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// has waits until the page knows n, and demands that it knows all, once.
func (c *clientTab) has(n int) seen {
	c.t.Helper()
	s := c.shows(fmt.Sprintf("it has all %d", n), func(s seen) bool { return slices.Contains(s.Seqs, n) })
	c.whole(s)
	return s
}

// whole demands every sequence once and in order.
func (c *clientTab) whole(s seen) {
	c.t.Helper()
	for i, seq := range s.Seqs {
		if seq != i+1 {
			c.t.Errorf("%s: events %v: not each once and in order (states %s)", c.name, s.Seqs, strings.Join(s.States, " "))
			return
		}
	}
	if s.Resets > 0 {
		c.t.Errorf("%s: %d resets of a feed that was never reset", c.name, s.Resets)
	}
}

// by waits until the page is served by a way.
func (c *clientTab) by(way lane) seen {
	c.t.Helper()
	return c.shows("it goes by "+string(way), func(s seen) bool {
		return s.Transport == way && (s.State == "live" || s.State == "polling")
	})
}

// back waits until the page is served again, by whatever way: two failures close
// together, as a slow machine makes them, move it to the next one for minutes.
func (c *clientTab) back() seen {
	c.t.Helper()
	return c.shows("it is served", func(s seen) bool { return s.State == "live" || s.State == "polling" })
}

// went waits a while until the page was served by a way, now or before.
func (c *clientTab) went(way lane) bool {
	c.t.Helper()
	for range 50 {
		if s := c.seen(); slices.Contains(s.States, "live/"+string(way)) || slices.Contains(s.States, "polling/"+string(way)) {
			return true
		}
		<-time.After(50 * time.Millisecond)
	}
	return false
}

// ends waits for a state.
func (c *clientTab) ends(state string) seen {
	c.t.Helper()
	return c.shows("it is "+state, func(s seen) bool { return s.State == state })
}
