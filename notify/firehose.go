package notify

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tracker/notify/eventwire"
)

const maxFirehoseCursor = 128 // bytes

// ender is a Log that also knows where its stream ends. With it, a cursor of
// this life that lies beyond the end is a reset as well.
type ender interface {
	End(ctx context.Context) (uint64, error)
}

// ServeFirehose streams all feeds of a merchant over SSE in the order of the
// stream: from the cursor on, or from the oldest event that the stream holds.
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
	}
	n.serveR3(w, r, watch, r3Stream{preface, firehoseID(life, after), true, func(c *r3Conn) { n.replay(c, watch, life, after) }})
	return nil
}

func firehoseID(life string, at uint64) string { return life + "-" + strconv.FormatUint(at, 10) }

// replay feeds one firehose until its connection ends.
func (n *Notifier) replay(c *r3Conn, watch *watcher, life string, after uint64) {
	subjects := eventwire.MerchantWildcards(watch.topic.key.Merchant)
	err := n.log.Replay(c.ctx, subjects, after, func(at uint64, e eventwire.Event) error {
		begun := n.traceBegins()
		data, err := json.Marshal(e.Public())
		if err != nil {
			return err
		}
		if err := c.push(newFrame(firehoseID(life, at), e.Type, data)); err != nil {
			return err
		}
		n.count.delivered.Add(1)
		n.traced(e, begun, 1)
		watch.beat.Store(n.millis())
		return nil
	})
	if c.ctx.Err() == nil {
		n.opt.Logger.Warn("firehose interrupted", "error", err)
		n.end(watch, unavailable)
	}
}

// firehoseCursor reads the cursor and reports whether it is from another life.
func (n *Notifier) firehoseCursor(r *http.Request, life string) (after uint64, reset bool, err error) {
	text, from, err := firehoseText(r)
	if err != nil || text == "" {
		return 0, false, err
	}
	bad := &BadRequestError{"invalid_cursor", from, "a cursor is the id of an event of this stream"}
	cut := strings.LastIndexByte(text, '-')
	if cut < 1 || len(text) > maxFirehoseCursor || text[cut+1:] == "" || text[cut+1] == '+' {
		return 0, false, bad
	}
	after, err = strconv.ParseUint(text[cut+1:], 10, 64)
	if err != nil {
		return 0, false, bad
	}
	if text[:cut] != life {
		return 0, true, nil
	}
	if log, ok := n.log.(ender); ok {
		end, err := log.End(r.Context())
		if err != nil {
			return 0, false, ErrUnavailable
		}
		if after > end {
			return 0, true, nil
		}
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
