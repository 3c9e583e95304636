package payments

import (
	"sync"
	"time"
)

// Pace is how far the calls to a provider have been handed out, by all processes
// together. The zero value is a provider that nobody has called.
type Pace struct {
	Free  time.Time // when the calls handed out so far are used up, at the rate
	Quiet time.Time // the provider asked for silence until then
}

// Allow hands out up to n calls at a rate per second, with a second's worth at
// once at most; a rate of 0 or less is no limit. Where it is fewer than n, again
// is when there will be another.
func (p Pace) Allow(now time.Time, n int, rate float64) (allowed int, again time.Time) {
	if p.Silent(now) {
		return 0, p.Quiet
	}
	if rate <= 0 {
		return n, time.Time{}
	}
	gap, from := gapOf(rate), p.from(now, rate)
	if allowed = int(now.Sub(from) / gap); allowed >= n {
		return n, time.Time{}
	}
	return max(allowed, 0), from.Add(time.Duration(allowed+1) * gap)
}

// Silent reports whether the provider is not to be called now.
func (p Pace) Silent(now time.Time) bool {
	return now.Before(p.Quiet) && !p.Quiet.After(now.Add(maxRetryAfter+agree))
}

// Spend is the pace after n calls.
func (p Pace) Spend(now time.Time, n int, rate float64) Pace {
	if rate > 0 && n > 0 {
		p.Free = p.from(now, rate).Add(time.Duration(n) * gapOf(rate))
	}
	return p
}

// from is where counting begins: what was not used for long does not add up. Calls
// are handed out up to now and never ahead of it, so a time that lies ahead is by
// another clock; by more than agree, one that is wrong, which must not stop
// everybody until it is right. Then one call is allowed, and the count is right again.
func (p Pace) from(now time.Time, rate float64) time.Time {
	earliest := now.Add(-max(time.Second, gapOf(rate)))
	switch {
	case p.Free.Before(earliest):
		return earliest
	case p.Free.After(now.Add(agree)):
		return now.Add(-gapOf(rate))
	}
	return p.Free
}

// agree is how far the clocks of processes that share a store may differ.
const agree = time.Second

func gapOf(rate float64) time.Duration {
	return max(time.Duration(float64(time.Second)/rate), time.Microsecond)
}

// pacer is what this process knows of a provider's pace: enough not to ask the
// store in vain.
type pacer struct {
	mu    sync.Mutex
	noted time.Time // when this was, by our clock
	again time.Time // no call is handed out before
	quiet time.Time // the provider asked this process for silence until then
}

// at forgets what is known when the clock has been set back since: it was wrong
// then, or is now. It is called with the lock held.
func (b *pacer) at(now time.Time) {
	if now.Before(b.noted.Add(-agree)) {
		b.again, b.quiet = time.Time{}, time.Time{}
	}
	b.noted = now
}

// next is when it is worth asking for calls again.
func (b *pacer) next(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at(now)
	if b.quiet.After(b.again) {
		return b.quiet
	}
	return b.again
}

func (b *pacer) spent(now, again time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at(now)
	b.again = again
}

// pause takes no call before until.
func (b *pacer) pause(now, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at(now)
	if until.After(b.quiet) {
		b.quiet = until
	}
}

// until is when the silence that the provider asked for ends.
func (b *pacer) until(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at(now)
	return b.quiet
}
