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

	answered, arrived map[int64]time.Time // by sequence: the call's answer, and the event at a client that tells; nil until the first
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

// made notes that it was, and that the call was answered.
func (p *page) made(seq int64, answered time.Time) {
	p.last.Store(seq)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered == nil {
		p.answered = map[int64]time.Time{}
	}
	p.answered[seq] = answered
}

// came notes that the event reached a client.
func (p *page) came(seq int64, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arrived == nil {
		p.arrived = map[int64]time.Time{}
	}
	p.arrived[seq] = at
}

// behind is how much later than the answers to their calls the events since a
// moment came, as far as both are known; not at all where the event was first.
func (l *ledger) behind(since time.Time) *histogram {
	var h histogram
	for _, p := range l.pages {
		p.mu.Lock()
		for seq, at := range p.arrived {
			if answered, ok := p.answered[seq]; ok && answered.After(since) {
				h.add(max(0, at.Sub(answered)))
			}
		}
		p.mu.Unlock()
	}
	return &h
}

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
