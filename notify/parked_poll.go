package notify

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

// rawPoll is what a long poll needs to be answered outside net/http. The answer
// is one write and ends the connection: a client pays a handshake per answer,
// the server nothing per second of waiting.
type rawPoll struct {
	n         *Notifier
	head      http.Header // what the edge had set
	condition []string    // If-None-Match
	after     int64
}

// parkedPoll is the sink of a long poll that no goroutine waits for.
type parkedPoll struct {
	*parked
	rawPoll
}

// parkPoll takes the connection of a poll that has to wait. It reports false
// where that cannot be done; then the handler waits.
func (n *Notifier) parkPoll(w http.ResponseWriter, r *http.Request, watch *watcher, s *snapshot, q asked) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	raw := rawPoll{n, w.Header().Clone(), append([]string(nil), r.Header.Values("If-None-Match")...), q.after}
	p, err := n.park.take(conn, watch, n.opt.SendBuffer)
	if err != nil {
		n.opt.Logger.Debug("poll not parked", "error", err)
		n.waitRaw(r, conn, raw, watch, s, q)
		return true
	}
	watch.sink, watch.lane, watch.sent = &parkedPoll{p, raw}, LongPollParked, q.after
	n.startWait(watch, q.wait)
	n.join(watch, s)
	p.arm()
	return true
}

// waitRaw waits in the handler on a connection that net/http has given up, but
// that could not be parked.
func (n *Notifier) waitRaw(r *http.Request, conn net.Conn, raw rawPoll, watch *watcher, s *snapshot, q asked) {
	defer conn.Close()
	defer n.gate.hold()()
	why := n.await(r, watch, s, q)
	text := raw.nothing()
	if newest, err := n.newest(r.Context(), watch.topic.key); err == nil && tells(why) {
		text = raw.text(newest, why)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(n.opt.WriteTimeout)) // a failure shows in Write
	_, _ = conn.Write(text)                                       // the client went away: nobody is left to tell
}

// startWait is start for a poll that waits on the wheel.
func (n *Notifier) startWait(w *watcher, wait time.Duration) {
	w.counted = true
	n.count.lane[w.lane].Add(1)
	if !n.waits.add(w, 1+int(wait/waitTick)) {
		n.end(w, stopped)
	}
}

func (p *parkedPoll) send(*frame) reason { return answered }
func (p *parkedPoll) beat() reason       { return goesOn } // nothing may come before the answer

// end answers. It blocks on nothing: a log that must be asked is asked elsewhere.
func (p *parkedPoll) end(why reason) {
	switch s := p.watch.topic.snap.Load(); {
	case why == gone:
	case !tells(why):
		p.write(p.nothing())
	case s != nil:
		p.write(p.text(s, why))
	default:
		go p.endCold(why, p.n.gate.hold())
		return
	}
	p.parked.end(gone)
}

// endCold answers for a feed whose message was evicted meanwhile.
func (p *parkedPoll) endCold(why reason, release func()) {
	defer release()
	text := p.nothing()
	if s, err := p.n.newest(context.Background(), p.watch.topic.key); err == nil {
		text = p.text(s, why)
	}
	p.write(text)
	p.parked.end(gone)
}

// tells reports whether the client may be told the feed's state. Where it may
// not, or where nobody knows, the poll ends as if nothing had happened: errors
// are the edge's to word, and it does so when the client asks again.
func tells(why reason) bool {
	return why != revoked && why != keyClosed && why != unavailable && why != gone
}

// nothing is the answer "no news", with the client's own cursor.
func (p *rawPoll) nothing() []byte {
	cursor := strconv.FormatInt(p.after, 10)
	return p.compose("200 OK", `"`+cursor+`"`, []byte(`{"events":[],"cursor":`+cursor+`,"closed":false}`))
}

func (p *rawPoll) text(s *snapshot, why reason) []byte {
	p.n.count.polls.Add(1)
	if why == drained || why == stopped {
		p.head.Set("Retry-After", seconds(p.n.retry()))
	}
	if p.after <= s.seq() && unchanged(http.Header{"If-None-Match": p.condition}, s.etag()) {
		p.n.count.unchanged.Add(1)
		return p.compose("304 Not Modified", s.etag(), nil)
	}
	return p.compose("200 OK", s.etag(), s.pollBody(p.after))
}

func (p *rawPoll) compose(status, etag string, body []byte) []byte {
	p.head.Set("ETag", etag)
	p.head.Set("Cache-Control", "private, no-cache")
	p.head.Add("Vary", "Accept")
	if body == nil {
		return rawHeader(status, p.head, p.n.now())
	}
	p.head.Set("Content-Type", "application/json")
	text := rawHeader(status, p.head, p.n.now())
	text = append(text[:len(text)-2], "Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"...)
	return append(text, body...)
}
