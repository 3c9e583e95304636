package payments

import (
	"sync"
	"time"
)

// pacer is a token bucket on the service's own clock.
type pacer struct {
	mu     sync.Mutex
	rate   float64 // tokens per second; ≤ 0 = no limit
	tokens float64
	last   time.Time
	paused time.Time // the provider asked for silence until then
}

func newPacer(rate float64) *pacer { return &pacer{rate: rate, tokens: max(1, rate)} }

// take takes up to n tokens and says how many it got.
func (b *pacer) take(now time.Time, n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.paused) {
		return 0
	}
	if b.rate <= 0 {
		return n
	}
	b.refill(now)
	got := min(n, int(b.tokens))
	b.tokens -= float64(got)
	return got
}

func (b *pacer) giveBack(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+float64(n), max(1, b.rate))
}

// wait is how long until there is a token again.
func (b *pacer) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.paused) {
		return b.paused.Sub(now)
	}
	if b.rate <= 0 {
		return 0
	}
	b.refill(now)
	if b.tokens >= 1 {
		return 0
	}
	return time.Duration((1 - b.tokens) / b.rate * float64(time.Second))
}

func (b *pacer) refill(now time.Time) {
	if now.After(b.last) {
		if !b.last.IsZero() {
			b.tokens = min(b.tokens+now.Sub(b.last).Seconds()*b.rate, max(1, b.rate))
		}
		b.last = now
	}
}

// pause takes no token before until.
func (b *pacer) pause(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.paused) {
		b.paused = until
	}
}

// until is when the silence that the provider asked for ends.
func (b *pacer) until() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.paused
}
