package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/orders"
	"tracker/payments"
)

// toldFeeds streams what the test pushes, and keeps what it is asked about a
// payment back until the test lets go.
type toldFeeds struct {
	*stillFeeds
	opened chan struct{}
	frames chan string // "" cuts the stream
	let    chan struct{}
}

func (f *toldFeeds) ServeFeed(w http.ResponseWriter, r *http.Request, a notify.Access) error {
	if !strings.Contains(r.Header.Get("Accept"), "event-stream") {
		return f.answer(w, r, a)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	frame := "retry: 100\n\n: here\n\n"
	for first := true; ; first = false {
		if _, err := fmt.Fprint(w, frame); err != nil {
			return err
		}
		w.(http.Flusher).Flush()
		if first {
			f.opened <- struct{}{}
		}
		select {
		case frame = <-f.frames:
		case <-r.Context().Done():
			return nil
		}
		if frame == "" {
			return nil
		}
	}
}

func (f *toldFeeds) answer(w http.ResponseWriter, r *http.Request, a notify.Access) error {
	events := []eventwire.Event{}
	if a.Key.Kind == eventwire.Payments {
		select {
		case <-f.let:
		case <-r.Context().Done():
			return nil
		}
		e, err := f.Newest(r.Context(), a)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"events": events, "cursor": 1, "closed": false})
}

// becomes makes an order's state another one, and returns the frames that tell
// its events after a sequence.
func (k *kit) becomes(id string, st pageState, after int64) string {
	k.t.Helper()
	made, _ := k.put(st)
	k.feeds.mu.Lock()
	st = k.feeds.states[made]
	delete(k.feeds.states, made)
	st.Order.ID = id
	for pay, p := range st.Payments {
		p.Payment.OrderID = id
		st.Payments[pay] = p
	}
	k.feeds.states[id] = st
	k.feeds.mu.Unlock()
	e, err := k.feeds.Newest(k.t.Context(), notify.Access{Key: eventwire.Key{Merchant: k.merchant, Kind: eventwire.Orders, ID: id}})
	if err != nil {
		k.t.Fatal(err)
	}
	var b strings.Builder
	for seq := after + 1; seq <= e.Seq; seq++ {
		one, _ := e.At(seq)
		raw, err := one.Encode()
		if err != nil {
			k.t.Fatal(err)
		}
		_, _ = fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", seq, one.Type, raw)
	}
	return b.String()
}

const (
	listen = `(() => {
  const say = document.getElementById("say");
  window.heard = [];
  new MutationObserver(() => heard.push(say.textContent)).observe(say, { childList: true, characterData: true, subtree: true });
  return "";
})()`
	// Longer than the second that lies between two announcements.
	heardLater = `new Promise((done) => setTimeout(() => done(heard.join("\n")), 1500))`
	heardOf    = `new Promise((done) => {
  const end = Date.now() + 60000;
  const look = () => heard.length >= %d || Date.now() > end ? done(heard.join("\n")) : setTimeout(look, 20);
  look();
})`
)

// TestLive_each_change_is_announced_once counts what a live region says: one
// sentence for what came together with all that only the payment knows of it,
// and nothing for a state that a new connection tells again.
func TestLive_each_change_is_announced_once(t *testing.T) {
	t.Parallel()
	declined := newState(payment(payments.Summary{Status: payments.StatusFailed}), transition("order.payment_changed", "failed", "2026-11-23T10:04:00Z", "payment"),
		status(orders.StatusPendingPayment, orders.PaymentFailed, orders.FulfillmentUnfulfilled))
	shipped := newState(paid, parcel(orders.ShipmentOutForDelivery, everything(), "", "out_for_delivery 2026-11-23T08:12:00Z"))
	for _, c := range []struct {
		page          string
		first, second pageState
		want          []string
	}{
		{"track", newState(paid), shipped, []string{"2 updates. Now: Confirmed", "Out for delivery. "}},
		{"checkout", declined, newState(paid, transition("order.held", "on_hold", "2026-11-23T10:05:00Z", "merchant")), []string{"Your bank declined the payment. ", "Paid EUR\u00a041.98. "}},
	} {
		t.Run(c.page, func(t *testing.T) {
			feeds := &toldFeeds{opened: make(chan struct{}, 9), frames: make(chan string), let: make(chan struct{})}
			k := newKit(t, func(d *Deps) {
				d.Now = time.Now
				feeds.stillFeeds = d.Feeds.(*stillFeeds)
				d.Feeds = feeds
			})
			srv := httptest.NewServer(k)
			t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
			l := &listener{t, openBrowser(t), feeds}
			id, token := k.put(newState())
			if err := chromedp.Do(l.ctx, chromedp.Navigate(srv.URL+"/"+c.page+"/"+id+"?access_token="+token)); err != nil {
				t.Fatal(err)
			}
			l.eval(shown)
			l.eval(listen)
			<-feeds.opened
			l.push(k.becomes(id, c.first, 1))
			l.eval(heardLater) // the payment has not answered yet
			close(feeds.let)
			l.eval(fmt.Sprintf(heardOf, 1))
			seq := int64(len(c.first.Timeline))
			l.push("")
			<-feeds.opened
			l.push("event: reset\ndata: {}\n\n" + k.becomes(id, c.first, seq-1))
			l.eval(heardLater)
			l.push(k.becomes(id, c.second, seq))
			l.eval(fmt.Sprintf(heardOf, 2))
			heard := strings.Split(l.eval(heardLater), "\n")
			ok := len(heard) == len(c.want)
			for i := range min(len(heard), len(c.want)) {
				ok = ok && strings.HasPrefix(heard[i], c.want[i])
			}
			if !ok {
				t.Errorf("announced %q, want %q", heard, c.want)
			}
		})
	}
}

// listener is a page whose announcements are counted.
type listener struct {
	t     *testing.T
	ctx   context.Context
	feeds *toldFeeds
}

func (l *listener) eval(script string) string {
	l.t.Helper()
	said, err := chromedp.Run(l.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		l.t.Fatal(err)
	}
	return said
}

func (l *listener) push(frame string) {
	l.t.Helper()
	select {
	case l.feeds.frames <- frame:
	case <-l.ctx.Done():
		l.t.Fatal("nobody listens to the stream")
	}
}
