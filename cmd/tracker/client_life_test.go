package main

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdpage "github.com/chromedp/cdproto/page" // the program has a type page
	"github.com/chromedp/chromedp"
)

// lives is what happens to pages in a browser. Each has an order and a proxy.
func lives() map[string]func(*testing.T, *browser, *faultProxy, *moving) {
	return map[string]func(*testing.T, *browser, *faultProxy, *moving){
		"a bad token is said and asked about no more":         clientDenied,
		"a foreign or unknown order is said":                  clientMissing,
		"an old token is asked for again":                     clientRefresh,
		"busy waits as long as it is told":                    clientBusy,
		"offline and online":                                  clientOffline,
		"hidden and visible":                                  clientHidden,
		"frozen, as in sleep":                                 clientFrozen,
		"back by the back/forward cache":                      clientRestored,
		"tabs share one stream":                               clientTabs,
		"a stream that sticks after its beginning is left":    clientSticks,
		"a socket that opens and tells nothing is left":       clientMute,
		"a proxy's own error pages end nothing":               clientPages,
		"the page of another origin follows with its token":   clientForeign,
		"the program is killed again and again, by every way": clientKilled,
	}
}

func TestClient_lives(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, 400, 300)
	p := startProgram(t, nil)
	for name, live := range lives() {
		m := newMoving(p, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, own := *m, *p
			own.t, own.cmd = t, nil
			mine.p = &own
			live(t, b, newFaultProxy(t, p.public), &mine)
		})
	}
}

// quiet demands that nothing is asked for a while.
func quiet(t *testing.T, proxy *faultProxy) {
	t.Helper()
	asked := proxy.total()
	<-time.After(2 * time.Second) // twenty times the back-off
	if more := proxy.total() - asked; more > 0 {
		t.Errorf("%d requests after the end", more)
	}
}

func clientDenied(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	tab := watchIn(t, b, proxy, m, hurried(object{"token": "not.a.token"}))
	tab.ends("denied")
	quiet(t, proxy)
	proxy.set(answers("403", 403, `{"type":"about:blank","status":403}`, "Content-Type", "application/problem+json"), lanes()...)
	tab.opts["token"] = m.walk.token
	tab.load()
	tab.ends("denied")
	quiet(t, proxy)
}

func clientMissing(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	other := newMoving(m.p, "another's order")
	for _, order := range []string{other.walk.order, "ord_00000000000000000000000000"} {
		tab := &clientTab{browser: b.newTab(t), proxy: proxy, name: order, opts: hurried(object{"token": m.walk.token}), feed: "/v1/orders/" + order + "/events"}
		tab.load()
		tab.ends("missing")
		quiet(t, proxy)
	}
}

func clientRefresh(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	tab := watchIn(t, b, proxy, m, hurried(object{"tokens": []string{"too.old.now", m.walk.token}}))
	tab.by(laneSSE)
	tab.has(m.move(1))
	proxy.cut()
	s := tab.has(m.move(1))
	if len(s.Asked) < 2 || s.Asked[0] || !s.Asked[1] {
		t.Errorf("the token was asked for with %v", s.Asked)
	}
	// One that is never good is not asked for for ever.
	tab = watchIn(t, b, newFaultProxy(t, m.p.public), m, hurried(object{"tokens": []string{"too.old.now", "old.as.well"}}))
	tab.ends("denied")
	quiet(t, tab.proxy)
}

func clientBusy(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	proxy.set(answers("busy", 503, `{"type":"about:blank","status":503}`, "Content-Type", "application/problem+json", "Retry-After", "3"), lanes()...)
	tab := watchIn(t, b, proxy, m, hurried(object{}))
	tab.ends("busy")
	asked := proxy.total()
	m.p.until("it asked twice more", func() bool { return proxy.total() >= asked+2 })
	came := proxy.arrivals()
	for i := range came[1:] {
		if pause := came[i+1].Sub(came[i]); pause < 2900*time.Millisecond { // a browser may round a little
			t.Errorf("told to wait 3 s, it asked again after %v", pause)
		}
	}
	proxy.set(faultPass(), lanes()...)
	tab.by(laneSSE)
	tab.has(m.move(1))
}

// network is Network.emulateNetworkConditions, which also sets navigator.onLine.
func (c *clientTab) network(offline bool) {
	c.t.Helper()
	emulate := cdp.Command[object, cdp.Empty]{Method: "Network.emulateNetworkConditions"}
	if _, err := chromedp.Call(c.ctx, emulate, object{"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}); err != nil {
		c.t.Fatal(err)
	}
}

func clientOffline(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	tab := watchIn(t, b, proxy, m, hurried(object{}))
	for range 2 {
		tab.back()
		tab.network(true)
		tab.ends("offline")
		n := m.move(2)
		asked := proxy.total()
		tab.network(false)
		tab.has(n)
		tab.back()
		if more := proxy.total() - asked; more > 4 {
			t.Errorf("%d requests to come back online", more)
		}
	}
}

// focused says whether the tab pretends to be the visible one.
func (c *clientTab) focused(yes bool) {
	c.t.Helper()
	if _, err := chromedp.Call(c.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: yes}); err != nil {
		c.t.Fatal(err)
	}
}

func clientHidden(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	tab := watchIn(t, b, proxy, m, hurried(object{}))
	tab.by(laneSSE)
	tab.focused(false)
	tab.lifecycle("frozen") // hides it too; there is no window that could be in front
	tab.lifecycle("active")
	tab.shows("it is hidden", func(s seen) bool { return s.Hidden })
	tab.has(m.move(2)) // a stream costs nothing more while nobody looks
	proxy.cut()
	n := m.move(1)
	tab.focused(true)
	tab.shows("it is visible", func(s seen) bool { return !s.Hidden })
	tab.has(n)
	tab.back()
}

func (c *clientTab) lifecycle(state cdpage.SetWebLifecycleStateState) {
	c.t.Helper()
	if _, err := chromedp.Call(c.ctx, cdpage.SetWebLifecycleState, cdpage.SetWebLifecycleStateParams{State: state}); err != nil {
		c.t.Fatal(err)
	}
}

func clientFrozen(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	tab := watchIn(t, b, proxy, m, hurried(object{}))
	tab.by(laneSSE)
	tab.focused(false)
	tab.lifecycle("frozen")
	n := m.move(2)
	proxy.cut() // what a network does to a machine that sleeps
	tab.lifecycle("active")
	tab.focused(true)
	tab.has(n)
	tab.has(m.move(1))
}

func clientRestored(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	tab := watchIn(t, b, proxy, m, hurried(object{}))
	tab.by(laneSSE)
	tab.has(m.seq())
	tab.open(proxy.URL + "/away")
	m.p.until("the stream is let go", func() bool { open, _ := proxy.held(laneSSE); return open == 0 })
	n := m.move(2)
	// Not by the protocol's own step back: it waits for a load that a restored
	// page does not have.
	if _, err := tab.eval("history.back()"); err != nil {
		t.Logf("the page went while it was asked: %v", err)
	}
	if s := tab.has(n); s.Restored != 1 {
		t.Errorf("the page was restored %d times from the back/forward cache", s.Restored)
	}
	tab.back()
	tab.has(m.move(1))
}

func clientTabs(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	var tabs []*clientTab
	for range 5 {
		tabs = append(tabs, watchIn(t, b, proxy, m, hurried(object{})))
	}
	all := func(n int) {
		t.Helper()
		for _, tab := range tabs {
			tab.has(n)
		}
	}
	all(m.move(2))
	one := func() {
		t.Helper()
		m.p.until("one stream is open", func() bool { open, _ := proxy.held(laneSSE); return open == 1 })
	}
	one()
	if _, most := proxy.held(laneSSE); most > 2 { // a tab that is slow to answer may be taken for frozen
		t.Errorf("five tabs had %d streams at once", most)
	}
	tabs[0].do("close the tab that leads", chromedp.Navigate("about:blank"))
	tabs = tabs[1:]
	all(m.move(2))
	one()
	tabs[0].focused(false)
	tabs[0].lifecycle("frozen") // it may be the one that leads now
	n := m.move(2)
	for _, tab := range tabs[1:] {
		tab.has(n)
	}
	tabs[0].lifecycle("active")
	tabs[0].focused(true)
	all(m.move(1))
	m.deliver()
	for _, tab := range tabs {
		tab.ends("closed")
	}
	all(m.seq())
	quiet(t, proxy)
}

// The times are long enough for a stream to look as if it had worked.
func clientSticks(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	proxy.set(faultStick(10), laneSSE)
	tab := watchIn(t, b, proxy, m, hurried(object{"heartbeat": 4500, "climb": 600000}))
	tab.by(laneSSE)
	tab.by(laneSocket)
	tab.has(m.move(2))
}

func clientMute(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	proxy.set(faultHold(), laneSocket)
	tab := watchIn(t, b, proxy, m, hurried(object{"transport": []lane{laneSocket, laneLong}, "heartbeat": 5500, "climb": 600000}))
	tab.by(laneSocket)
	tab.shows("it has asked and been told that nothing was missed", func(seen) bool { return proxy.total(laneShort) >= 2 })
	tab.has(m.move(1))
	tab.by(laneLong)
	tab.has(m.move(1))
}

func clientPages(t *testing.T, b *browser, proxy *faultProxy, m *moving) {
	for _, f := range []fault{faultNotFound(), faultLogin(), faultHTML(), answers("signs in", 401, portal)} {
		proxy.set(f, lanes()...)
		tab := watchIn(t, b, proxy, m, hurried(object{}))
		asked := proxy.total()
		tab.shows("it asks on", func(seen) bool { return proxy.total() > asked+3 })
		if s := tab.seen(); slices.Contains(s.States, "denied/sse") || slices.Contains(s.States, "missing/sse") {
			t.Errorf("%s: taken for the program's own answer: %v", f.name, s.States)
		}
		proxy.set(faultPass(), lanes()...)
		tab.has(m.seq())
	}
}

// clientForeign has a program of its own, which knows the shop's origin.
func clientForeign(t *testing.T, b *browser, shop *faultProxy, _ *moving) {
	p := startProgram(t, map[string]string{"TRACKER_CORS_ORIGINS": shop.URL})
	m := newMoving(p, "foreign page")
	for _, way := range lanes() {
		tab := &clientTab{browser: b.newTab(t), proxy: shop, name: string(way), opts: hurried(object{"token": m.walk.token, "transport": way, "share": false}), feed: p.public + m.feed(), home: p.public}
		tab.opts["heartbeat"] = 15000 // no proxy in between that beats faster
		tab.load()
		tab.by(way)
		tab.has(m.move(1))
	}
}

// clientKilled has a program of its own, which is killed.
func clientKilled(t *testing.T, b *browser, _ *faultProxy, _ *moving) {
	p := startProgram(t, nil)
	m := newMoving(p, "killed")
	var tabs []*clientTab
	for _, way := range append(lanes(), "auto") {
		tab := watchIn(t, b, newFaultProxy(t, p.public), m, hurried(object{"transport": way}))
		tab.name = string(way)
		tabs = append(tabs, tab)
	}
	for range 3 {
		n := m.move(2)
		p.stop(9)
		p.start()
		n = max(n, m.move(1))
		for _, tab := range tabs {
			tab.has(n)
		}
	}
	n := m.deliver()
	for _, tab := range tabs {
		tab.ends("closed")
		tab.has(n)
	}
}
