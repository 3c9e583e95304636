package notify_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// message is what a client of any transport receives.
type message struct {
	id   string
	name string // the event's type, "closed", "reset", or "END" when the stream is over
	data string
	note string // what a comment said
	wait string // retry
}

// stream reads SSE as a strict client does.
type stream struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Reader
	last     string
}

func (r *rig) get(t testing.TB, url string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	response, err := r.http.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func (r *rig) watch(t testing.TB, url string, header ...string) *stream {
	t.Helper()
	response := r.get(t, url, append(header, "Accept", "text/event-stream")...)
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("GET %s: %s %s", url, response.Status, text)
	}
	return &stream{t: t, response: response, lines: bufio.NewReader(response.Body)}
}

// raw returns the next block: an event, a comment or a retry.
func (s *stream) raw() message {
	var m message
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return message{name: "END"}
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return m
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "":
			m.note = value
		case "id":
			m.id = value
		case "event":
			m.name = value
		case "data":
			m.data = value
		case "retry":
			m.wait = value
		}
	}
}

// next returns the next event, skipping what is none.
func (s *stream) next() message {
	for {
		m := s.raw()
		if m.data == "" && m.name == "" {
			continue
		}
		if m.id != "" {
			s.last = m.id
		}
		return m
	}
}

func (s *stream) close() { _ = s.response.Body.Close() }

// want fails unless the next events carry these ids.
func (s *stream) want(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		if m := s.next(); m.id != id || m.data == "" {
			s.t.Fatalf("got %+v, want event %s", m, id)
		}
	}
}

func (s *stream) wantName(name string) message {
	s.t.Helper()
	m := s.next()
	if m.name != name {
		s.t.Fatalf("got %+v, want %s", m, name)
	}
	return m
}

// polled is the body of a poll.
type polled struct {
	Events []struct {
		Seq  int64           `json:"seq"`
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	} `json:"events"`
	Cursor int64 `json:"cursor"`
	Closed bool  `json:"closed"`
	Reset  bool  `json:"reset"`
}

func (r *rig) poll(t testing.TB, url string, header ...string) (polled, *http.Response) {
	t.Helper()
	response := r.get(t, url, header...)
	var p polled
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return p, response
}

func (p polled) seqs() (list []int64) {
	for _, e := range p.Events {
		list = append(list, e.Seq)
	}
	return list
}
