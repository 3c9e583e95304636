package webhooks_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Whoever starts a goroutine ends it: idle keep-alive connections of a client
// end by themselves, everything else has to be gone.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	)
}
