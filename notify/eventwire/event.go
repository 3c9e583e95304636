package eventwire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Transition is one entry of a timeline: what changed, when, and on whose word.
type Transition struct {
	Seq      int64     `json:"seq"`      // 1, 2, 3 …, no holes
	Type     string    `json:"type"`     // the event type, such as "order.confirmed"
	From     string    `json:"from"`     // "" for the first
	To       string    `json:"to"`       //
	At       time.Time `json:"at"`       // our time, UTC, milliseconds
	Cause    string    `json:"cause"`    // callback, poll, merchant, shopper, timer, operator, payment, order
	Evidence string    `json:"evidence"` // the id of what proves it: a provider's event, our event, a request; or ""
	// TheirTime is when the provider or carrier says that it happened.
	TheirTime *time.Time `json:"their_time,omitempty"`
	// Subject is the part of the resource that changed, where it is not the
	// resource itself: a shipment, a refund, a payment of an order.
	Subject string `json:"subject,omitempty"`
}

// Event is one transition of one resource in its CloudEvents 1.0 envelope.
// The zero value is not valid; build one with [New] or [Decode].
type Event struct {
	ID       string
	Kind     Kind
	Type     string
	Subject  string // the resource's id
	Time     time.Time
	Seq      int64
	Merchant string
	Owner    string // the resource whose tracking token opens this feed
	Epoch    int64  // the owner's token epoch; 0 on feeds of other owners
	Closed   bool   // nothing more is expected on this feed
	Trace    string // W3C traceparent of what caused it, where that is traced; never in a public event

	Transition Transition
	Resource   json.RawMessage // the newest summary, a JSON object
	Timeline   []Transition    // all transitions, oldest first; nil in a public event
}

type envelope struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Trace           string    `json:"traceparent,omitempty"` // CloudEvents' distributed tracing extension
	Seq             int64     `json:"seq"`
	Merchant        string    `json:"merchant"`
	Owner           string    `json:"owner"`
	Epoch           int64     `json:"epoch,omitempty"`
	Closed          bool      `json:"closed"`
}

// New builds the event of the last transition of timeline, about the resource
// that key names, whose newest summary is resource.
func New(key Key, owner string, epoch int64, closed bool, timeline []Transition, resource any) (Event, error) {
	if len(timeline) == 0 {
		return Event{}, errors.New("eventwire: an event needs a transition")
	}
	body, err := json.Marshal(resource)
	if err != nil {
		return Event{}, fmt.Errorf("eventwire: encode %s: %w", key.ID, err)
	}
	last := timeline[len(timeline)-1]
	return Event{
		ID: EventID(key.ID, last.Seq), Kind: key.Kind, Type: last.Type, Subject: key.ID,
		Time: last.At, Seq: last.Seq, Merchant: key.Merchant, Owner: owner, Epoch: epoch, Closed: closed,
		Transition: last, Resource: body, Timeline: timeline,
	}, nil
}

// Key names the feed that the event belongs to.
func (e Event) Key() Key { return Key{Merchant: e.Merchant, Kind: e.Kind, ID: e.Subject} }

// Public is the event as people receive it: without the timeline.
func (e Event) Public() Event {
	e.Timeline, e.Trace = nil, ""
	return e
}

// At is the public event of an earlier transition: its own entry of the
// timeline beside the newest summary. It reports false when the timeline has no
// such sequence.
func (e Event) At(seq int64) (Event, bool) {
	if seq < 1 || seq > int64(len(e.Timeline)) || e.Timeline[seq-1].Seq != seq {
		return Event{}, false
	}
	t := e.Timeline[seq-1]
	e.ID, e.Type, e.Time, e.Seq, e.Transition, e.Timeline, e.Trace = EventID(e.Subject, seq), t.Type, t.At, seq, t, nil, ""
	return e, true
}

// MarshalJSON writes the envelope on one line.
func (e Event) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(envelope{
		SpecVersion: "1.0", ID: e.ID, Source: "/" + e.Kind.Plural(), Type: e.Type, Subject: e.Subject,
		Time: e.Time, DataContentType: "application/json", Trace: e.Trace, Seq: e.Seq,
		Merchant: e.Merchant, Owner: e.Owner, Epoch: e.Epoch, Closed: e.Closed,
	})
	if err != nil {
		return nil, err
	}
	// The data is written behind it here: as a RawMessage it would be read again.
	var b bytes.Buffer
	b.Grow(len(head) + len(e.Resource) + (1+len(e.Timeline))*roomForTransition)
	b.Write(bytes.TrimSuffix(head, []byte("}")))
	b.WriteString(`,"data":{"transition":`)
	if err := appendJSON(&b, e.Transition); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, `,%q:`, e.Kind)
	b.Write(e.Resource)
	if e.Timeline != nil {
		b.WriteString(`,"timeline":`)
		if err := appendJSON(&b, e.Timeline); err != nil {
			return nil, err
		}
	}
	b.WriteString("}}")
	return b.Bytes(), nil
}

// roomForTransition is about what one takes, in bytes.
const roomForTransition = 256

func appendJSON(b *bytes.Buffer, v any) error {
	text, err := json.Marshal(v)
	b.Write(text)
	return err
}

// Encode is the message as it goes onto NATS.
func (e Event) Encode() ([]byte, error) { return e.MarshalJSON() } // json.Marshal would read it all again

// payload is the data of an event, with a field for the summary of every kind.
type payload struct {
	Transition *Transition     `json:"transition"`
	Timeline   []Transition    `json:"timeline"`
	Order      json.RawMessage `json:"order"`
	Payment    json.RawMessage `json:"payment"`
}

func (p payload) summary(kind Kind) json.RawMessage {
	switch kind {
	case Orders:
		return p.Order
	case Payments:
		return p.Payment
	}
	return nil
}

// Decode reads a message. An error names what is missing; fields that this
// version does not know are ignored, so that an older process can read what a
// newer one writes. The event shares no memory with the message.
func Decode(message []byte) (Event, error) {
	if e, ok := scan(message); ok {
		return e, nil
	}
	return decodeAny(message)
}

// decodeAny reads every JSON text that is an event.
func decodeAny(message []byte) (Event, error) {
	var env struct {
		envelope
		Data payload `json:"data"`
	}
	if err := json.Unmarshal(message, &env); err != nil {
		return Event{}, fmt.Errorf("eventwire: decode: %w", err)
	}
	var kind Kind
	for _, k := range kinds {
		if env.Source == "/"+k.plural {
			kind = k.kind
		}
	}
	resource := env.Data.summary(kind)
	switch {
	case env.SpecVersion != "1.0":
		return Event{}, fmt.Errorf("eventwire: specversion %q is not 1.0", env.SpecVersion)
	case kind == "":
		return Event{}, fmt.Errorf("eventwire: unknown source %q", env.Source)
	case env.ID == "" || env.Type == "" || env.Subject == "" || env.Merchant == "" || env.Seq < 1:
		return Event{}, errors.New("eventwire: id, type, subject, merchant and seq must be there")
	case resource == nil:
		return Event{}, fmt.Errorf("eventwire: data has no %q", kind)
	case env.Data.Transition == nil:
		return Event{}, errors.New("eventwire: data has no transition")
	}
	if bytes.ContainsAny(resource, "\r\n") { // not written by us, and an event must be one line
		var line bytes.Buffer
		if err := json.Compact(&line, resource); err != nil {
			return Event{}, fmt.Errorf("eventwire: decode: %w", err)
		}
		resource = line.Bytes()
	}
	return Event{
		ID: env.ID, Kind: kind, Type: env.Type, Subject: env.Subject, Time: env.Time, Seq: env.Seq,
		Merchant: env.Merchant, Owner: env.Owner, Epoch: env.Epoch, Closed: env.Closed, Trace: env.Trace,
		Transition: *env.Data.Transition, Resource: resource, Timeline: env.Data.Timeline,
	}, nil
}
