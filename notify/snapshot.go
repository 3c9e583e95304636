package notify

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"

	"tracker/notify/eventwire"
)

// snapshot is the newest message of one feed and everything that was encoded
// from it: each form once, when the first client needs it, then shared by all.
// It is immutable to its readers.
type snapshot struct {
	event eventwire.Event
	tag   []string // the entity tag as a header's values: the newest sequence

	mu     sync.Mutex // guards what follows, all made on demand
	frames []*frame   // by sequence - 1
	finish *frame
	status []byte
	poll   *answer
}

// frame is one message to a client in its SSE form. Its JSON is a part of that
// text, so that one buffer serves every transport.
type frame struct {
	seq   int64 // 0: carries no cursor
	id    string
	name  string
	text  []byte // the whole SSE event
	json  []byte // its data
	r3    atomic.Pointer[r3Event]
	isEnd bool
}

// answer is the body of a poll with the cursor after.
type answer struct {
	after int64
	body  []byte
}

func newSnapshot(e eventwire.Event) *snapshot {
	return &snapshot{event: e, tag: []string{`"` + strconv.FormatInt(e.Seq, 10) + `"`}}
}

func newFrame(id, name string, data []byte) *frame {
	text := make([]byte, 0, len(id)+len(name)+len(data)+24)
	text = append(text, "id: "...)
	text = append(text, id...)
	text = append(text, "\nevent: "...)
	text = append(text, name...)
	text = append(text, "\ndata: "...)
	start := len(text)
	text = append(text, data...)
	end := len(text)
	text = append(text, "\n\n"...)
	return &frame{id: id, name: name, text: text, json: text[start:end:end]}
}

func (s *snapshot) seq() int64 { return s.event.Seq }

// size estimates what keeping s in memory costs, encoded forms included.
func (s *snapshot) size() int {
	return 1024 + 3*len(s.event.Resource) + 512*len(s.event.Timeline)
}

// frame returns the event that carries the feed to seq, or nil where the
// message does not know of it.
func (s *snapshot) frame(seq int64) *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < 1 || seq > s.event.Seq {
		return nil
	}
	at := s.event.Seq - seq // newest first: most snapshots never encode another
	if at < int64(len(s.frames)) && s.frames[at] != nil {
		return s.frames[at]
	}
	f := s.encode(seq)
	if f == nil {
		return nil
	}
	for int64(len(s.frames)) <= at {
		s.frames = append(s.frames, nil)
	}
	s.frames[at] = f
	return f
}

func (s *snapshot) encode(seq int64) *frame {
	e := s.event.Public()
	if seq != s.event.Seq {
		var ok bool
		if e, ok = s.event.At(seq); !ok {
			return nil
		}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil // impossible: the event was decoded from JSON
	}
	f := newFrame(strconv.FormatInt(seq, 10), e.Type, data)
	f.seq = seq
	return f
}

// end is the last frame of a closed feed. Its id keeps the client's cursor.
func (s *snapshot) end() *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finish == nil {
		cursor := strconv.FormatInt(s.event.Seq, 10)
		s.finish = newFrame(cursor, "closed", []byte(`{"type":"closed","cursor":`+cursor+`}`))
		s.finish.isEnd = true
	}
	return s.finish
}

// newReset tells a client that its cursor is from another life. Its id puts the
// cursor back, so that a cut right after it loses nothing.
func newReset(id string) *frame {
	return newFrame(id, "reset", []byte(`{"type":"reset","cursor":0}`))
}

// pollBody is the answer to a poll with the cursor after.
func (s *snapshot) pollBody(after int64) []byte {
	s.mu.Lock()
	cached := s.poll
	s.mu.Unlock()
	if cached != nil && cached.after == after {
		return cached.body
	}
	body := s.encodePoll(after)
	s.mu.Lock()
	s.poll = &answer{after, body}
	s.mu.Unlock()
	return body
}

func (s *snapshot) encodePoll(after int64) []byte {
	from := after
	if after > s.seq() {
		from = 0
	}
	b := []byte(`{"events":[`)
	for seq := from + 1; seq <= s.seq(); seq++ {
		f := s.frame(seq)
		if f == nil {
			continue
		}
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = append(b, f.json...)
	}
	b = append(b, `],"cursor":`...)
	b = strconv.AppendInt(b, s.seq(), 10)
	b = append(b, `,"closed":`...)
	b = strconv.AppendBool(b, s.event.Closed)
	if after > s.seq() {
		b = append(b, `,"reset":true`...)
	}
	return append(b, '}')
}
