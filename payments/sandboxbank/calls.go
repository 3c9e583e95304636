package sandboxbank

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"time"
)

const (
	maxCalls    = 64                    // callbacks on their way at once
	callTimeout = 10 * time.Second      // for the shop to answer one
	longestNap  = 50 * time.Millisecond // a test may move the clock at any time
	idleNap     = time.Second           // where nothing at all is due
)

func callbackClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: orDefault(transport),
		Timeout:   callTimeout,
		// A redirect would send a signed message to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// calls turns what there is to say about a session into callbacks, bent by the
// faults of the moment. The caller holds mu.
func (b *Bank) calls(s *session, says []say, now time.Time) []*call {
	if s.CallbackURL == "" || s.Silent {
		return nil
	}
	var list []*call
	previous := ""
	for _, one := range says {
		bent := b.faults.take(callbackFaults(), now, "callback", s.ID, s.Payment, s.OrderReference)
		if _, drop := has(bent, FaultDropCallbacks); drop {
			continue
		}
		c := b.newCall(s, one, now)
		if one.sameID && previous != "" {
			c.ID = previous
		}
		previous = c.ID
		late, _ := has(bent, FaultDelayCallbacks)
		c.NotYet = c.NotYet.Add(late.delay)
		_, c.Forge = has(bent, FaultForge)
		_, c.Stale = has(bent, FaultStale)
		list = append(list, c)
		if _, twice := has(bent, FaultDuplicate); twice {
			again := *c
			again.Key, again.NotYet = newID("call_"), c.NotYet.Add(b.opts.Delays.Between)
			list = append(list, &again)
		}
		if _, reorder := has(bent, FaultReorder); reorder {
			old := say{kind: typeProcessing, occurred: one.occurred.Add(-time.Second), after: one.after + late.delay + b.opts.Delays.Between}
			list = append(list, b.newCall(s, old, now))
		}
	}
	return list
}

func (b *Bank) newCall(s *session, one say, now time.Time) *call {
	data := callbackData{
		Payment: s.Payment, Reference: s.ID, OccurredAt: one.occurred,
		Amount: s.Reported.Minor, Currency: string(s.Reported.Currency),
	}
	if r := one.refund; r != nil {
		data.Amount, data.Refund, data.RefundStatus = r.Amount, r.ID, r.Status
	}
	body, err := json.Marshal(callback{Type: one.kind, Data: data})
	if err != nil {
		panic("sandboxbank: a callback that is no JSON: " + err.Error()) // strings and numbers only
	}
	return &call{
		Key: newID("call_"), ID: newID("evt_"), Session: s.ID, URL: s.CallbackURL,
		Body: body, NotYet: now.Add(one.after),
	}
}

// act does what is due in sessions: late approvals, reversals, refunds.
func (b *Bank) act() error {
	b.mu.Lock()
	now := b.clock()
	var due []string
	for id, at := range b.book.timers {
		if !at.After(now) {
			due = append(due, id)
		}
	}
	full := b.journal.bytes() > b.compact
	b.mu.Unlock()
	for _, id := range due {
		_, err := b.change(id, func(s *session, now time.Time) ([]say, error) {
			if s.Due.IsZero() || s.Due.After(now) {
				return nil, nil
			}
			return s.elapse(now), nil
		})
		if err != nil {
			return err
		}
	}
	if !full {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rewrite()
}

// takeDue returns up to limit callbacks to make now, oldest first, and never two
// of one session at once: the shop gets them in the order that was meant.
func (b *Bank) takeDue(limit int) []*call {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	var due []*call
	for _, c := range b.book.calls {
		if !c.NotYet.After(now) {
			due = append(due, c)
		}
	}
	slices.SortFunc(due, func(x, y *call) int {
		return cmp.Or(x.NotYet.Compare(y.NotYet), cmp.Compare(x.Key, y.Key))
	})
	var taken []*call
	for _, c := range due {
		if len(taken) == limit {
			break
		}
		if !b.busy[c.Session] {
			b.busy[c.Session] = true
			taken = append(taken, c)
		}
	}
	return taken
}

// nap is how long Run may sleep before it looks again.
func (b *Bank) nap() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.book.calls) == 0 && len(b.book.timers) == 0 {
		return idleNap
	}
	now, nap := b.clock(), longestNap
	for _, c := range b.book.calls {
		if !b.busy[c.Session] {
			nap = min(nap, c.NotYet.Sub(now))
		}
	}
	for _, at := range b.book.timers {
		nap = min(nap, at.Sub(now))
	}
	return max(nap, time.Millisecond)
}

// call makes one attempt and writes down what came of it.
func (b *Bank) call(ctx context.Context, c *call) {
	status, err := b.post(ctx, c)
	b.mu.Lock()
	delete(b.busy, c.Session)
	next := *c
	next.Attempts++
	outcome := change{Done: []string{c.Key}}
	delivered := err == nil && status >= 200 && status < 300
	over := delivered || next.Attempts >= b.opts.Attempts
	if !over {
		next.NotYet = b.clock().Add(b.pause(next.Attempts))
		outcome = change{Calls: []*call{&next}}
	}
	if ctx.Err() != nil && !delivered {
		b.mu.Unlock() // we are being stopped: the attempt does not count
		return
	}
	_, failed := b.commit(outcome)
	b.mu.Unlock()
	if failed != nil {
		b.log.Error("journal", "error", failed)
	}
	// Not flushed: a delivery that a crash forgets is made again, as promised.
	switch {
	case delivered:
		b.log.Debug("callback delivered", "session", c.Session, "id", c.ID, "attempts", next.Attempts)
	case over:
		b.log.Warn("callback given up", "session", c.Session, "id", c.ID, "attempts", next.Attempts, "status", status)
	default:
		b.log.Info("callback refused", "session", c.Session, "id", c.ID, "attempts", next.Attempts, "status", status, "again", next.NotYet)
	}
}

// post sends a callback, signed at this moment, and returns the shop's status.
func (b *Bank) post(ctx context.Context, c *call) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(c.Body))
	if err != nil {
		return 0, err
	}
	signer, at := b.signer, b.now()
	if c.Forge {
		if signer, err = NewSigner(secretPrefix + base64.StdEncoding.EncodeToString([]byte(rand.Text()))); err != nil {
			return 0, err
		}
	}
	if c.Stale {
		at = at.Add(-2 * Tolerance)
	}
	signer.Sign(r.Header, c.ID, at, c.Body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "sandboxbank")
	answer, err := b.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10) // so that the connection can be used again
	return answer.StatusCode, nil
}

// pause grows from RetryMin by doubling up to RetryMax, less up to a quarter.
func (b *Bank) pause(attempts int) time.Duration {
	d := b.opts.Delays.RetryMin
	for range attempts - 1 {
		if d *= 2; d >= b.opts.Delays.RetryMax {
			break
		}
	}
	d = min(d, b.opts.Delays.RetryMax)
	return d - time.Duration(mathrand.Int64N(int64(d)/4+1))
}
