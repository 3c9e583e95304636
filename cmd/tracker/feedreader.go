package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// frame is one event of an event stream.
type frame struct {
	ID, Name string
	Data     []byte
}

// feedReader follows one SSE feed and stays with it: a connection that ends, breaks
// or falls silent is opened again at the cursor. It reads the wire by itself
// rather than by r3labs' client, which takes a clean end for the end of the feed
// and delivers an event that was cut off in the middle.
type feedReader struct {
	client *apiClient
	path   string
	cursor string
	silent time.Duration // with no heartbeat for so long, the connection is dead; default 45 s

	event func(frame) error                     // an error ends the stream
	lost  func(why string, again time.Duration) // may be nil
	back  func(away time.Duration)              // may be nil; not for the first connection
}

// errClosed ends a stream whose feed has ended.
var errClosed = errors.New("the feed is closed")

const (
	frameLimit  = 4 << 20
	firstRetry  = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

// run returns nil when the feed is closed or ctx ended, and an error that
// another try would not change.
func (s *feedReader) run(ctx context.Context) error {
	if s.silent == 0 {
		s.silent = 45 * time.Second
	}
	pause, lostAt := firstRetry, time.Time{}
	for {
		base := firstRetry
		err := s.connect(ctx, &base, func() {
			if !lostAt.IsZero() && s.back != nil {
				s.back(time.Since(lostAt))
			}
			pause, lostAt = base, time.Time{}
		})
		var problem *apiError
		var stop *stopError
		switch {
		case ctx.Err() != nil, errors.Is(err, errClosed):
			return nil
		case errors.As(err, &stop):
			return stop.err
		case errors.As(err, &problem) && !problem.passing():
			return problem
		}
		wait := time.Duration(float64(max(pause, base)) * (0.5 + rand.Float64()))
		if problem != nil {
			wait = max(wait, problem.retryAfter)
		}
		if lostAt.IsZero() {
			lostAt = time.Now()
		}
		if s.lost != nil {
			s.lost(plain(err), wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, longestWait)
	}
}

// stopError is an error of the caller's, which no other try would change.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

// plain says in few words why a connection ended.
func plain(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server ended the connection"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "nothing was heard for too long"
	}
	return err.Error()
}

// connect opens the feed once and reads it to its end.
func (s *feedReader) connect(ctx context.Context, retry *time.Duration, opened func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(s.silent, cancel)
	defer watchdog.Stop()
	req, err := s.client.request(ctx, http.MethodGet, s.path, nil)
	if err != nil {
		return &stopError{err}
	}
	req.Header.Set("Accept", "text/event-stream")
	if s.cursor != "" {
		req.Header.Set("Last-Event-ID", s.cursor)
	}
	res, err := s.client.http.Do(req)
	if err != nil {
		return unreachable(s.client.base, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNoContent:
		return errClosed
	case res.StatusCode != http.StatusOK:
		raw, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		return problemOf(res, raw)
	case !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream"):
		return &stopError{fmt.Errorf("%s is not an event stream", s.path)}
	}
	opened()
	return s.read(res.Body, retry, func() { watchdog.Reset(s.silent) })
}

// read parses the stream. An event counts once its empty line has come: what a
// broken connection leaves behind is dropped, and asked for again.
func (s *feedReader) read(body io.Reader, retry *time.Duration, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, frameLimit)
	var f frame
	for lines.Scan() {
		alive()
		field, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			f.ID = string(value)
		case "event":
			f.Name = string(value)
		case "data":
			if f.Data != nil {
				f.Data = append(f.Data, '\n')
			}
			f.Data = append(f.Data, value...)
		case "retry":
			if ms, err := strconv.Atoi(string(value)); err == nil {
				*retry = time.Duration(ms) * time.Millisecond
			}
		}
		if len(lines.Bytes()) > 0 {
			continue
		}
		if err := s.dispatch(f); err != nil {
			return err
		}
		f = frame{}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (s *feedReader) dispatch(f frame) error {
	if f.ID != "" {
		s.cursor = f.ID
	}
	if f.Data == nil {
		return nil
	}
	if err := s.event(f); err != nil {
		return &stopError{err}
	}
	if f.Name == "closed" {
		return errClosed
	}
	return nil
}
