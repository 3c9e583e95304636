package webhooks

import (
	"net/http"
	"testing"
	"time"
)

func TestPlan_spans_three_days(t *testing.T) {
	t.Parallel()
	for _, jitter := range []float64{0, 0.5, 0.999} {
		p := newPlan(nil, func() float64 { return jitter })
		first := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		now, tries := first, 1
		for ; tries < 100; tries++ {
			next, again := p.next(tries, first, now)
			if !again {
				break
			}
			if !next.After(now) {
				t.Fatalf("try %d: next is not later", tries)
			}
			now = next
		}
		if age := now.Sub(first); tries != 10 || age < 65*time.Hour || age > 90*time.Hour {
			t.Errorf("jitter %v: given up after %d tries in %v", jitter, tries, age)
		}
	}
}

func TestPlan_extra_attempts_do_not_shorten_it(t *testing.T) {
	t.Parallel()
	p := newPlan(nil, nil)
	now := time.Now()
	if _, again := p.next(50, now.Add(-10*time.Hour), now); !again {
		t.Error("given up after ten hours")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0, "1.5": 0, "99999999": maxRetryAfter,
		"Mon, 23 Nov 2026 09:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2020 09:00:30 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
