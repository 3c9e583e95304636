package notify_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"tracker/notify"
	"tracker/notify/eventwire"
)

// BenchmarkPublish_watched is one event to one watcher while so many feeds have
// one each: it must not grow with them.
func BenchmarkPublish_watched(b *testing.B) {
	for _, feeds := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprintf("feeds=%d", feeds), func(b *testing.B) {
			r := setup(b, plain, nil)
			list := make([]*feed, feeds)
			for i := range list {
				list[i] = newFeed(orderKey(i))
				r.book.append(list[i].next(false))
			}
			var c crowd
			c.join(b, r, manyKeys, feeds)
			events := make([]eventwire.Event, feeds)
			i := feeds
			b.ReportAllocs()
			for b.Loop() {
				if i == feeds {
					b.StopTimer()
					c.read()
					for k, f := range list {
						f.timeline = f.timeline[:0:0] // a short history, as in life
						f.seq++
						events[k] = f.at(f.seq)
					}
					i = 0
					b.StartTimer()
				}
				r.Publish(1, events[i])
				i++
			}
			b.StopTimer()
			if got := r.streams(); got != int64(feeds) {
				b.Fatalf("%d streams left of %d", got, feeds)
			}
			c.leave()
			until(b, "all left", func() bool { return r.streams() == 0 })
		})
	}
}

// BenchmarkFanOut is one event to many watchers of one feed, beside a bare loop
// of write(2) over the same sockets.
func BenchmarkFanOut(b *testing.B) {
	const n = 2000
	r := setup(b, plain, func(o *notify.Options) { o.SendBuffer = 256 << 10 })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	var c crowd
	c.join(b, r, func(int) eventwire.Key { return f.key }, n)
	b.Run("notify", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c.read()
			f.seq = max(f.seq, 1) + 1
			e := f.at(f.seq)
			b.StartTimer()
			r.Publish(1, e)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/delivery")
	})
	b.Run("bare write", func(b *testing.B) {
		pairs := barePairs(b, n)
		e := f.at(f.seq)
		data, _ := e.Public().Encode()
		text := []byte("id: 7\nevent: " + e.Type + "\ndata: " + string(data) + "\n\n")
		var readers crowd
		for _, p := range pairs {
			readers.fds = append(readers.fds, p[1])
		}
		for b.Loop() {
			b.StopTimer()
			readers.read()
			b.StartTimer()
			for _, p := range pairs {
				if _, err := unix.Write(p[0], text); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/delivery")
		readers.leave()
		for _, p := range pairs {
			_ = unix.Close(p[0])
		}
	})
	if got := r.streams(); got != n {
		b.Fatalf("%d streams left of %d", got, n)
	}
	c.leave()
	until(b, "all left", func() bool { return r.streams() == 0 })
}

// barePairs are connected TCP sockets without a server between.
func barePairs(b *testing.B, n int) (pairs [][2]int) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		b.Fatal(err)
	}
	if err := unix.Listen(listener, 128); err != nil {
		b.Fatal(err)
	}
	address, _ := unix.Getsockname(listener)
	for range n {
		client, _ := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err := unix.Connect(client, address); err != nil {
			b.Fatal(err)
		}
		server, _, err := unix.Accept(listener)
		if err != nil {
			b.Fatal(err)
		}
		_ = unix.SetNonblock(server, true)
		_ = unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_SNDBUF, 256<<10)
		_ = unix.SetsockoptInt(server, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		pairs = append(pairs, [2]int{server, client})
	}
	return pairs
}
