package web

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A connection that resets its requests as soon as it has made them is cut, and
// counted for it; one that does so as often as a proxy may is not.
func TestConnections_a_connection_that_only_resets_is_cut(t *testing.T) {
	t.Parallel()
	began, over := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done := handles(r)
		defer func() { done(); over <- struct{}{} }()
		began <- struct{}{}
		<-r.Context().Done()
	})
	srv := watchServer(t, h, func(srv *http.Server) { srv.Protocols.SetUnencryptedHTTP2(true) })
	conn := dialHTTP2(t, srv.Addr)
	for i := range maxResets + 1 {
		stream := uint32(2*i + 1)
		mustWrite(t, conn, http2Get(stream))
		<-began // so that the reset is an early one, and none of a request that nobody had
		mustWrite(t, conn, http2Reset(stream))
		<-over
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
		t.Fatalf("the connection was not cut: %v", err)
	}
	srv.ended(t, map[string]float64{"resets": 1})
}

// isReset reports that the other side had something unread when it closed.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// What was reset long ago does not count, however much it was.
func TestConnection_resets_are_forgotten(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	o := &connection{conn: server}
	at := time.Unix(1_800_000_000, 0)
	for range 5 {
		for range maxResets {
			o.reset(at)
		}
		at = at.Add(resetWindow + time.Millisecond)
	}
	if o.cut.Load() {
		t.Fatalf("it was cut for %d resets in %v", maxResets, resetWindow)
	}
	for range maxResets + 1 {
		o.reset(at)
	}
	if !o.cut.Load() {
		t.Fatalf("it was not cut for %d resets at once", maxResets+1)
	}
}

// A request that was reset late, as whoever stops watching does, or that ended by
// itself, is not held against its connection.
func TestConnections_only_early_resets_count(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &connection{}
		reset := func(after time.Duration) {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), connectionKey{}, o))
			done := handles((&http.Request{ProtoMajor: 2}).WithContext(ctx))
			time.Sleep(after)
			cancel()
			done()
		}
		handles((&http.Request{ProtoMajor: 2}).WithContext(context.WithValue(t.Context(), connectionKey{}, o)))()
		reset(early)
		if o.resets != 0 {
			t.Errorf("%d resets after a request that was answered and a stream that lasted", o.resets)
		}
		reset(early - time.Millisecond)
		if o.resets != 1 {
			t.Errorf("%d resets after one", o.resets)
		}
	})
}

// dialHTTP2 opens a connection that speaks HTTP/2 from its first byte on.
func dialHTTP2(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute)) // then reads and writes fail
	mustWrite(t, conn, append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), http2Frame(4, 0, 0, nil)...))
	return conn
}

func mustWrite(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
}

// http2Get is GET http://x/: three fields by their places in the static table, and
// :authority in full (RFC 7541 appendix A).
func http2Get(stream uint32) []byte {
	return http2Frame(1, 5, stream, []byte{0x82, 0x86, 0x84, 0x41, 1, 'x'})
}

// http2Reset is RST_STREAM with CANCEL.
func http2Reset(stream uint32) []byte { return http2Frame(3, 0, stream, []byte{0, 0, 0, 8}) }

// http2Frame is RFC 9113 section 4.1.
func http2Frame(kind, flags byte, stream uint32, body []byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body))<<8|uint32(kind))
	head = append(head, flags)
	return append(binary.BigEndian.AppendUint32(head, stream), body...)
}
