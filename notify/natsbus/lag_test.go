package natsbus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tracker/notify/natsbus"
)

// A server comes back alone, with a store in which the newest message of a feed is
// an old one. Who reads from it gets no answer, and then the newest: never the old.
func TestBus_Last_of_a_server_that_lags_is_never_stale(t *testing.T) {
	t.Parallel()
	options := clusterOptions(t)
	for _, o := range options { // each comes back where it was
		port, err := portOf("nats://" + freeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		o.Port = port
	}
	servers := []*server.Server{boot(t, options[0]), boot(t, options[1]), boot(t, options[2])}
	awaitPeers(t, servers)
	writer := open(t, settings(servers[0].ClientURL(), servers[1].ClientURL()))
	reader := open(t, settings(servers[2].ClientURL()))
	id := newOrder()
	publish := func(seq int64) {
		untilNil(t, func() error { return writer.Publish(t.Context(), []natsbus.Message{message(t, event(t, id, seq))}) })
	}
	publish(1)
	until(t, "the third server has the first message", func() bool { return stored(servers[2]) == 1 })
	end := func(i int) { servers[i].Shutdown(); servers[i].WaitForShutdown() }
	end(2)
	publish(2)
	end(0)
	end(1)

	servers[2] = boot(t, options[2])
	until(t, "the third server has loaded what it stored", func() bool { return stored(servers[2]) == 1 })
	for range 2 {
		if e, found, err := reader.Last(t.Context(), orderKey(id)); err == nil {
			t.Fatalf("a server that is behind and alone answered %d, %v", e.Seq, found)
		}
	}
	servers[0], servers[1] = boot(t, options[0]), boot(t, options[1])
	untilNil(t, func() error {
		e, found, err := reader.Last(t.Context(), orderKey(id))
		if err == nil && (!found || e.Seq != 2) {
			t.Fatalf("the first answer is %d, %v", e.Seq, found)
		}
		return err
	})
}

func settings(urls ...string) natsbus.Options {
	o := quiet(natsbus.Options{URL: strings.Join(urls, ","), Replicas: 3})
	o.Timeout = 5 * time.Second
	return o
}

// stored is how many messages a server's own copy of the stream holds.
func stored(s *server.Server) uint64 {
	all, err := s.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return 0
	}
	for _, account := range all.AccountDetails {
		for _, copied := range account.Streams {
			return copied.State.Msgs
		}
	}
	return 0
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late, tick := time.After(2*time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
