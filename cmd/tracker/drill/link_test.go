package drill

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// echo is a server that answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(conn, conn)
		}
	}()
	return l.Addr().String()
}

// client is one connection through a link.
type client struct {
	conn  net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, k *Link) *client {
	t.Helper()
	conn, err := net.Dial("tcp", k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

// ask says a word and returns what comes back.
func (c *client) ask(t *testing.T, word string, within time.Duration) (string, error) {
	t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(c.conn, word); err != nil {
		return "", err
	}
	return c.lines.ReadString('\n')
}

func newLink(t *testing.T, targets ...string) *Link {
	t.Helper()
	k, err := NewLink("a", "b", targets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestLink_passes_with_every_mode_that_lets_it(t *testing.T) {
	t.Parallel()
	k := newLink(t, echo(t))
	for _, mode := range []Mode{Pass, Delay} {
		k.Set(mode)
		c := dial(t, k)
		for range 3 {
			if got, err := c.ask(t, "hello", time.Minute); got != "hello\n" {
				t.Errorf("%v: %q %v", mode, got, err)
			}
		}
	}
}

func TestLink_cut_ends_what_is_open_and_what_comes(t *testing.T) {
	t.Parallel()
	k := newLink(t, echo(t))
	open := dial(t, k)
	if _, err := open.ask(t, "hello", time.Minute); err != nil {
		t.Fatal(err)
	}
	k.Set(Cut)
	if got, err := open.ask(t, "still?", time.Minute); err == nil {
		t.Errorf("a connection that was cut answers %q", got)
	}
	if conn, err := net.Dial("tcp", k.Addr()); err == nil {
		conn.SetDeadline(time.Now().Add(time.Minute))
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("a new connection got %d bytes", n)
		}
		conn.Close()
	}
	k.Set(Pass)
	if got, err := dial(t, k).ask(t, "again", time.Minute); got != "again\n" {
		t.Errorf("after it: %q %v", got, err)
	}
}

func TestLink_half_open_keeps_connections_and_says_nothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Hole, Mute} {
		k := newLink(t, echo(t))
		c := dial(t, k)
		if _, err := c.ask(t, "hello", time.Minute); err != nil {
			t.Fatal(err)
		}
		k.Set(mode)
		got, err := c.ask(t, "anybody?", 100*time.Millisecond)
		if late, ok := err.(net.Error); !ok || !late.Timeout() {
			t.Errorf("%v: %q %v, want silence", mode, got, err)
		}
		k.Set(Pass)
		if got, err := c.ask(t, "and now?", time.Minute); err == nil {
			t.Errorf("%v: a connection that was forgotten answers %q", mode, got)
		}
		if got, err := dial(t, k).ask(t, "new", time.Minute); got != "new\n" {
			t.Errorf("%v: after it: %q %v", mode, got, err)
		}
	}
}

func TestLink_takes_a_target_that_is_there(t *testing.T) {
	t.Parallel()
	k := newLink(t, "127.0.0.1:1", echo(t))
	for range 4 {
		if got, err := dial(t, k).ask(t, "hello", time.Minute); got != "hello\n" {
			t.Errorf("%q %v", got, err)
		}
	}
	if n := k.Reset(); n == 0 {
		t.Error("there was nothing to reset")
	}
}
