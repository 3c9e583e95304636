package sandboxbank

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	endlessWait  = time.Minute // the longest that a fault keeps a caller waiting
	hugeBytes    = 8 << 20
	unknownRetry = 1 // seconds of Retry-After where an outage names none
)

// plain serves an operation to whoever has the secret.
func (b *Bank) plain(read func(*http.Request) (operation, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.allowed(r) {
			b.answer(w, 0, nil, errUnauthorized())
			return
		}
		op, err := read(r)
		if err != nil {
			b.answer(w, 0, nil, err)
			return
		}
		status, answer, err := op.do()
		b.answer(w, status, answer, err)
	})
}

// faulty serves an operation as plain does, unless a fault is about it.
func (b *Bank) faulty(read func(*http.Request) (operation, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.allowed(r) {
			b.answer(w, 0, nil, errUnauthorized())
			return
		}
		op, err := read(r)
		if err != nil {
			b.answer(w, 0, nil, err)
			return
		}
		live := b.faults.take(apiFaults(), b.clock(), append(op.subjects, op.name)...)
		if b.refuseFirst(w, r, live) {
			return
		}
		status, answer, err := op.do()
		if b.spoil(w, r, live) {
			return
		}
		b.answer(w, status, answer, err)
	})
}

func errUnauthorized() error {
	return &apiError{http.StatusUnauthorized, "unauthorized", "send the shared secret as a Bearer token"}
}

// refuseFirst plays the faults in which nothing is done, and the plain delay.
func (b *Bank) refuseFirst(w http.ResponseWriter, r *http.Request, live []liveFault) bool {
	if late, ok := has(live, FaultDelay); ok {
		b.wait(r, late.delay)
	}
	if out, ok := has(live, FaultUnavailable); ok {
		seconds := max(unknownRetry, int(out.delay/time.Second))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		b.answer(w, 0, nil, &apiError{http.StatusServiceUnavailable, "unavailable", "out of order"})
		return true
	}
	if mute, ok := has(live, FaultTimeout); ok {
		b.hangUp(r, mute)
		return true
	}
	return false
}

// spoil plays the faults in which it was done and the answer is worth nothing.
func (b *Bank) spoil(w http.ResponseWriter, r *http.Request, live []liveFault) bool {
	for _, one := range live {
		switch one.Kind {
		case FaultLostAnswer:
			b.hangUp(r, one)
		case FaultHalfAnswer:
			halfAnswer(w)
		case FaultHTML:
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title><p>Welcome to the airport's network.")
		case FaultEmpty:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
		case FaultHuge:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"status":"captured","padding":"`+strings.Repeat("x", hugeBytes)+`"}`)
		case FaultSlow:
			b.trickle(w, r)
		default:
			continue
		}
		return true
	}
	return false
}

// hangUp keeps the caller waiting and then cuts the connection without a word.
func (b *Bank) hangUp(r *http.Request, one liveFault) {
	wait := one.delay
	if wait == 0 {
		wait = endlessWait
	}
	b.wait(r, wait)
	panic(http.ErrAbortHandler)
}

// halfAnswer promises more bytes than it sends.
func halfAnswer(w http.ResponseWriter) {
	body, _ := json.Marshal(Session{Status: StatusCaptured})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// trickle sends an endless answer at one byte in 100 ms.
func (b *Bank) trickle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(w)
	for start := time.Now(); time.Since(start) < endlessWait && b.wait(r, 100*time.Millisecond); {
		if _, err := io.WriteString(w, " "); err != nil || flush.Flush() != nil {
			return
		}
	}
}

// wait returns true after d, and false earlier when the caller has gone or the
// bank stops.
func (b *Bank) wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(min(d, endlessWait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-b.stopped:
	}
	return false
}
