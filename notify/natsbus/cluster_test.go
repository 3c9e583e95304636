package natsbus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	weak "math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
)

// cluster is three servers that hold one stream together.
func cluster(t *testing.T) []*server.Server {
	t.Helper()
	servers := make([]*server.Server, 3)
	for i, o := range clusterOptions(t) {
		servers[i] = boot(t, o)
	}
	awaitPeers(t, servers)
	return servers
}

func clusterOptions(t *testing.T) (list []*server.Options) {
	t.Helper()
	var routes []*url.URL
	for range 3 { // JetStream wants to know its peers before it starts
		routes = append(routes, &url.URL{Scheme: "nats", Host: freeAddress(t)})
	}
	for i, route := range routes {
		port, err := portOf(route.String())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, &server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
	}
	return list
}

// boot starts one server, on what it has stored before.
func boot(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o.Clone())
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

// awaitPeers waits until the servers know each other and one of them leads.
func awaitPeers(t *testing.T, servers []*server.Server) {
	t.Helper()
	for _, s := range servers {
		if !s.ReadyForConnections(2 * time.Minute) {
			t.Fatal("a server of the cluster does not start")
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !slices.ContainsFunc(servers, func(s *server.Server) bool { return s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == 3 }) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the cluster has no leader")
		}
	}
}

// freeAddress is one that was free a moment ago, below the ports that the kernel
// gives to outgoing connections: one of those may take it before the server does.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+weak.IntN(20_000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// The server that leads the stream dies under load: nothing is missing, doubled or
// out of order, for a follower and, but for repetitions, for a reactor.
func TestBus_survives_the_leader_of_a_cluster(t *testing.T) {
	t.Parallel()
	servers := cluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	o := quiet(natsbus.Options{URL: strings.Join(urls, ","), Replicas: 3, Timeout: 10 * time.Second, AckWait: 10 * time.Second})
	b, id := open(t, o), newOrder()
	s, reacted := follow(t, b), newSeen()
	react(t, b, func(e eventwire.Event) error { reacted.add(e); return nil })
	for seq := range int64(60) {
		if seq == 20 {
			leader := slices.IndexFunc(servers, func(s *server.Server) bool {
				return s.JetStreamIsStreamLeader("$G", eventwire.Stream)
			})
			if leader < 0 {
				t.Fatal("nobody leads the stream")
			}
			servers[leader].Shutdown()
		}
		untilNil(t, func() error { return b.Publish(t.Context(), []natsbus.Message{message(t, event(t, id, seq+1))}) })
		if e, ok, err := b.Last(t.Context(), orderKey(id)); err == nil && (!ok || e.Seq != seq+1) {
			t.Errorf("after %d the last one is %d", seq+1, e.Seq)
		}
	}
	s.await(t, 60)
	want := make([]int64, 60)
	for i := range want {
		want[i] = int64(i) + 1
	}
	if got := s.of(id); !slices.Equal(got, want) || s.reasons() != "" {
		t.Errorf("got %v, gaps %q", got, s.reasons())
	}
	reacted.until(t, "the last reaction", func() bool { return slices.Contains(reacted.of(id), 60) })
	if got := slices.Compact(slices.Sorted(slices.Values(reacted.of(id)))); !slices.Equal(got, want) {
		t.Errorf("reacted to %v", got)
	}
}

func TestOpen_over_TLS(t *testing.T) {
	t.Parallel()
	file, pair := certificate(t)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		JetStreamMaxMemory: 1 << 20, JetStreamMaxStore: 1 << 30,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(2 * time.Minute) {
		t.Fatal("the server does not start")
	}
	address := strings.Replace(s.ClientURL(), "nats://", "tls://", 1)
	b := open(t, quiet(natsbus.Options{URL: address, RootCAFile: file}))
	id := newOrder()
	publish(t, b, id, 1)
	if _, ok, err := b.Last(t.Context(), orderKey(id)); !ok || err != nil {
		t.Error(ok, err)
	}
	if stranger, err := natsbus.Open(context.WithoutCancel(t.Context()), quiet(natsbus.Options{URL: address})); err == nil {
		t.Error("a certificate of nobody was believed")
		_ = stranger.Close() // the test has failed already
	}
}

// certificate is one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (file string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
