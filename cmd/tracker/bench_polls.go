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
	"sync/atomic"
	"time"
)

// benchPolls measures short polls of one order that is in memory.
type benchPolls struct {
	benchFlags
	Clients int           `default:"16" help:"Clients that ask again at once, each on one connection. Default: 16."`
	For     time.Duration `default:"1s" help:"How long each load lasts. Default: 1s."`
	Runs    int           `default:"5" help:"Pairs of loads, ours and the bare one's, of which the median counts. Default: 5."`
}

// Help is the longer help of the command.
func (benchPolls) Help() string {
	return `The whole program, with its key and metrics but no access log, beside a bare echo
handler that answers with the very same bytes. The loads are short and take turns,
so that what else the machine does falls on both.`
}

// Run measures.
func (c *benchPolls) Run(ctx context.Context, out *console) error {
	if err := checkClients(c.Clients); err != nil {
		return err
	}
	return c.run(ctx, out, "polls", c)
}

func (c *benchPolls) setting() string {
	return fmt.Sprintf("%d clients asking again at once for %s", c.Clients, c.For)
}

func (c *benchPolls) measure(ctx context.Context, out *console, r *report) error {
	return on(ctx, laneTracker, nil, func(s subject, _ *crowd) error {
		book, err := s.orders(ctx, 1)
		if err != nil {
			return err
		}
		feed := "/v1/orders/" + book.ids[0]
		for _, q := range []struct {
			name, path, tag string
			status          int
		}{
			{"304", feed + "/events?after=1", `"1"`, http.StatusNotModified},
			{"200", feed + "/events?after=1", "", http.StatusOK},
			{"200 with an event", feed + "/events?after=0", "", http.StatusOK},
			{"status, 304", feed + "/status", `"1"`, http.StatusNotModified},
		} {
			progress(out, "polls: %s", q.name)
			if err := c.beside(ctx, r, s, q.name, question(s, q.path, q.tag), q.status); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
		}
		return nil
	})
}

// question is a request as it goes over the wire.
func question(s subject, path, tag string) []byte {
	text := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", path, s.address(), s.key())
	if tag != "" {
		text += "If-None-Match: " + tag + "\r\n"
	}
	return []byte(text + "\r\n")
}

// sample is what a bare handler is to answer.
type sample struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

func (c *benchPolls) beside(ctx context.Context, r *report, s subject, name string, request []byte, status int) error {
	answer, err := taste(ctx, s.address(), request)
	if err != nil {
		return err
	}
	if answer.Status != status {
		return fmt.Errorf("answered %d: %s", answer.Status, answer.Body)
	}
	bare, err := startLane(ctx, laneBare, "")
	if err != nil {
		return err
	}
	defer bare.stop()
	if err := bare.ask(ctx, http.MethodPost, "/answer", answer, nil); err != nil {
		return err
	}
	rate, cpu, times := map[string][]float64{}, map[string][]float64{}, []float64{}
	for run := range max(c.Runs, 1) {
		for _, one := range []subject{s, bare} {
			n := 0
			spent, err := usage(one, func() (err error) {
				n, err = c.hammer(ctx, one.address(), request, status)
				return err
			})
			if err != nil {
				return err
			}
			rate[one.name()] = append(rate[one.name()], float64(n)/c.For.Seconds())
			cpu[one.name()] = append(cpu[one.name()], float64(spent.Microseconds())/float64(max(n, 1)))
		}
		if bare := rate[laneBare][run]; bare > 0 {
			times = append(times, rate[laneTracker][run]/bare)
		}
	}
	for _, lane := range []string{laneTracker, laneBare} {
		r.add("polls", lane+", "+name, "answers per second", median(rate[lane]), "")
		r.add("polls", lane+", "+name, "CPU per answer", median(cpu[lane]), "µs")
	}
	r.atLeast("polls", name+", times a bare echo handler's rate", 0.8, median(times), "×")
	return nil
}

// taste asks once and keeps the answer.
func taste(ctx context.Context, address string, request []byte) (sample, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return sample{}, err
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		return sample{}, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return sample{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	res.Header.Del("Date") // every server has its own
	return sample{res.StatusCode, res.Header, body}, err
}

// hammer lets every client ask again as soon as it was answered, and returns how
// many answers there were.
func (c *benchPolls) hammer(ctx context.Context, address string, request []byte, status int) (int, error) {
	var total atomic.Int64
	end := time.Now().Add(c.For)
	err := parallel(ctx, c.Clients, c.Clients, func(int) error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(end.Add(catchUpTime)) // a new connection takes one
		answers, n := bufio.NewReader(conn), int64(0)
		for time.Now().Before(end) && ctx.Err() == nil {
			if _, err := conn.Write(request); err != nil {
				return err
			}
			got, err := skipAnswer(answers)
			if err != nil {
				return err
			}
			if got != status {
				return fmt.Errorf("answered %d, not %d", got, status)
			}
			n++
		}
		total.Add(n)
		return nil
	})
	return int(total.Load()), err
}

// skipAnswer reads an answer with a Content-Length, or without a body, and
// returns its status. It does little, so that the client's part is small.
func skipAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, errors.New("no status line")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == len("Content-Length") && strings.EqualFold(string(name), "Content-Length"):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		case len(name) == len("Transfer-Encoding") && strings.EqualFold(string(name), "Transfer-Encoding"):
			return 0, errors.New("the answer has no length")
		}
	}
	if status == http.StatusNotModified {
		return status, nil
	}
	_, err = r.Discard(length)
	return status, err
}
