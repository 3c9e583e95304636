package web

import (
	"math"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// budget is what a request is counted against.
type budget string

const (
	reads    budget = "reads"
	writes   budget = "writes"
	connects budget = "connects"
	free     budget = "" // callbacks from banks: losing one costs more than answering it
)

// limiter counts per principal or address, separately for each budget. Its
// memory is bounded: under a million callers the idle ones are forgotten, which
// gives them a full bucket again and costs nobody else anything.
type limiter struct {
	buckets *buckets
	rates   map[budget]float64 // per second
	now     func() time.Time
	began   time.Time
}

func newLimiter(l Limits, now func() time.Time) *limiter {
	return &limiter{
		rates:   map[budget]float64{reads: l.Reads, writes: l.Writes, connects: l.Connects},
		buckets: newBuckets(), now: now, began: now(),
	}
}

// verdict is what a caller learns about its budget.
type verdict struct {
	ok    bool
	quota int           // per second
	left  int           // at once
	wait  time.Duration // until the next is allowed, when not ok
}

// take counts one request. It reports false where there is no limit.
func (l *limiter) take(b budget, caller string) (verdict, bool) {
	perSecond := l.rates[b]
	if perSecond <= 0 {
		return verdict{}, false
	}
	burst := math.Ceil(perSecond)
	tokens, ok := l.buckets.spend(bucketKey{b, caller}, l.now().Sub(l.began), perSecond, burst)
	v := verdict{ok: ok, quota: int(burst), left: int(tokens)}
	if !v.ok {
		v.wait = time.Duration((1 - tokens) / perSecond * float64(time.Second))
	}
	return v, true
}

// charge counts the request against b: a key or token by its name, everybody
// else by address. The headers follow the IETF's RateLimit draft.
func (s *Server) charge(c echo.Context, b budget, p principal) error {
	if s.limiter.rates[b] <= 0 {
		return nil
	}
	caller := "p:" + p.name()
	if p.isNobody() {
		caller = "a:" + addressOf(s.echo, c.Request())
	}
	v, limited := s.limiter.take(b, caller)
	if !limited {
		return nil
	}
	h := c.Response().Header()
	h.Set("RateLimit-Policy", `"`+string(b)+`";q=`+strconv.Itoa(v.quota)+`;w=1`)
	h.Set("RateLimit", `"`+string(b)+`";r=`+strconv.Itoa(v.left)+`;t=1`)
	if v.ok {
		return nil
	}
	s.metrics.limited.WithLabelValues(string(b)).Inc()
	return newProblem("rate_limited", "The budget for "+string(b)+" is used up.").retryAfter(v.wait)
}
