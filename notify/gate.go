package notify

import (
	"math/rand/v2"
	"sync"
	"time"
)

// gate counts places and refuses what would be one too many. A limit of 0 is none.
type gate struct {
	maxTotal, maxFeed, maxAddress int
	interval                      time.Duration // between new connections of one principal; 0: no limit

	mu       sync.Mutex
	closed   bool // draining: nobody enters
	total    int
	busy     int // handlers that run, also after their watcher ended
	address  map[string]int
	connects map[string]time.Time // per principal: when its bucket is full again
}

const connectBurst = 10 // connections that a principal may open at once under a limit per second

func newGate(o Options) *gate {
	g := &gate{maxTotal: o.MaxWatchers, maxFeed: o.MaxPerFeed, maxAddress: o.MaxPerAddress,
		address: make(map[string]int), connects: make(map[string]time.Time)}
	if o.ConnectsPerSecond > 0 {
		g.interval = time.Duration(float64(time.Second) / o.ConnectsPerSecond)
	}
	return g
}

// enter takes a place for w or returns a *LimitError.
func (g *gate) enter(w *watcher, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return &LimitError{Limit: "draining", RetryAfter: soon(), Total: true}
	case g.maxTotal > 0 && g.total >= g.maxTotal:
		return &LimitError{Limit: "total", RetryAfter: later(), Total: true}
	case g.maxFeed > 0 && w.topic.admitted >= g.maxFeed:
		return &LimitError{Limit: "feed", RetryAfter: later()}
	case g.maxAddress > 0 && w.address != "" && g.address[w.address] >= g.maxAddress:
		return &LimitError{Limit: "address", RetryAfter: later()}
	}
	if wait := g.connect(w.principal, now); wait > 0 {
		return &LimitError{Limit: "connects", RetryAfter: wait + soon()}
	}
	g.total++
	w.topic.admitted++
	if g.maxAddress > 0 && w.address != "" {
		g.address[w.address]++
	}
	return nil
}

func (g *gate) leave(w *watcher) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	w.topic.admitted--
	if g.maxAddress > 0 && w.address != "" {
		if g.address[w.address]--; g.address[w.address] == 0 {
			delete(g.address, w.address)
		}
	}
}

// connect takes one token of the principal's bucket, or says how long it takes
// until there is one. The bucket is a single time: when it will be full again.
func (g *gate) connect(principal string, now time.Time) time.Duration {
	if g.interval == 0 || principal == "" {
		return 0
	}
	full := g.connects[principal]
	if full.Before(now) {
		full = now
	}
	if wait := full.Sub(now) - (connectBurst-1)*g.interval; wait > 0 {
		return wait
	}
	g.connects[principal] = full.Add(g.interval)
	return 0
}

// sweep forgets the buckets that are full.
func (g *gate) sweep(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for principal, full := range g.connects {
		if full.Before(now) {
			delete(g.connects, principal)
		}
	}
}

// close lets nobody in any more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// hold counts a running handler until the function that it returns is called.
func (g *gate) hold() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.busy--
	}
}

// idle reports whether no watcher and no handler is left.
func (g *gate) idle() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total == 0 && g.busy == 0
}

// soon and later spread those who were turned away.
func soon() time.Duration  { return time.Second + rand.N(2*time.Second) }
func later() time.Duration { return 5*time.Second + rand.N(10*time.Second) }
