package notify

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxQuery    = 4096 // bytes of query string; a tracking token fits several times
	maxCursor   = 19   // digits of an int64
	maxWaitTime = 60   // seconds
)

// transport is what a request asks for.
type transport uint8

const (
	shortPoll transport = iota
	longPoll
	eventStream
	webSocket
)

// asked is what a request says about the feed.
type asked struct {
	transport transport
	after     int64
	cursor    bool // the client named a cursor
	wait      time.Duration
}

// parse reads everything that the feed's URL understands. Parameters that it
// does not know are somebody else's.
func parse(r *http.Request) (asked, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return asked{}, err
	}
	var q asked
	if q.wait, err = parseWait(query, r.Header); err != nil {
		return asked{}, err
	}
	switch {
	case r.Method == http.MethodHead:
	case isUpgrade(r):
		q.transport = webSocket
	case acceptsEvents(r.Header):
		q.transport = eventStream
	case q.wait > 0:
		q.transport = longPoll
	}
	text, from := cursorText(query, r.Header, q.transport)
	if text != "" || query.hasAfter {
		q.cursor = true
		if q.after, err = parseCursor(text, from); err != nil {
			return asked{}, err
		}
	}
	if query.twice {
		return asked{}, &BadRequestError{"invalid_cursor", "after", "the cursor is given twice"}
	}
	return q, nil
}

// parameters are what a query string says about the feed.
type parameters struct {
	after, wait       string
	hasAfter, hasWait bool
	twice             bool // after is there more than once
}

// parseQuery reads a query string. The usual one, which is after=N and nothing
// else, costs no allocation: polls live from that.
func parseQuery(raw string) (parameters, error) {
	if raw == "" {
		return parameters{}, nil
	}
	if len(raw) > maxQuery {
		return parameters{}, &BadRequestError{"invalid_query", "query", "the query string is too long"}
	}
	if after, ok := strings.CutPrefix(raw, "after="); ok && !strings.ContainsFunc(after, notDigit) {
		return parameters{after: after, hasAfter: true}, nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return parameters{}, &BadRequestError{"invalid_query", "query", "the query string is malformed"}
	}
	return parameters{after: query.Get("after"), hasAfter: query.Has("after"), twice: len(query["after"]) > 1,
		wait: query.Get("wait"), hasWait: query.Has("wait")}, nil
}

func notDigit(c rune) bool { return c < '0' || c > '9' }

// cursorText finds the cursor: an EventSource repeats the URL that it was
// opened with, so its Last-Event-ID is the newer of the two.
func cursorText(query parameters, h http.Header, t transport) (text, from string) {
	if last := h.Get("Last-Event-ID"); last != "" && t == eventStream {
		return last, "Last-Event-ID"
	}
	return query.after, "after"
}

func parseCursor(text, from string) (int64, error) {
	if text == "" || len(text) > maxCursor || strings.ContainsFunc(text, notDigit) {
		return 0, badCursor(from)
	}
	after, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badCursor(from)
	}
	return after, nil
}

func badCursor(from string) error {
	return &BadRequestError{"invalid_cursor", from, "a cursor is a sequence: 0 or a positive whole number"}
}

// parseWait reads ?wait=S, or else Prefer: wait=S (RFC 7240). 0 is no wait.
func parseWait(query parameters, h http.Header) (time.Duration, error) {
	text, from := query.wait, "wait"
	if !query.hasWait {
		text, from = preferredWait(h), "Prefer"
		if text == "" {
			return 0, nil
		}
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || len(text) > 2 || seconds < 1 || seconds > maxWaitTime {
		return 0, &BadRequestError{"invalid_wait", from, "wait is a whole number of seconds from 1 to 60"}
	}
	return time.Duration(seconds) * time.Second, nil
}

func preferredWait(h http.Header) string {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if strings.EqualFold(strings.TrimSpace(name), "wait") {
				value, _, _ = strings.Cut(value, ";")
				value = strings.Trim(strings.TrimSpace(value), `"`)
				if value == "" {
					value = "none"
				}
				return value
			}
		}
	}
	return ""
}

func acceptsEvents(h http.Header) bool {
	for _, line := range h.Values("Accept") {
		for media := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(media, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "text/event-stream") {
				continue
			}
			q := strings.ReplaceAll(parameters, " ", "")
			if q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000" {
				return true
			}
		}
	}
	return false
}

func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 &&
		hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket")
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// unchanged reports whether the client already has what etag names
// (RFC 9110 section 13.1.2, weak comparison).
func unchanged(h http.Header, etag string) bool {
	for _, line := range h["If-None-Match"] {
		if line == etag {
			return true
		}
		for part := range strings.SplitSeq(line, ",") {
			part = strings.TrimSpace(part)
			if strings.TrimPrefix(part, "W/") == etag || part == "*" {
				return true
			}
		}
	}
	return false
}
