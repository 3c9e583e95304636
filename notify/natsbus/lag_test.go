package natsbus_test

import (
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

// The servers that do not lead the stream learn of a message's acceptance with the
// next one: whoever asks one of them at once after the acknowledgement would get
// the message before, if it answered from its own copy.
func TestBus_Last_asked_of_a_server_that_lags_is_the_newest(t *testing.T) {
	t.Parallel()
	servers := cluster(t)
	settings := func(s *server.Server) natsbus.Options {
		return quiet(natsbus.Options{URL: s.ClientURL(), Replicas: 3})
	}
	writer := open(t, settings(servers[0]))
	leads := func(s *server.Server) bool { return s.JetStreamIsStreamLeader("$G", eventwire.Stream) }
	leader := slices.IndexFunc(servers, leads)
	if leader < 0 {
		t.Fatal("nobody leads the stream")
	}
	readers := []*natsbus.Bus{open(t, settings(servers[(leader+1)%3])), open(t, settings(servers[(leader+2)%3]))}
	if config := streamOf(t, servers[leader]); config.AllowDirect || config.Replicas != 3 {
		t.Errorf("any of the servers may answer from its own copy: %+v", config)
	}
	id := newOrder()
	for seq := int64(1); seq <= 30; seq++ {
		if err := writer.Publish(t.Context(), []natsbus.Message{message(t, event(t, id, seq))}); err != nil {
			t.Fatal(err)
		}
		for _, reader := range readers {
			if e, _, err := reader.Last(t.Context(), orderKey(id)); err != nil || e.Seq != seq {
				t.Fatalf("after %d was acknowledged, the last one is %d, %v", seq, e.Seq, err)
			}
		}
	}
}

// streamOf is the stream's configuration, as a server has it.
func streamOf(t *testing.T, s *server.Server) server.StreamConfig {
	t.Helper()
	all, err := s.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Config: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range all.AccountDetails {
		for _, stream := range account.Streams {
			return *stream.Config
		}
	}
	t.Fatal("the server has no stream")
	return server.StreamConfig{}
}
