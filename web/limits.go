package web

import (
	"math"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// budget is what a request is counted against.
type budget string

const (
	reads    budget = "reads"
	writes   budget = "writes"
	connects budget = "connects"
	free     budget = "" // callbacks from banks: losing one costs more than answering it
)

const maxBuckets = 100_000

type bucketKey struct {
	budget budget
	caller string
}

// limiter counts per principal or address, separately for each budget. Its
// memory is bounded: under a million callers the idle ones are forgotten, which
// gives them a full bucket again and costs nobody else anything.
type limiter struct {
	buckets *otter.Cache[bucketKey, *rate.Limiter]
	rates   map[budget]float64
	now     func() time.Time
}

func newLimiter(l Limits, now func() time.Time) *limiter {
	return &limiter{
		rates: map[budget]float64{reads: l.Reads, writes: l.Writes, connects: l.Connects}, now: now,
		buckets: otter.Must(&otter.Options[bucketKey, *rate.Limiter]{MaximumSize: maxBuckets}),
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
	burst := int(math.Ceil(perSecond))
	bucket, _ := l.buckets.ComputeIfAbsent(bucketKey{b, caller}, func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Limit(perSecond), burst), false
	})
	now := l.now()
	v := verdict{ok: bucket.AllowN(now, 1), quota: burst}
	tokens := bucket.TokensAt(now)
	v.left = max(0, int(tokens))
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
