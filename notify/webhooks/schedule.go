package webhooks

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// DefaultSchedule is the time between attempts, the one that Standard Webhooks
// recommends: it spans a little more than three days.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

const maxRetryAfter = 24 * time.Hour

// plan decides when to try again.
type plan struct {
	steps   []time.Duration
	giveUp  time.Duration  // never before this age, however many attempts were made
	jitter  func() float64 // 0 ≤ x < 1
	horizon time.Duration
}

func newPlan(steps []time.Duration, jitter func() float64) plan {
	if len(steps) == 0 {
		steps = DefaultSchedule()
	}
	if jitter == nil {
		jitter = rand.Float64
	}
	p := plan{steps: steps, jitter: jitter}
	for _, d := range steps {
		p.horizon += d
	}
	// Attempts that come early (a replay, a receiver that came back) must not
	// shorten the promise, so the age decides; jitter may shorten it by a tenth.
	p.giveUp = p.horizon * 9 / 10
	return p
}

// next returns the time of the attempt after the one that failed now, and false
// when there is none. tries counts that failed attempt too.
func (p plan) next(tries int, first, now time.Time) (time.Time, bool) {
	if tries > len(p.steps) && now.Sub(first) >= p.giveUp {
		return time.Time{}, false
	}
	step := p.steps[min(tries, len(p.steps))-1]
	// ±10 %: a thousand deliveries that failed together do not return together.
	return now.Add(time.Duration(float64(step) * (0.9 + 0.2*p.jitter()))), true
}

// retryAfter reads the header in both of its forms. 0 means that there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
