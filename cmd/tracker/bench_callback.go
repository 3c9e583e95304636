package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tracker/payments/sandboxbank"
)

// benchCallback measures how long a checkout page waits after the bank has
// decided: from a signed callback to the answer of a long poll.
type benchCallback struct {
	benchFlags
	Payments int `default:"1000" help:"Payments, each waited for by one page, at most 19000. Default: 1000."`
	Rate     int `default:"50" help:"Callbacks per second. Default: 50."`
}

// Help is the longer help of the command.
func (benchCallback) Help() string {
	return `The whole program. A page waits for each payment by long poll when its bank's
signed callback comes in. Both times count from when the callback began to be
sent: until its own answer, which comes when its effect is on disk, and until the
page has read its answer. Beside them, in turn in the same run, stands a bare round
trip: an echo handler that has the page's very answer ready.`
}

// Run measures.
func (c *benchCallback) Run(ctx context.Context, out *console) error {
	longest := int(pageWait.Seconds()) - 10
	if c.Payments < 1 || c.Payments > mostClients || c.Rate < 1 || c.Payments > longest*c.Rate {
		return fmt.Errorf("--payments must be 1 to %d and --rate at least 1, for %d seconds at most: a page waits no longer", mostClients, longest)
	}
	return c.run(ctx, out, "callback", c)
}

// pageWait is how long a long poll waits at most.
const pageWait = 60 * time.Second

func (c *benchCallback) setting() string {
	return fmt.Sprintf("%d payments, %d callbacks per second", c.Payments, c.Rate)
}

func (c *benchCallback) measure(ctx context.Context, out *console, r *report) error {
	return on(ctx, laneTracker, nil, func(s subject, _ *crowd) error {
		tracker := s.(*whole)
		progress(out, "callback: %d payments", c.Payments)
		run, err := newCallbackRun(ctx, tracker, c.Payments)
		if err != nil {
			return err
		}
		defer run.stop()
		progress(out, "callback: %d callbacks per second", c.Rate)
		spent, err := usage(s, func() error { return run.load(ctx, c.Rate) })
		if err != nil {
			return err
		}
		r.delays("callback", "bare round trip", "took", &run.bareTook)
		r.delays("callback", "answer to the callback", "took", &run.told)
		r.delays("callback", "answer to the waiting page", "took", &run.answered)
		r.none("callback", "answer to the waiting page", "unanswered", int64(c.Payments)-run.answered.count.Load(), "pages")
		r.add("callback", "answer to the waiting page", "CPU per payment", float64(spent.Microseconds())/float64(c.Payments), "µs")
		return nil
	})
}

// callbackRun is a run under way. Every payment was opened at the bank, and a
// page waits for each.
type callbackRun struct {
	server   *whole
	signer   *sandboxbank.Signer
	payments []paymentView
	pages    *waiting // the page of the payment at the same place
	bare     *laneProcess

	bareTook, told, answered histogram
}

func newCallbackRun(ctx context.Context, s *whole, n int) (_ *callbackRun, err error) {
	run := &callbackRun{server: s, payments: make([]paymentView, n), pages: &waiting{address: s.address()}}
	if run.signer, err = sandboxbank.NewSigner(s.bankSecret); err != nil {
		return nil, err
	}
	if run.bare, err = startLane(ctx, laneBare, ""); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			run.stop()
		}
	}()
	if err := run.rehearse(ctx); err != nil {
		return nil, fmt.Errorf("one payment by itself: %w", err)
	}
	if err := parallel(ctx, n, callers, func(i int) (err error) {
		run.payments[i], err = run.open(ctx, i)
		return err
	}); err != nil {
		return nil, fmt.Errorf("open %d payments: %w", n, err)
	}
	return run, run.pages.joinEach(ctx, n, func(i int) []byte { return run.question(run.payments[i]) })
}

func (run *callbackRun) stop() {
	run.pages.leave()
	run.bare.stop()
}

// rehearse pays once, and hands the page's answer to the bare handler.
func (run *callbackRun) rehearse(ctx context.Context) error {
	p, err := run.open(ctx, len(run.payments))
	if err != nil {
		return err
	}
	line, err := run.line(ctx, run.server.address())
	if err != nil {
		return err
	}
	defer line.Close()
	if err := run.tell(line, p); err != nil {
		return err
	}
	answer, err := taste(ctx, run.server.address(), run.question(p))
	if err != nil {
		return err
	}
	return run.bare.ask(ctx, http.MethodPost, "/answer", answer, nil)
}

// open makes an order and a payment of it, with a session at the bank.
func (run *callbackRun) open(ctx context.Context, i int) (p paymentView, err error) {
	var o orderView
	if err := run.server.api.call(ctx, "POST", "/v1/orders", newOrder(i), &o); err != nil {
		return p, err
	}
	err = run.server.api.call(ctx, "POST", "/v1/payments", map[string]any{"order_id": o.ID}, &p)
	if err == nil && p.Reference == "" {
		err = errors.New("the bank opened no session")
	}
	return p, err
}

// question is the long poll of a checkout page.
func (run *callbackRun) question(p paymentView) []byte {
	return question(run.server, fmt.Sprintf("/v1/payments/%s/events?after=%d&wait=%d", p.ID, p.Sequence, int(pageWait.Seconds())), "")
}

// load sends the callbacks at the rate, and before each makes a bare round trip.
func (run *callbackRun) load(ctx context.Context, rate int) error {
	reading := make(chan error, 1)
	sent := make([]chan time.Time, len(run.payments))
	for i := range sent {
		sent[i] = make(chan time.Time, 1)
	}
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { reading <- run.listen(listening, sent) }()
	lines := make(chan [2]*callLine, callers)
	for range callers {
		lines <- [2]*callLine{}
	}
	defer hangUp(lines)
	began := time.Now()
	err := parallel(ctx, len(run.payments), callers, func(i int) error {
		if err := pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(rate)))); err != nil {
			return err
		}
		pair := <-lines
		defer func() { lines <- pair }()
		if err := run.dial(ctx, &pair); err != nil {
			return err
		}
		if err := run.roundTrip(pair[0]); err != nil {
			return fmt.Errorf("bare round trip: %w", err)
		}
		return run.callBack(pair[1], i, sent[i])
	})
	if err != nil {
		return err
	}
	return <-reading
}

// listen reads the answer of every page.
func (run *callbackRun) listen(ctx context.Context, sent []chan time.Time) error {
	return parallel(ctx, len(sent), len(sent), func(i int) error {
		body, err := run.pages.read(i)
		if err != nil || !strings.Contains(string(body), `"payment.captured"`) {
			return nil // who is not answered is counted
		}
		arrived := time.Now()
		select {
		case start := <-sent[i]:
			run.answered.add(arrived.Sub(start))
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
