package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// benchPoll measures short polls of one order through the whole program, beside
// a bare echo handler that answers with the same bytes, and many waiting polls.
type benchPoll struct {
	benchFlags
	Width   int           `default:"32" help:"Short polls at once. Default: 32."`
	For     time.Duration `default:"5s" help:"How long each. Default: 5s."`
	Waiters int           `default:"1000" help:"Long polls that wait for one event. Default: 1000."`
}

// Run measures.
func (c *benchPoll) Run(ctx context.Context, out *console) error {
	if c.Width < 1 || c.Waiters < 1 || c.Waiters > mostClients {
		return fmt.Errorf("--width must be at least 1 and --waiters 1 to %d", mostClients)
	}
	raise()
	r := newReport("tracker bench poll", fmt.Sprintf("%d short polls at once, %d long polls", c.Width, c.Waiters))
	if err := c.short(ctx, out, r); err != nil {
		return err
	}
	progress(out, "long poll")
	if err := c.long(ctx, r); err != nil {
		return err
	}
	return c.finish(out, r)
}

// short compares the two on the same requests and bytes.
func (c *benchPoll) short(ctx context.Context, out *console, r *report) error {
	s, order, clean, err := wholeWithOrder(ctx)
	if err != nil {
		return err
	}
	defer clean()
	body, err := s.api.raw(ctx, "GET", "/v1/orders/"+order+"/events?after=0", nil)
	if err != nil {
		return err
	}
	bare, err := startLane(ctx, laneEcho)
	if err != nil {
		return err
	}
	defer bare.stop()
	res, err := http.Post("http://"+bare.feed+"/body", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	head := "GET /v1/orders/" + order + "/events?after=%d HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + s.api.key + "\r\n"
	for _, kind := range []struct{ name, request string }{
		{"200", fmt.Sprintf(head, 0) + "\r\n"},
		{"304", fmt.Sprintf(head, 1) + "If-None-Match: \"1\"\r\n\r\n"},
	} {
		rates := map[string]float64{}
		for name, address := range map[string]string{"tracker": s.api.base.Host, "bare echo": bare.feed} {
			progress(out, "short poll, %s: %s", kind.name, name)
			if rates[name], err = c.pollRate(ctx, address, kind.request, kind.name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		for _, name := range []string{"tracker", "bare echo"} {
			r.add("short poll", name, "answers with "+kind.name, rates[name], "per second")
		}
		r.add("short poll", "tracker", kind.name+", of bare echo", rates["tracker"]/rates["bare echo"], "")
	}
	return nil
}

// pollRate repeats one request on keep-alive connections.
func (c *benchPoll) pollRate(ctx context.Context, address, request, status string) (float64, error) {
	var n atomic.Int64
	var group sync.WaitGroup
	failed := make(chan error, c.Width)
	began := time.Now()
	for range c.Width {
		group.Go(func() {
			if err := pollLoop(ctx, address, request, status, began.Add(c.For), &n); err != nil {
				failed <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(n.Load()) / time.Since(began).Seconds(), ctx.Err()
	}
}

func pollLoop(ctx context.Context, address, request, status string, until time.Time, n *atomic.Int64) error {
	client, err := newBareClient(ctx, address)
	if err != nil {
		return err
	}
	defer client.conn.Close()
	for ctx.Err() == nil && time.Now().Before(until) {
		if err := client.ask(request, status); err != nil {
			return err
		}
		n.Add(1)
	}
	return nil
}

// bareClient sends requests on one connection and costs next to nothing: what
// is measured is the server.
type bareClient struct {
	conn net.Conn
	r    *bufio.Reader
}

func newBareClient(ctx context.Context, address string) (*bareClient, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &bareClient{conn, bufio.NewReader(conn)}, nil
}

// ask sends one request and checks the status of the answer.
func (c *bareClient) ask(request, status string) error {
	if _, err := io.WriteString(c.conn, request); err != nil {
		return err
	}
	got, err := skipAnswer(c.r)
	if err == nil && got != status {
		err = fmt.Errorf("answered %s, not %s", got, status)
	}
	return err
}

// skipAnswer reads one answer as cheaply as can be and returns its status.
func skipAnswer(r *bufio.Reader) (status string, err error) {
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		if status == "" {
			_, rest, _ := strings.Cut(line, " ")
			status, _, _ = strings.Cut(rest, " ")
		}
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return "", err
			}
		}
	}
	_, err = r.Discard(length)
	return status, err
}

// wholeWithOrder is the whole program with one order in it.
func wholeWithOrder(ctx context.Context) (s *whole, order string, clean func(), err error) {
	dir, remove, err := tempDir()
	if err != nil {
		return nil, "", nil, err
	}
	if s, err = startWhole(ctx, dir); err != nil {
		remove()
		return nil, "", nil, err
	}
	clean = func() { s.stop(); remove() }
	ids, err := s.createOrders(ctx, 1)
	if err != nil {
		clean()
		return nil, "", nil, err
	}
	return s, ids[0], clean, nil
}

// long has many polls wait for one event.
func (c *benchPoll) long(ctx context.Context, r *report) error {
	return with(ctx, laneParked, func(s *stage) error {
		if err := s.seed(ctx, 1); err != nil {
			return err
		}
		before, err := s.atRest(ctx)
		if err != nil {
			return err
		}
		var delay histogram
		var sent atomic.Int64
		var waiting sync.WaitGroup
		failed := make(chan error, c.Waiters)
		err = parallel(ctx, c.Waiters, dialers, func(int) error {
			return s.wait(ctx, &waiting, &sent, &delay, failed)
		})
		if err != nil {
			return err
		}
		during, err := s.atRest(ctx)
		if err != nil {
			return err
		}
		sent.Store(time.Now().UnixNano())
		if err := s.lane.publish(ctx, publishing{Events: 1}); err != nil {
			return err
		}
		waiting.Wait()
		r.add("long poll", laneParked, "memory per waiter", float64(during.PSS-before.PSS)/float64(c.Waiters)/1024, "KB")
		r.delays("long poll", laneParked, "answered after", &delay)
		r.add("long poll", laneParked, "not answered", float64(len(failed)), "")
		return nil
	})
}

// wait opens one long poll; its answer is read in the background.
func (s *stage) wait(ctx context.Context, waiting *sync.WaitGroup, sent *atomic.Int64, delay *histogram, failed chan<- error) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.lane.feed)
	if err != nil {
		return err
	}
	request := "GET /v1/orders/" + benchOrder(0) + "/events?after=1&wait=60 HTTP/1.1\r\nHost: bench\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return errors.Join(err, conn.Close())
	}
	waiting.Go(func() {
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // beyond it, it counts as not answered
		line, err := bufio.NewReaderSize(conn, 512).ReadString('\n')
		if err == nil && !strings.Contains(line, " 200 ") {
			err = errors.New(strings.TrimSpace(line))
		}
		if err != nil {
			failed <- err
			return
		}
		delay.add(time.Duration(time.Now().UnixNano() - sent.Load()))
	})
	return nil
}

// laneEcho answers every poll with the body it was given: what echo alone costs.
const laneEcho = "echo"

type echoLane struct {
	*echo.Echo
	silent
	body []byte
}

func newEchoLane() *echoLane {
	l := &echoLane{Echo: echo.New()}
	l.POST("/body", func(c echo.Context) (err error) {
		l.body, err = io.ReadAll(c.Request().Body)
		return err
	})
	l.GET("/v1/orders/:id/events", func(c echo.Context) error {
		c.Response().Header().Set("ETag", `"1"`)
		if c.Request().Header.Get("If-None-Match") == `"1"` {
			return c.NoContent(http.StatusNotModified)
		}
		return c.JSONBlob(http.StatusOK, l.body)
	})
	return l
}
