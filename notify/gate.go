package notify

import (
	"math/rand/v2"
	"sync"
	"time"
)

// gate counts places and refuses what would be one too many. A limit of 0 is none.
type gate struct {
	maxTotal, maxFeed, maxAddress int

	mu      sync.Mutex
	closed  bool // draining: nobody enters
	total   int
	busy    int // handlers that run, also after their watcher ended
	address map[string]int
}

func newGate(o Options) *gate {
	return &gate{maxTotal: o.MaxWatchers, maxFeed: o.MaxPerFeed, maxAddress: o.MaxPerAddress, address: make(map[string]int)}
}

// enter takes a place for w or returns a *LimitError.
func (g *gate) enter(w *watcher) error {
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
