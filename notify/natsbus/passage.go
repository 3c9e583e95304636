package natsbus

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// sentHeader carries when Publish handed a message to the connection, in
// microseconds since 1970.
const sentHeader = "Tracker-Sent"

// Passage is how one message came here. The moments are by the clocks of those
// who saw them: between machines they are as good as those agree, and a difference
// may be negative.
type Passage struct {
	Changed  time.Time // by whoever decided the change, as its event says
	Sent     time.Time // by Publish; zero where the message was restored
	Stored   time.Time // by the server
	Received time.Time // by this process
}

func passage(m jetstream.Msg, meta *jetstream.MsgMetadata, received time.Time) Passage {
	p := Passage{Stored: meta.Timestamp, Received: received}
	if micros, err := strconv.ParseInt(m.Headers().Get(sentHeader), 10, 64); err == nil {
		p.Sent = time.UnixMicro(micros)
	}
	return p
}
