package sandboxbank_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that outlive the bank: callbacks on their way,
// callers that a fault keeps waiting. Idle connections are the client's to keep.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
	)
}
