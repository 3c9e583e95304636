package drill

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// readFrom feeds a watcher's reader with the text and returns why it ended.
func readFrom(t *testing.T, v *View, c *Crowd, text string) error {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	return c.read(here, bufio.NewReaderSize(strings.NewReader(text), 64), v)
}

func TestCrowd_reads_events_as_a_browser_does(t *testing.T) {
	t.Parallel()
	long := "data: " + strings.Repeat("x", 5000) + "\nid: 99\n" // longer than the buffer
	for name, c := range map[string]struct {
		text    string
		last    int64
		wrong   bool
		because error
	}{
		"two events":               {"retry: 100\n\nid: 1\nevent: order.created\ndata: {}\n\n:\n\nid: 2\nevent: order.confirmed\ndata: {}\n\n", 2, false, io.EOF},
		"CRLF":                     {"id: 1\r\nevent: order.created\r\ndata: {}\r\n\r\n", 1, false, io.EOF},
		"cut in the middle":        {"id: 1\nevent: order.created\ndata: {}\n\nid: 2\nevent: order.confirmed\nda", 1, false, io.EOF},
		"cut before the end":       {"id: 1\nevent: order.created\ndata: {}\n", 0, false, io.EOF},
		"a line beyond the buffer": {"event: order.created\nid: 1\n" + strings.Replace(long, "\nid: 99", "", 1) + "\n", 1, false, io.EOF},
		"what follows a long line": {"event: order.created\ndata: " + strings.Repeat("id: 7 ", 500) + "\nid: 1\n\n", 1, false, io.EOF},
		"closed":                   {"id: 1\nevent: order.created\ndata: {}\n\nevent: closed\ndata: {}\n\nid: 2\nevent: x\ndata: {}\n\n", 1, false, errClosed},
		"reset":                    {"event: reset\ndata: {}\n\nid: 1\nevent: order.created\ndata: {}\n\n", 1, true, io.EOF},
		"a hole":                   {"id: 2\nevent: order.confirmed\ndata: {}\n\n", 2, true, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := NewHistory()
			crowd, v := &Crowd{history: h}, h.Join(h.Feed("ord_1", ""))
			if err := readFrom(t, v, crowd, c.text); !errors.Is(err, c.because) {
				t.Errorf("it ended with %v, want %v", err, c.because)
			}
			if v.Last != c.last {
				t.Errorf("the cursor is %d, want %d", v.Last, c.last)
			}
			if notes := h.Notes(); (len(notes) > 0) != c.wrong {
				t.Errorf("what it says: %v", notes)
			}
		})
	}
}

func TestCrowd_understands_the_head(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]struct {
		chunked bool
		err     error
		notes   int
	}{
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n": {false, nil, 0},
		"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n":      {true, nil, 0},
		"HTTP/1.1 204 No Content\r\n\r\n":                            {false, errClosed, 0},
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n": {false, errRefused, 0},
		"HTTP/1.1 404 Not Found\r\n\r\n":                             {false, errRefused, 1},
		"nonsense\r\n\r\n":                                           {false, errRefused, 0},
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream":         {false, io.EOF, 0},
	} {
		h := NewHistory()
		crowd, v := &Crowd{history: h}, h.Join(h.Feed("ord_1", ""))
		chunked, err := crowd.admitted(bufio.NewReader(strings.NewReader(head)), v)
		if chunked != want.chunked || !errors.Is(err, want.err) || len(h.Notes()) != want.notes {
			t.Errorf("%q: %v %v", head, chunked, err)
		}
	}
}

func TestCrowd_knows_the_longest_silence(t *testing.T) {
	t.Parallel()
	h := NewHistory()
	c := &Crowd{history: h}
	v := h.Join(h.Feed("ord_1", ""))
	c.fresh()
	c.latest.Add(-int64(time.Hour))
	if err := c.event(v, 1, "order.created", true); err != nil {
		t.Fatal(err)
	}
	if c.silence() < time.Hour {
		t.Errorf("the silence is %v", c.silence())
	}
	c.fresh()
	if c.silence() != 0 || c.longest() < time.Hour {
		t.Errorf("after fresh: %v, and in all %v", c.silence(), c.longest())
	}
}

func TestGrowth_is_that_of_a_line_through_all_values(t *testing.T) {
	t.Parallel()
	if growth, mean := growthOf([]float64{10, 20, 30, 40}); growth != 30 || mean != 25 {
		t.Errorf("%v at a mean of %v", growth, mean)
	}
	if growth, _ := growthOf([]float64{10, 30, 10, 30, 10, 30, 10}); growth != 0 {
		t.Errorf("up and down is growth of %v", growth)
	}
}
