package notify_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tracker/notify"
	"tracker/notify/eventwire"
)

func TestShortPoll(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 3)
	url := r.feedURL(f.key, "")
	for _, test := range []struct {
		query string
		want  []int64
		reset bool
	}{
		{"", []int64{1, 2, 3}, false},
		{"?after=0", []int64{1, 2, 3}, false},
		{"?after=2", []int64{3}, false},
		{"?after=3", nil, false},
		{"?after=4", []int64{1, 2, 3}, true},
	} {
		p, response := r.poll(t, url+test.query)
		if !slices.Equal(p.seqs(), test.want) || p.Cursor != 3 || p.Closed || p.Reset != test.reset {
			t.Errorf("%q: %+v, want %v", test.query, p, test.want)
		}
		if got := response.Header.Get("ETag"); got != `"3"` {
			t.Errorf("%q: ETag %s", test.query, got)
		}
		if response.Header.Get("Retry-After") != "5" {
			t.Errorf("%q: no hint when to ask again", test.query)
		}
	}
}

func TestPoll_unchanged(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 3)
	for _, test := range []struct {
		path, tag string
		want      int
	}{
		{"/events?after=3", `"3"`, http.StatusNotModified},
		{"/events?after=3", `W/"3"`, http.StatusNotModified},
		{"/events?after=3", `"1", "3"`, http.StatusNotModified},
		{"/events?after=3", `*`, http.StatusNotModified},
		{"/events?after=3", `"2"`, http.StatusOK},
		{"/events?after=9", `"3"`, http.StatusOK}, // a reset is news
		{"/events?after=3&wait=1", `"3"`, http.StatusNotModified},
		{"/status", `"3"`, http.StatusNotModified},
		{"/status", `"4"`, http.StatusOK},
	} {
		_, response := r.poll(t, r.url+"/orders/"+f.key.ID+test.path, "If-None-Match", test.tag)
		if response.StatusCode != test.want || response.Header.Get("ETag") != `"3"` {
			t.Errorf("%s with %s: %s, ETag %s", test.path, test.tag, response.Status, response.Header.Get("ETag"))
		}
		if vary := response.Header.Values("Vary"); !slices.Equal(vary, []string{"Accept"}) {
			t.Errorf("%s with %s: %s varies by %q", test.path, test.tag, response.Status, vary)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 2)
	response := r.get(t, r.url+"/orders/"+f.key.ID+"/status")
	body, _ := io.ReadAll(response.Body)
	want := `{"id":"` + f.key.ID + `","status":"s2","payment_status":"paid","updated_at":"2026-11-23T09:00:02Z","sequence":2,"closed":false}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 2)
	t.Run("news are there at once", func(t *testing.T) {
		p, _ := r.poll(t, r.feedURL(f.key, "?after=1&wait=60"))
		if !slices.Equal(p.seqs(), []int64{2}) {
			t.Errorf("%+v", p)
		}
	})
	t.Run("time is over", func(t *testing.T) {
		p, response := r.poll(t, r.feedURL(f.key, "?after=2&wait=1"))
		if p.Events == nil || len(p.Events) != 0 || p.Cursor != 2 || response.Header.Get("Preference-Applied") != "wait=1" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("all waiters get it in one pass", func(t *testing.T) {
		const waiters = 50
		got := make(chan polled, waiters)
		for range waiters {
			go func() {
				p, _ := r.poll(t, r.feedURL(f.key, "?after=2"), "Prefer", "respond-async, wait=60")
				got <- p
			}()
		}
		until(t, "all wait", func() bool { return r.polling() == waiters })
		r.emit(f.next(true))
		for range waiters {
			if p := <-got; !slices.Equal(p.seqs(), []int64{3}) || !p.Closed {
				t.Errorf("%+v", p)
			}
		}
	})
	t.Run("a closed feed answers at once", func(t *testing.T) {
		p, response := r.poll(t, r.feedURL(f.key, "?after=3&wait=60"))
		if !p.Closed || len(p.Events) != 0 || response.Header.Get("Retry-After") != "" {
			t.Errorf("%+v", p)
		}
	})
	if got := r.polling(); got != 0 {
		t.Errorf("%d waiters left", got)
	}
}

func TestFeed_bad_requests(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	long := make([]byte, 5000)
	for i := range long {
		long[i] = '1'
	}
	for _, test := range []struct{ query, header, value, code string }{
		{"?after=x", "", "", "invalid_cursor"},
		{"?after=", "", "", "invalid_cursor"},
		{"?after=-1", "", "", "invalid_cursor"},
		{"?after=%2B1", "", "", "invalid_cursor"},
		{"?after=1.0", "", "", "invalid_cursor"},
		{"?after=99999999999999999999", "", "", "invalid_cursor"},
		{"?after=9999999999999999999", "", "", "invalid_cursor"},
		{"?after=1&after=2", "", "", "invalid_cursor"},
		{"", "Last-Event-ID", "life1-7", "invalid_cursor"},
		{"?after=1&wait=0", "", "", "invalid_wait"},
		{"?after=1&wait=61", "", "", "invalid_wait"},
		{"?after=1&wait=", "", "", "invalid_wait"},
		{"?after=1&wait=1s", "", "", "invalid_wait"},
		{"?after=1", "Prefer", "wait=0", "invalid_wait"},
		{"?after=1", "Prefer", "wait", "invalid_wait"},
		{"?after=%zz", "", "", "invalid_query"},
		{"?a=" + string(long), "", "", "invalid_query"},
	} {
		header := []string{}
		if test.header != "" {
			header = append(header, test.header, test.value)
		}
		if test.header == "Last-Event-ID" {
			header = append(header, "Accept", "text/event-stream")
		}
		response := r.get(t, r.feedURL(f.key, test.query), header...)
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusBadRequest || string(body) != test.code+"\n" {
			t.Errorf("%.40s %s: %s %s, want %s", test.query, test.value, response.Status, body, test.code)
		}
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	order, payment := newFeed(orderKey(1)), newFeed(paymentKey(1))
	payment.owner, payment.epoch = order.key.ID, 0
	lone := newFeed(paymentKey(2))
	lone.owner, lone.epoch = orderKey(9).ID, 0 // its order is nowhere
	r.emitted(order, 1)
	r.emitted(payment, 1)
	r.emitted(lone, 1)
	for _, test := range []struct {
		name   string
		key    eventwire.Key
		header []string
		want   int
	}{
		{"merchant", order.key, nil, http.StatusOK},
		{"nobody's", orderKey(5), nil, http.StatusNotFound},
		{"another merchant", order.key, []string{"X-Merchant", stranger}, http.StatusNotFound},
		{"token", order.key, []string{"X-Owner", order.key.ID, "X-Epoch", "1"}, http.StatusOK},
		{"token of an earlier epoch", order.key, []string{"X-Owner", order.key.ID, "X-Epoch", "0"}, http.StatusUnauthorized},
		{"token of another order", order.key, []string{"X-Owner", orderKey(2).ID, "X-Epoch", "1"}, http.StatusNotFound},
		{"token of the payment's order", payment.key, []string{"X-Owner", order.key.ID, "X-Epoch", "1"}, http.StatusOK},
		{"revoked token of the payment's order", payment.key, []string{"X-Owner", order.key.ID, "X-Epoch", "0"}, http.StatusUnauthorized},
		{"payment of another order", lone.key, []string{"X-Owner", order.key.ID, "X-Epoch", "1"}, http.StatusNotFound},
		{"payment of a lost order", lone.key, []string{"X-Owner", orderKey(9).ID, "X-Epoch", "1"}, http.StatusNotFound},
		{"an owner that is no id", order.key, []string{"X-Owner", "../../etc", "X-Epoch", "1"}, http.StatusNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, extra := range [][]string{nil, {"Prefer", "wait=1"}, {"Accept", "text/event-stream"}} {
				response := r.get(t, r.feedURL(test.key, ""), append(extra, test.header...)...)
				if response.StatusCode != test.want {
					t.Errorf("with %v: %s, want %d", extra, response.Status, test.want)
				}
				_ = response.Body.Close()
			}
			response := r.get(t, r.url+"/"+test.key.Kind.Plural()+"/"+test.key.ID+"/status", test.header...)
			if response.StatusCode != test.want {
				t.Errorf("status: %s, want %d", response.Status, test.want)
			}
		})
	}
	e, err := r.Newest(context.Background(), notify.Access{Key: order.key})
	if err != nil || e.Seq != 1 || len(e.Timeline) != 1 {
		t.Errorf("Newest: %+v, %v", e, err)
	}
}

func TestRevocation_ends_what_is_open(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		r := setup(t, w, func(o *notify.Options) { o.Heartbeat = time.Minute })
		order, payment := newFeed(orderKey(1)), newFeed(paymentKey(1))
		payment.owner, payment.epoch = order.key.ID, 0
		r.emitted(order, 1)
		r.emitted(payment, 1)
		token := []string{"X-Owner", order.key.ID, "X-Epoch", "1"}
		byToken := r.watch(t, r.feedURL(order.key, ""), token...)
		onPayment := r.watch(t, r.feedURL(payment.key, ""), token...)
		byKey := r.watch(t, r.feedURL(order.key, ""))
		byToken.want("1")
		onPayment.want("1")
		byKey.want("1")
		until(t, "all joined", func() bool { return r.count("sse", "parked")+r.count("sse", "r3labs") == 3 })
		polled := make(chan int, 1)
		go func() {
			p, response := r.poll(t, r.feedURL(order.key, "?after=1&wait=60"), token...)
			if response.StatusCode == http.StatusOK && p.Cursor == 1 && p.Events != nil {
				_, response = r.poll(t, r.feedURL(order.key, "?after=1&wait=60"), token...) // "no news", and at the next try the error
			}
			polled <- response.StatusCode
		}()
		until(t, "the poll waits", func() bool { return r.polling() == 1 })
		order.epoch = 2
		r.emitted(order, 1)
		byToken.wantName("END")
		onPayment.wantName("END")
		byKey.want("2")
		if got := <-polled; got != http.StatusUnauthorized {
			t.Errorf("the waiting poll got %d, want 401", got)
		}
	})
}

func (r *rig) polling() int64 { return r.count("longpoll", "handler") + r.count("longpoll", "parked") }
