package eventwire

import (
	"bytes"
	"encoding/json"
	"time"
)

// scan reads an event in one pass, if the message is written just as
// [Event.Encode] writes it. It reports false for everything else, a valid event or
// not: that is for encoding/json to read, which takes five times as long.
func scan(message []byte) (Event, bool) {
	s := scanner{rest: message}
	e := s.envelope()
	e.Transition = s.transition()
	s.literal(`,"`)
	s.literal(string(e.Kind))
	s.literal(`":`)
	e.Resource = s.object()
	if s.has(`,"timeline":[`) {
		e.Timeline = s.timeline()
	}
	s.literal(`}}`)
	return e, !s.failed && len(s.rest) == 0
}

// scanner reads what it is told to expect. Once something else came, it has
// failed, and what it returns means nothing.
type scanner struct {
	rest   []byte
	failed bool
}

// envelope is the event up to its data, which comes next.
func (s *scanner) envelope() (e Event) {
	s.literal(`{"specversion":"1.0","id":`)
	e.ID = s.text()
	s.literal(`,"source":"/`)
	plural, _ := s.until('"')
	for _, k := range kinds {
		if k.plural == string(plural) {
			e.Kind = k.kind
		}
	}
	s.literal(`,"type":`)
	e.Type = s.text()
	s.literal(`,"subject":`)
	e.Subject = s.text()
	s.literal(`,"time":`)
	e.Time = s.moment()
	s.literal(`,"datacontenttype":"application/json"`)
	if s.has(`,"traceparent":`) {
		e.Trace = s.text()
	}
	s.literal(`,"seq":`)
	e.Seq = s.number()
	s.literal(`,"merchant":`)
	e.Merchant = s.text()
	s.literal(`,"owner":`)
	e.Owner = s.same(e.Subject)
	if s.has(`,"epoch":`) {
		e.Epoch = s.number()
	}
	s.literal(`,"closed":`)
	e.Closed = s.boolean()
	s.literal(`,"data":{"transition":`)
	if e.ID == "" || e.Kind == "" || e.Type == "" || e.Subject == "" || e.Merchant == "" {
		s.failed = true
	}
	return e
}

// has reports whether this comes next, and then passes it.
func (s *scanner) has(what string) bool {
	if len(s.rest) < len(what) || string(s.rest[:len(what)]) != what {
		return false
	}
	s.rest = s.rest[len(what):]
	return true
}

func (s *scanner) literal(what string) {
	if !s.has(what) {
		s.failed = true
	}
}

// until is what comes before end, which is passed. It fails where a JSON string
// would mean something else than its bytes.
func (s *scanner) until(end byte) (plain []byte, ok bool) {
	for i, c := range s.rest {
		if c == end {
			plain, s.rest = s.rest[:i], s.rest[i+1:]
			return plain, true
		}
		if c < ' ' || c == '\\' || c >= 0x80 {
			break
		}
	}
	s.failed = true
	return nil, false
}

func (s *scanner) bytes() []byte {
	s.literal(`"`)
	plain, _ := s.until('"')
	return plain
}

func (s *scanner) text() string { return string(s.bytes()) }

// same is a text that is often a known one, and then takes no memory.
func (s *scanner) same(known string) string {
	b := s.bytes()
	if string(b) == known {
		return known
	}
	return string(b)
}

// number is at least 1 and has no more digits than any int64 can hold.
func (s *scanner) number() (n int64) {
	i := 0
	for i < len(s.rest) && '0' <= s.rest[i] && s.rest[i] <= '9' {
		n = 10*n + int64(s.rest[i]-'0')
		i++
	}
	if i == 0 || i > 18 || s.rest[0] == '0' {
		s.failed = true
		return 0
	}
	s.rest = s.rest[i:]
	return n
}

func (s *scanner) boolean() bool {
	if s.has("true") {
		return true
	}
	s.literal("false")
	return false
}

func (s *scanner) moment() (t time.Time) {
	if t.UnmarshalText(s.bytes()) != nil {
		s.failed = true
	}
	return t
}

// object is a copy of a JSON object on one line.
func (s *scanner) object() json.RawMessage {
	end, depth, quoted := 0, 0, false
	for ; end < len(s.rest); end++ {
		switch c := s.rest[end]; {
		case quoted && c == '\\':
			end++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	if end >= len(s.rest) || !json.Valid(s.rest[:end+1]) || bytes.ContainsAny(s.rest[:end+1], "\r\n") {
		s.failed = true
		return nil
	}
	object := bytes.Clone(s.rest[:end+1])
	s.rest = s.rest[end+1:]
	return object
}

func (s *scanner) transition() (t Transition) {
	s.literal(`{"seq":`)
	t.Seq = s.number()
	s.literal(`,"type":`)
	t.Type = s.text()
	s.literal(`,"from":`)
	t.From = s.text()
	s.literal(`,"to":`)
	t.To = s.text()
	s.literal(`,"at":`)
	t.At = s.moment()
	s.literal(`,"cause":`)
	t.Cause = s.text()
	s.literal(`,"evidence":`)
	t.Evidence = s.text()
	if s.has(`,"their_time":`) {
		theirs := s.moment()
		t.TheirTime = &theirs
	}
	if s.has(`,"subject":`) {
		t.Subject = s.text()
	}
	s.literal(`}`)
	return t
}

// timeline has at least one entry.
func (s *scanner) timeline() []Transition {
	list := make([]Transition, 0, 1+bytes.Count(s.rest, []byte(`},{`)))
	for !s.failed {
		list = append(list, s.transition())
		if !s.has(`,`) {
			break
		}
	}
	s.literal(`]`)
	return list
}
