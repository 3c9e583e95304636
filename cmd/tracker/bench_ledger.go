package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// ledger knows the orders of a run: how far each has come, and when each of its
// events was begun. An event may arrive before the call that made it is answered.
type ledger struct {
	ids   []string
	pages map[string]*page
}

// page is one order. Its events are made one at a time.
type page struct {
	making sync.Mutex
	mu     sync.Mutex
	last   atomic.Int64
	begun  []time.Time // of sequence i+1
	held   bool
}

func newLedger(ids []string) *ledger {
	l := &ledger{ids: ids, pages: make(map[string]*page, len(ids))}
	for _, id := range ids {
		p := &page{begun: []time.Time{{}}}
		p.last.Store(1)
		l.pages[id] = p
	}
	return l
}

// begin notes that the next event of the order is being made, before it is.
func (p *page) begin(now time.Time) (seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = append(p.begun, now)
	return int64(len(p.begun))
}

// made notes that it was.
func (p *page) made(seq int64) { p.last.Store(seq) }

// since is when an event was begun; the zero time for one that is none of ours.
func (l *ledger) since(order string, seq int64) time.Time {
	p := l.pages[order]
	if p == nil {
		return time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq < 1 || seq > int64(len(p.begun)) {
		return time.Time{}
	}
	return p.begun[seq-1]
}

// last is how far an order has come.
func (l *ledger) last(order string) int64 { return l.pages[order].last.Load() }
