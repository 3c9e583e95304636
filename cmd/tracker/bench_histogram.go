package main

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets of 6 % width, from 1 µs on. Safe for
// concurrent use; the zero value is empty.
type histogram struct {
	buckets [64 * steps]atomic.Int64
	count   atomic.Int64
}

const steps = 16 // per power of two

func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(d)].Add(1)
	h.count.Add(1)
}

// clear forgets everything. What is added meanwhile may be lost.
func (h *histogram) clear() {
	for i := range h.buckets {
		h.buckets[i].Store(0)
	}
	h.count.Store(0)
}

func bucketOf(d time.Duration) int {
	v := uint64(max(d.Nanoseconds(), 1))
	power := bits.Len64(v) - 1
	rest := v - 1<<power
	if power >= 4 {
		return power*steps + int(rest>>(power-4))
	}
	return power*steps + int(rest<<(4-power))
}

// percentile is the upper end of the bucket that p percent lie below.
func (h *histogram) percentile(p float64) time.Duration {
	want, seen := int64(math.Ceil(float64(h.count.Load())*p/100)), int64(0)
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen >= want && seen > 0 {
			power, step := i/steps, i%steps
			return time.Duration(math.Ldexp(1+float64(step+1)/steps, power))
		}
	}
	return 0
}
