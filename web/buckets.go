package web

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	// maxBuckets is how many callers a limiter remembers, at most.
	maxBuckets = 100_000
	shards     = 16
	// generation is how many callers of a shard are remembered as the newest.
	generation = maxBuckets / shards / 2
)

type bucketKey struct {
	budget budget
	caller string
}

// bucket is what a caller had left at a time.
type bucket struct {
	tokens float64
	at     time.Duration // since the limiter began
}

// buckets remember the callers that came last, in two generations: once the young
// one is full it becomes the old one, and what was old is forgotten. Whoever comes
// again before half of [maxBuckets] others did is remembered. Safe for concurrent
// use.
type buckets struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu         sync.Mutex
	young, old map[bucketKey]bucket
}

func newBuckets() *buckets {
	b := &buckets{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].young, b.shards[i].old = map[bucketKey]bucket{}, map[bucketKey]bucket{}
	}
	return b
}

// spend takes one token, if there is one, of a bucket that fills at rate tokens
// per second up to burst, and returns what is left in it.
func (b *buckets) spend(key bucketKey, at time.Duration, rate, burst float64) (left float64, ok bool) {
	s := &b.shards[maphash.String(b.seed, key.caller)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	now, known := s.find(key)
	if !known {
		now = bucket{tokens: burst, at: at}
	}
	if at > now.at { // callers may get the lock in another order than their times
		now.tokens, now.at = min(burst, now.tokens+(at-now.at).Seconds()*rate), at
	}
	if ok = now.tokens >= 1; ok {
		now.tokens--
	}
	s.keep(key, now)
	return now.tokens, ok
}

func (s *shard) find(key bucketKey) (bucket, bool) {
	if b, ok := s.young[key]; ok {
		return b, true
	}
	b, ok := s.old[key]
	return b, ok
}

func (s *shard) keep(key bucketKey, b bucket) {
	s.young[key] = b
	if len(s.young) >= generation {
		s.young, s.old = s.old, s.young
		clear(s.young)
	}
}
