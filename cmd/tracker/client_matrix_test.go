package main

import (
	"fmt"
	"testing"
	"time"
)

// clientCase is one page behind one proxy: some ways are faulty, and the client
// has to find the best of the others.
type clientCase struct {
	name   string
	fault  fault
	ways   []lane
	expect lane // "" when nothing works
	opts   object
}

// clientCases is every fault on every run of ways from the best down, and what
// slows a way down without breaking it, on each.
func clientCases() (cases []clientCase) {
	for _, f := range []fault{faultBuffer(), faultHold(), faultCut(10), faultHTML(), faultGateway(), faultStall(), faultRefuse()} {
		for n := 1; n <= len(lanes()); n++ {
			c := clientCase{name: fmt.Sprintf("%s on %v", f.name, lanes()[:n]), fault: f, ways: lanes()[:n]}
			if n < len(lanes()) {
				c.expect = lanes()[n]
			}
			cases = append(cases, c)
		}
	}
	cases = append(cases, clientCase{name: "upgrade dropped", fault: faultNoUpgrade(), ways: []lane{laneSocket}, expect: laneLong, opts: object{"transport": []lane{laneSocket, laneLong}}})
	for _, way := range lanes() {
		for _, f := range []fault{faultDelay(300 * time.Millisecond), faultThrottle(2000, 50*time.Millisecond)} {
			cases = append(cases, clientCase{name: fmt.Sprintf("%s %s", way, f.name), fault: f, ways: lanes(), expect: way, opts: object{"transport": way}})
		}
	}
	return cases
}

// perMinute is what a page may ask at most with the hurried times, which are
// about a tenth of the real ones.
const perMinute = 200

// It has the machine for itself: nearly forty pages of one browser with hurried
// times, which would take a starved machine for a broken way.
func TestClient_matrix_of_faults(t *testing.T) {
	p := startProgram(t, nil)
	m := newMoving(p, "matrix")
	b := openBrowser(t, 400, 300)
	cases := clientCases()
	tabs := make([]*clientTab, len(cases))
	began := time.Now()
	each := func(phase string, fn func(clientCase, *clientTab)) {
		for i := range cases {
			fn(cases[i], tabs[i])
		}
		if phase != "" {
			t.Logf("%5.1fs %s", time.Since(began).Seconds(), phase)
		}
	}
	for i, c := range cases {
		proxy := newFaultProxy(t, p.public)
		proxy.set(c.fault, c.ways...)
		tabs[i] = watchIn(t, b, proxy, m, hurried(c.opts))
		tabs[i].name = c.name
	}
	slow := watchUnhurried(t, b, p, m)
	reach := func(c clientCase, tab *clientTab, n int) {
		if c.expect != "" {
			tab.has(n)
		}
	}
	each("pages are open", func(clientCase, *clientTab) {})
	n := m.move(3)
	each("changes come by what works", func(c clientCase, tab *clientTab) { reach(c, tab, n) })
	each("which is the best of it", func(c clientCase, tab *clientTab) {
		for c.expect != "" && !tab.went(c.expect) {
			n = m.move(1) // a socket that holds or cuts what it brings must have something to bring
			tab.has(n)
		}
	})

	each("", func(c clientCase, tab *clientTab) { tab.proxy.set(faultPass(), lanes()...) })
	each("it climbs up again", func(c clientCase, tab *clientTab) {
		tab.has(n)
		tab.shows("it is on a stream again, if it may", func(s seen) bool {
			// A socket that works is as good as a stream, and kept until it ends.
			return s.Transport == best(c) || s.State == "live" && s.Transport == laneSocket
		})
	})
	n = m.move(2)
	each("changes come by the best way", func(_ clientCase, tab *clientTab) { tab.has(n) })

	each("", func(c clientCase, tab *clientTab) {
		tab.proxy.set(c.fault, c.ways...)
		tab.proxy.cut()
	})
	n = m.move(2)
	each("faults come back in the middle", func(c clientCase, tab *clientTab) { reach(c, tab, n) })
	each("", func(c clientCase, tab *clientTab) { tab.proxy.set(faultPass(), lanes()...) })
	n = m.deliver()
	each("closed", func(_ clientCase, tab *clientTab) {
		tab.ends("closed")
		tab.has(n)
	})

	took := time.Since(began)
	totals := make([]int, len(tabs))
	for i, tab := range tabs {
		totals[i] = tab.proxy.total()
		if limit := int(took.Minutes()*perMinute) + 30; totals[i] > limit {
			t.Errorf("%s: %d requests in %v, want at most %d", tab.name, totals[i], took, limit)
		}
	}
	for _, tab := range slow {
		if asked, limit := tab.proxy.total(), int(took.Minutes()*60)+20; asked > limit {
			t.Errorf("%s: %d requests in %v, want at most %d", tab.name, asked, took, limit)
		}
		tab.proxy.set(faultPass(), lanes()...)
		tab.proxy.cut()
	}
	for _, tab := range slow {
		tab.ends("closed")
		tab.has(n)
	}
	for i, tab := range tabs {
		if more := tab.proxy.total() - totals[i]; more > 0 {
			t.Errorf("%s: %d requests after the end", tab.name, more)
		}
	}
	t.Logf("%d pages, %v", len(tabs)+len(slow), time.Since(began))
}

// best is the first way that the case's options allow.
func best(c clientCase) lane {
	switch way := c.opts["transport"].(type) {
	case lane:
		return way
	case []lane:
		return way[0]
	}
	return laneSSE
}

// watchUnhurried opens pages with the client's real times where nothing works.
// They show how much is asked of a server that is down.
func watchUnhurried(t *testing.T, b *browser, p *program, m *moving) (tabs []*clientTab) {
	t.Helper()
	for _, f := range []fault{faultGateway(), faultRefuse(), faultCut(10), faultBuffer()} {
		proxy := newFaultProxy(t, p.public)
		proxy.set(f, lanes()...)
		tab := watchIn(t, b, proxy, m, object{})
		tab.name = f.name + ", real times"
		tabs = append(tabs, tab)
	}
	return tabs
}
