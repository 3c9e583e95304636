package eventwire

import "encoding/json"

// Ask is the request on [AskSubject]: the newest event of one feed.
type Ask struct {
	Merchant string `json:"merchant"`
	ID       string `json:"id"`
}

// Answer is the reply: the message as it would stand in the stream, or not
// found. Error says why the owner could not tell, which is never "not found".
type Answer struct {
	Found   bool            `json:"found"`
	Message json.RawMessage `json:"message,omitempty"`
	Error   string          `json:"error,omitempty"`
}
