package sandboxbank

import (
	"encoding/json"
	"time"
)

// book is all that the bank knows. It is what the changes in the journal make
// it, live and after a restart alike. Not safe for concurrent use.
type book struct {
	sessions  map[string]*session
	byPayment map[string]string
	calls     map[string]*call     // callbacks not yet delivered, by key
	timers    map[string]time.Time // sessions where something is due
}

// change is one line of the journal: the new state of what changed.
type change struct {
	Sessions []*session `json:"sessions,omitempty"`
	Calls    []*call    `json:"calls,omitempty"`
	Done     []string   `json:"done,omitempty"` // keys of calls that are over
}

// call is a callback that the bank owes the shop.
type call struct {
	Key      string          `json:"key"` // the bank's own; unlike ID never repeated
	ID       string          `json:"id"`  // what the shop sees as webhook-id
	Session  string          `json:"session"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
	NotYet   time.Time       `json:"not_yet"` // not before this time
	Attempts int             `json:"attempts,omitempty"`
	Forge    bool            `json:"forge,omitempty"`
	Stale    bool            `json:"stale,omitempty"`
}

func newBook() book {
	return book{
		sessions: map[string]*session{}, byPayment: map[string]string{},
		calls: map[string]*call{}, timers: map[string]time.Time{},
	}
}

func (b *book) apply(c change) {
	for _, s := range c.Sessions {
		b.sessions[s.ID] = s
		b.byPayment[s.Payment] = s.ID
		delete(b.timers, s.ID)
		if !s.Due.IsZero() {
			b.timers[s.ID] = s.Due
		}
	}
	for _, one := range c.Calls {
		b.calls[one.Key] = one
	}
	for _, key := range c.Done {
		delete(b.calls, key)
	}
}

// forget drops sessions that have not changed since limit and wait for nothing.
func (b *book) forget(limit time.Time) {
	for id, s := range b.sessions {
		if s.ChangedAt.Before(limit) && s.Due.IsZero() {
			delete(b.sessions, id)
			delete(b.byPayment, s.Payment)
		}
	}
}

// changes tells the whole book in as many lines as it has entries.
func (b *book) changes() []any {
	list := make([]any, 0, len(b.sessions)+len(b.calls))
	for _, s := range b.sessions {
		list = append(list, change{Sessions: []*session{s}})
	}
	for _, c := range b.calls {
		list = append(list, change{Calls: []*call{c}})
	}
	return list
}
