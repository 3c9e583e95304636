package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// caller makes orders over one connection, and costs little beside the server.
type caller struct {
	addr, head string
	conn       net.Conn // nil before the first order
	r          *bufio.Reader
}

func newCaller(s *whole) *caller {
	head := "POST /v1/orders HTTP/1.1\r\nHost: " + s.address() + "\r\nContent-Type: application/json\r\nAuthorization: Bearer " + s.key() + "\r\n"
	return &caller{addr: s.address(), head: head}
}

func (o *caller) close() {
	if o.conn != nil {
		_ = o.conn.Close() // it has nothing to tell any more
	}
}

// create makes an order. A connection that the server closed while the other ways
// had their turn is made anew; the key keeps the order from being made twice.
func (o *caller) create(ctx context.Context, i int) error {
	body, err := json.Marshal(newOrder(i))
	if err != nil {
		return err
	}
	request := fmt.Appendf(nil, "%sIdempotency-Key: bench-%d\r\nContent-Length: %d\r\n\r\n%s", o.head, i, len(body), body)
	used := o.conn != nil
	status, err := o.send(ctx, request)
	if err != nil && used {
		o.close()
		o.conn = nil
		status, err = o.send(ctx, request)
	}
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("answered %d, not %d", status, http.StatusCreated)
	}
	return err
}

func (o *caller) send(ctx context.Context, request []byte) (status int, err error) {
	if o.conn == nil {
		var d net.Dialer
		if o.conn, err = d.DialContext(ctx, "tcp", o.addr); err != nil {
			return 0, err
		}
		o.r = bufio.NewReader(o.conn)
	}
	_ = o.conn.SetDeadline(time.Now().Add(requestTimeout)) // then the write fails
	if _, err := o.conn.Write(request); err != nil {
		return 0, err
	}
	return skipAnswer(o.r)
}
