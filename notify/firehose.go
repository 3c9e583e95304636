package notify

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tracker/notify/eventwire"
)

const maxFirehoseCursor = 128 // bytes

// latest is the cursor of whoever wants what comes from now on, and no history.
const latest = "latest"

// ServeFirehose streams all feeds of a merchant over SSE in the order of the
// stream: from the cursor on, from now on where it is "latest", or from the oldest
// event that the stream holds.
// The cursor is the stream's incarnation and sequence. A client that reads
// slowly slows down nothing but its own stream; one that does not read is cut.
// Errors are as for ServeFeed.
func (n *Notifier) ServeFirehose(w http.ResponseWriter, r *http.Request, merchant, principal, address string) error {
	life := n.log.Incarnation()
	after, reset, err := n.firehoseCursor(r, life)
	if err != nil {
		return err
	}
	// The merchant's own feed has no events; it is there to count watchers by.
	watch, err := n.enter(Access{Key: eventwire.Key{Merchant: merchant}, Principal: principal, Address: address}, Firehose)
	if err != nil {
		return n.refused(err)
	}
	watch.ends = n.lifetime()
	watch.beat.Store(n.millis())
	streamHeaders(w.Header())
	preface := retryText(n.retry())
	if reset {
		preface = append(preface, newReset(firehoseID(life, 0)).text...)
	} else {
		// An id without data dispatches nothing and sets the cursor: a client that is
		// cut before its first event resumes from here.
		preface = append(preface[:len(preface)-1], "id: "+firehoseID(life, after)+"\n\n"...)
	}
	n.serveR3(w, r, watch, r3Stream{preface, firehoseID(life, after), true, func(c *r3Conn) { n.replay(c, watch, life, after) }})
	return nil
}

func firehoseID(life string, at uint64) string { return life + "-" + strconv.FormatUint(at, 10) }

// errAnotherLife ends a firehose whose stream was made anew: its positions mean
// nothing there. The client resumes and is told to start over.
var errAnotherLife = errors.New("notify: the stream was made anew")

// replay feeds one firehose until its connection ends.
func (n *Notifier) replay(c *r3Conn, watch *watcher, life string, after uint64) {
	err := n.carry(c, watch, life, after)
	if c.ctx.Err() == nil && !watch.over.Load() { // else it was ended in order, with an event on the way
		n.opt.Logger.Warn("firehose interrupted", "error", err)
		n.end(watch, unavailable)
	}
}

// carry takes what is new from the merchant's tail, which all its firehoses share,
// and from the log what the tail has no more: after coming, and after falling behind.
func (n *Notifier) carry(c *r3Conn, watch *watcher, life string, at uint64) error {
	merchant := watch.topic.key.Merchant
	t := n.tails.acquire(merchant)
	defer n.tails.release(t)
	for {
		from, err := n.begin(c.ctx, t)
		if err != nil {
			return err
		}
		if n.log.Incarnation() != life {
			return errAnotherLife
		}
		if at < from {
			push := func(seq uint64, e eventwire.Event) error { at = seq; return n.pass(c, watch, newTailed(seq, e), life) }
			if err := n.log.Scan(c.ctx, eventwire.MerchantWildcards(merchant), at, from, push); err != nil {
				return err
			}
			at = max(at, from)
		}
		for news, grown, ok := t.after(at); ok; news, grown, ok = t.after(at) {
			for _, e := range news {
				if err := n.pass(c, watch, e, life); err != nil {
					return err
				}
				at = e.at
			}
			if len(news) > 0 {
				continue
			}
			select {
			case <-grown:
			case <-c.ctx.Done():
				return c.ctx.Err()
			}
		}
	}
}

// pass sends one event, as fast as the client takes it.
func (n *Notifier) pass(c *r3Conn, watch *watcher, e *tailed, life string) error {
	begun := n.traceBegins()
	f, err := e.encoded(life)
	if err != nil {
		return err
	}
	if err := c.push(f); err != nil {
		return err
	}
	n.count.delivered.Add(1)
	n.traced(e.event, begun, 1)
	watch.beat.Store(n.millis())
	return nil
}

// firehoseCursor reads the cursor and reports whether it is from another life.
func (n *Notifier) firehoseCursor(r *http.Request, life string) (after uint64, reset bool, err error) {
	text, from, err := firehoseText(r)
	if err != nil || text == "" {
		return 0, false, err
	}
	bad := &BadRequestError{"invalid_cursor", from, "the cursor of this stream is the id of an event, or latest; leave it out to start with the oldest"}
	cut := strings.LastIndexByte(text, '-')
	if text != latest {
		if cut < 1 || len(text) > maxFirehoseCursor || text[cut+1:] == "" || text[cut+1] == '+' {
			return 0, false, bad
		}
		if after, err = strconv.ParseUint(text[cut+1:], 10, 64); err != nil {
			return 0, false, bad
		}
		if text[:cut] != life {
			return 0, true, nil
		}
	}
	first, last, err := n.log.Bounds(r.Context())
	switch {
	case err != nil:
		return 0, false, ErrUnavailable
	case text == latest:
		return last, false, nil
	case after > last, after > 0 && after+1 < first: // it was never given out, or what follows it is gone
		return 0, true, nil
	}
	return after, false, nil
}

func firehoseText(r *http.Request) (text, from string, err error) {
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		return last, "Last-Event-ID", nil
	}
	if len(r.URL.RawQuery) > maxQuery {
		return "", "", &BadRequestError{"invalid_query", "query", "the query string is too long"}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", "", &BadRequestError{"invalid_query", "query", "the query string is malformed"}
	}
	if query.Has("after") && query.Get("after") == "" {
		return "", "", &BadRequestError{"invalid_cursor", "after", "the cursor is empty"}
	}
	return query.Get("after"), "after", nil
}
