package notify_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"tracker/notify/eventwire"
)

// crowd is many clients that cost this process a descriptor each and nothing
// else, so that what is measured is the server.
type crowd struct {
	fds  []int
	poll bool // they wait by long poll, not SSE
}

func (c *crowd) join(t testing.TB, r *rig, keys func(i int) eventwire.Key, n int) {
	t.Helper()
	port, err := strconv.Atoi(r.url[strings.LastIndexByte(r.url, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.fds = append(c.fds, fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		key := keys(i)
		ask := [...]string{"/events", "Accept: text/event-stream"}
		if c.poll {
			ask = [...]string{"/events?after=1", "Prefer: wait=60"}
		}
		request := fmt.Sprintf("GET /%s/%s%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", key.Kind.Plural(), key.ID, ask[0], ask[1])
		if _, err := unix.Write(fd, []byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all joined", func() bool { return r.watching() == int64(len(c.fds)) })
}

func (c *crowd) leave() {
	for _, fd := range c.fds {
		_ = unix.Close(fd)
	}
	c.fds = nil
}

// read takes everything that the kernel holds for the crowd.
func (c *crowd) read() (total int) {
	buffer := make([]byte, 64<<10)
	for _, fd := range c.fds {
		n, _, _ := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		total += max(0, n)
	}
	return total
}

// inUse is what the garbage collector and the stacks hold after a collection.
func inUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// settle waits until the handlers of parked connections have returned.
func settle(t testing.TB) {
	t.Helper()
	last, same := 0, 0
	until(t, "the goroutines settle", func() bool {
		if n := runtime.NumGoroutine(); n != last {
			last, same = n, 0
		}
		same++
		return same > 20
	})
}

// pss is what the kernel counts for the process, after the runtime gave back
// what it does not use.
func pss(t testing.TB) float64 {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return 1024 * kilobytes
}

func TestIdle_parked_connection_costs_a_fraction(t *testing.T) {
	const n = 300
	cost := map[string]float64{}
	for _, w := range []way{plain, r3} {
		r := setup(t, w, nil)
		f := newFeed(orderKey(1))
		r.emitted(f, 1)
		var c crowd
		everybody := func(int) eventwire.Key { return f.key }
		c.join(t, r, everybody, n) // pools, tables and stacks grow once
		c.leave()
		until(t, "all left", func() bool { return r.streams() == 0 })
		before := inUse()
		c.join(t, r, everybody, n)
		settle(t)
		cost[w.name] = (inUse() - before) / n
		c.leave()
		until(t, "all left", func() bool { return r.streams() == 0 })
		r.stop()
	}
	t.Logf("bytes of heap and stack per idle connection: %v", cost)
	if cost["parked"]*8 > cost["r3labs"] {
		t.Errorf("a parked connection costs %.0f bytes, through r3labs %.0f: want an eighth or less", cost["parked"], cost["r3labs"])
	}
}

// BenchmarkIdleMemory reports what one idle connection costs the process, the
// clients' side excluded. Run it with -benchtime=1x.
func BenchmarkIdleMemory(b *testing.B) {
	for _, w := range []way{plain, r3} {
		for _, feeds := range []int{1, 5000} {
			for _, poll := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/feeds=%d/poll=%t", w.name, feeds, poll), func(b *testing.B) {
					for range b.N {
						idleMemory(b, w, feeds, poll)
					}
				})
			}
		}
	}
}

func idleMemory(b *testing.B, w way, feeds int, poll bool) {
	const n = 5000
	r := setup(b, w, nil)
	for i := range feeds {
		f := newFeed(orderKey(i))
		r.book.append(f.next(false))
	}
	c := crowd{poll: poll}
	heap, process := inUse(), pss(b)
	c.join(b, r, func(i int) eventwire.Key { return orderKey(i % feeds) }, n)
	settle(b)
	b.ReportMetric((inUse()-heap)/n, "heap+stack-B/conn")
	b.ReportMetric((pss(b)-process)/n, "PSS-B/conn")
	c.leave()
	until(b, "all left", func() bool { return r.watching() == 0 })
}
