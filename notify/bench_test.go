package notify_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"tracker/notify"
	"tracker/notify/eventwire"
)

// BenchmarkPublish_unwatched is an event that nobody here waits for.
func BenchmarkPublish_unwatched(b *testing.B) {
	n := notify.New(notify.Options{Log: newBook()})
	e := newFeed(orderKey(1)).next(false)
	b.ReportAllocs()
	for b.Loop() {
		n.Publish(1, e)
	}
}

// BenchmarkShortPoll is a poll of a hot feed without news, as 200 and as 304.
func BenchmarkShortPoll(b *testing.B) {
	log := newBook()
	f := newFeed(orderKey(1))
	log.append(f.next(false))
	n := notify.New(notify.Options{Log: log})
	a := notify.Access{Key: f.key}
	for _, tag := range []string{"", `"1"`} {
		b.Run(fmt.Sprintf("If-None-Match=%s", tag), func(b *testing.B) {
			q := httptest.NewRequest(http.MethodGet, "/?after=1", nil)
			q.Header.Set("If-None-Match", tag)
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				if err := n.ServeFeed(w, q, a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (d discard) WriteHeader(int)             {}

// BenchmarkNewest is a read from memory.
func BenchmarkNewest(b *testing.B) {
	log := newBook()
	f := newFeed(orderKey(1))
	log.append(f.next(false))
	n := notify.New(notify.Options{Log: log})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.Newest(context.Background(), notify.Access{Key: f.key}); err != nil {
			b.Fatal(err)
		}
	}
}

func manyKeys(i int) eventwire.Key { return orderKey(i) }
