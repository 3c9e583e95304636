package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"tracker/payments/sandboxbank"
)

// callLine is a connection that is kept.
type callLine struct {
	net.Conn
	r *bufio.Reader
}

func (run *callbackRun) line(ctx context.Context, address string) (*callLine, error) {
	conn, err := newCrowd(address, "").dial(ctx, 0)
	if err != nil {
		return nil, err
	}
	return &callLine{conn, bufio.NewReader(conn)}, nil
}

// dial opens the two connections of a caller: to the bare handler, and to tracker.
func (run *callbackRun) dial(ctx context.Context, pair *[2]*callLine) (err error) {
	for i, address := range []string{run.bare.address(), run.server.address()} {
		if pair[i] == nil {
			if pair[i], err = run.line(ctx, address); err != nil {
				return err
			}
		}
	}
	return nil
}

func hangUp(lines chan [2]*callLine) {
	for range cap(lines) {
		for _, line := range <-lines {
			if line != nil {
				_ = line.Close()
			}
		}
	}
}

func (run *callbackRun) roundTrip(line *callLine) error {
	start := time.Now()
	_ = line.SetDeadline(start.Add(requestTimeout)) // then the read fails
	if _, err := line.Write(question(run.bare, "/v1/orders/same/events", "")); err != nil {
		return err
	}
	status, err := skipAnswer(line.r)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	run.bareTook.add(time.Since(start))
	return err
}

func (run *callbackRun) callBack(line *callLine, i int, sent chan<- time.Time) error {
	start := time.Now()
	sent <- start
	err := run.tell(line, run.payments[i])
	run.told.add(time.Since(start))
	return err
}

// tell sends the bank's signed word that p is paid.
func (run *callbackRun) tell(line *callLine, p paymentView) error {
	now := time.Now()
	body := told{saysSucceeded, p.ID, p.Reference, p.Amount, p.Currency, now.UTC().Truncate(time.Millisecond)}.body()
	m := message{http.Header{}, body}
	run.signer.Sign(m.header, "evt_bench_"+p.ID, now, body)
	var text strings.Builder
	fmt.Fprintf(&text, "POST /v1/callbacks/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", sandboxbank.ProviderName, run.server.address(), len(body))
	if err := m.header.Write(&text); err != nil {
		return err
	}
	_ = line.SetDeadline(now.Add(requestTimeout)) // then the read fails
	if _, err := fmt.Fprintf(line, "%s\r\n%s", &text, body); err != nil {
		return err
	}
	status, err := skipAnswer(line.r)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("callback answered %d", status)
	}
	return err
}

// joinEach lets n pages ask, each with a question of its own.
func (w *waiting) joinEach(ctx context.Context, n int, of func(i int) []byte) error {
	conns, c := make([]net.Conn, n), newCrowd(w.address, "")
	err := parallel(ctx, n, dialers, func(i int) (err error) {
		if conns[i], err = c.dial(ctx, 0); err == nil {
			_, err = conns[i].Write(of(i))
		}
		return err
	})
	w.conns = slices.DeleteFunc(conns, func(conn net.Conn) bool { return conn == nil }) // none, unless it failed
	return err
}

// read is the answer that the page at i gets, however long it waits.
func (w *waiting) read(i int) ([]byte, error) {
	_ = w.conns[i].SetReadDeadline(time.Now().Add(2 * pageWait)) // then the read ends by itself
	res, err := http.ReadResponse(bufio.NewReaderSize(w.conns[i], 1024), nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}
