package web

import (
	"encoding/binary"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tracker/web/apikeys"
)

const (
	strangers = 1_000_000
	// mostPerBucket is what one bucket may take on the heap, in bytes: 48 for it and
	// its key, the caller's name, and room that maps keep free.
	mostPerBucket = 256
)

// However many different addresses and keys come, the limiter remembers only so
// many, and its memory ends where that is reached. Not parallel: it reads the
// heap of the whole process.
func TestLimiter_a_million_addresses_and_a_million_keys(t *testing.T) {
	s := &Server{echo: echo.New(), limiter: newLimiter(Limits{Reads: 1, Writes: 1}, time.Now)}
	s.echo.IPExtractor = ipExtractor(nil)
	before, most := heap(), 0
	for _, crowd := range []struct {
		name   string
		budget budget
		caller func(i int) principal
	}{
		{"addresses", reads, func(int) principal { return principal{} }},
		{"keys", writes, func(i int) principal {
			return principal{key: apikeys.Key{ID: "key_" + strconv.Itoa(i), Merchant: "mer_1"}}
		}},
	} {
		c := s.echo.NewContext(httptest.NewRequest("GET", "/v1/orders", nil), httptest.NewRecorder())
		for i := range strangers {
			c.Request().RemoteAddr = strangersAddress(i)
			if err := s.charge(c, crowd.budget, crowd.caller(i)); err != nil {
				t.Fatalf("%s: number %d is refused: %v", crowd.name, i, err)
			}
			if i%1000 == 0 {
				most = max(most, s.limiter.buckets.size())
			}
		}
		n, bytes := s.limiter.buckets.size(), heap()-before
		t.Logf("%s: %d buckets of %d bytes, at most %d on the way", crowd.name, n, bytes/int64(max(n, 1)), most)
		if n > maxBuckets || n < maxBuckets/2 {
			t.Errorf("%s: %d buckets, at most %d", crowd.name, n, maxBuckets)
		}
		if bytes > maxBuckets*mostPerBucket {
			t.Errorf("%s: %d bytes, at most %d", crowd.name, bytes, maxBuckets*mostPerBucket)
		}
	}
	if most > maxBuckets {
		t.Errorf("%d buckets on the way, at most %d", most, maxBuckets)
	}
	runtime.KeepAlive(s)
}

// strangersAddress is the i-th of as many different IPv4 addresses as there are.
func strangersAddress(i int) string {
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], 0x0b000000+uint32(i))
	return netip.AddrPortFrom(netip.AddrFrom4(ip), 1234).String()
}

// heap is what is alive on it, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the first one only moves what pools hold to where the second frees it
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (b *buckets) size() int {
	n := 0
	for i := range b.shards {
		n += len(b.shards[i].young) + len(b.shards[i].old)
	}
	return n
}

// A caller that keeps coming is remembered however many others come in between,
// so that a crowd does not give it more than its own.
func TestLimiter_a_crowd_does_not_refill_who_keeps_coming(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLimiter(Limits{Reads: 3}, func() time.Time { return now })
	passed := 0
	for i := range 4 * maxBuckets {
		if i%1000 == 0 {
			if v, _ := l.take(reads, "a:the same"); v.ok {
				passed++
			}
		}
		l.take(reads, strconv.Itoa(i))
	}
	if passed != 3 {
		t.Errorf("%d passed, its budget is 3", passed)
	}
}

func TestLimiter_together_callers_get_what_one_would(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLimiter(Limits{Writes: 50}, func() time.Time { return now })
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if v, _ := l.take(writes, "p:key_1"); v.ok {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 50 {
		t.Errorf("%d passed, the budget is 50", n)
	}
}
