package notify

import (
	"net/http"
	"strconv"
	"time"
)

// serveShortPoll answers at once, from memory for every feed that is watched
// or was asked for lately.
func (n *Notifier) serveShortPoll(w http.ResponseWriter, r *http.Request, a Access, q asked) error {
	s, err := n.read(r.Context(), a)
	if err == nil {
		s, err = n.meet(r.Context(), a, s, q.after)
	}
	if err != nil {
		return err
	}
	n.count.polls.Add(1)
	if !s.event.Closed {
		w.Header()["Retry-After"] = n.fixed.hint
	}
	n.writePoll(w, r, s, q.after)
	return nil
}

// ServeStatus answers with the smallest form of a feed's state: one flat object.
func (n *Notifier) ServeStatus(w http.ResponseWriter, r *http.Request, a Access) error {
	s, err := n.read(r.Context(), a)
	if err != nil {
		return err
	}
	n.count.polls.Add(1)
	if !s.event.Closed {
		w.Header()["Retry-After"] = n.fixed.hint
	}
	n.writeTagged(w, r, s, s.statusBody)
	return nil
}

// waiter is a long poll in the hub: one channel, woken once.
type waiter struct{ woken chan reason }

func (p *waiter) send(*frame) reason { return answered }
func (p *waiter) beat() reason       { return goesOn }

func (p *waiter) end(why reason) { p.woken <- why } // has room: end comes once

// serveLongPoll answers as soon as there is something after the cursor, or when
// nothing more is to come, or when the client has waited as long as it wished.
func (n *Notifier) serveLongPoll(w http.ResponseWriter, r *http.Request, a Access, q asked) error {
	parks := n.parkable(r)
	watch, s, err := n.open(r.Context(), a, LongPoll, q.after)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Preference-Applied", "wait="+seconds(q.wait))
	if s.seq() != q.after || s.event.Closed {
		n.end(watch, answered)
		n.count.polls.Add(1)
		n.writePoll(w, r, s, q.after)
		return nil
	}
	if parks && n.parkPoll(w, r, watch, s, q) {
		return nil
	}
	return n.waitPoll(w, r, watch, s, q)
}

// waitPoll waits in the handler, which can still refuse with an error.
func (n *Notifier) waitPoll(w http.ResponseWriter, r *http.Request, watch *watcher, s *snapshot, q asked) error {
	defer n.gate.hold()()
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // as for a stream
	h := w.Header()
	why := n.await(r, watch, s, q)
	if why == revoked || why == keyClosed {
		return withoutHint(h, ErrRevoked)
	}
	s, err := n.newest(r.Context(), watch.topic.key)
	if err != nil {
		return withoutHint(h, err)
	}
	if why == drained || why == stopped {
		h.Set("Connection", "close") // the next poll shall find another process
		h.Set("Retry-After", seconds(n.retry()))
	}
	n.count.polls.Add(1)
	n.writePoll(w, r, s, q.after)
	return nil
}

func withoutHint(h http.Header, err error) error {
	h.Del("Preference-Applied")
	return err
}

func (n *Notifier) await(r *http.Request, watch *watcher, s *snapshot, q asked) reason {
	p := &waiter{woken: make(chan reason, 1)}
	watch.sink, watch.sent = p, q.after
	watch.ends = n.millis() + 2*q.wait.Milliseconds() // the timer below ends it
	n.start(watch)
	n.join(watch, s)
	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	select {
	case why := <-p.woken:
		return why
	case <-timer.C:
		n.end(watch, expired)
	case <-r.Context().Done():
		n.end(watch, gone)
	}
	return <-p.woken
}

// writePoll writes the events after the cursor, or 304.
func (n *Notifier) writePoll(w http.ResponseWriter, r *http.Request, s *snapshot, after int64) {
	if after > s.seq() { // a reset is news, whatever the client's copy is called
		w.Header()["Etag"] = s.tag
		w.Header().Add("Vary", "Accept")
		n.writeJSON(w, s.pollBody(after))
		return
	}
	n.writeTagged(w, r, s, func() []byte { return s.pollBody(after) })
}

func (n *Notifier) writeTagged(w http.ResponseWriter, r *http.Request, s *snapshot, body func() []byte) {
	h := w.Header()
	h["Etag"] = s.tag
	h["Cache-Control"] = n.fixed.mayKeep
	h.Add("Vary", "Accept")
	if unchanged(r.Header, s.etag()) {
		n.count.unchanged.Add(1)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	n.writeJSON(w, body())
}

func (n *Notifier) writeJSON(w http.ResponseWriter, body []byte) {
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h["Content-Type"] = n.fixed.json
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the client went away: nobody is left to tell
}

// etag names the newest sequence.
func (s *snapshot) etag() string { return s.tag[0] }

// fixedHeaders are header values that many answers share: nobody writes to them,
// and whoever adds to one gets a copy.
type fixedHeaders struct{ mayKeep, json, hint []string }

func newFixedHeaders(hint time.Duration) fixedHeaders {
	// A copy may be kept, but must be asked about.
	return fixedHeaders{mayKeep: []string{"private, no-cache"}, json: []string{"application/json"}, hint: []string{seconds(hint)}}
}

// seconds rounds up, since "0" would mean at once.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(1, (d+time.Second-1)/time.Second)), 10)
}
