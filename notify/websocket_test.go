package notify_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"tracker/notify"
)

func closeCode(t *testing.T, conn *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestWebSocket_close_codes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		want websocket.StatusCode
		do   func(r *rig, f *feed)
	}{
		{"finished", 4000, func(r *rig, f *feed) { r.emit(f.next(true)) }},
		{"revoked token", 4003, func(r *rig, f *feed) { f.epoch++; r.emitted(f, 1) }},
		{"revoked key", 4003, func(r *rig, _ *feed) { r.CloseKey("token") }},
		{"drain", 1001, func(r *rig, _ *feed) { _ = r.Drain(context.Background()) }},
		{"stopped", 1001, func(r *rig, _ *feed) { r.stop() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, plain, nil)
			f := newFeed(orderKey(1))
			r.emitted(f, 1)
			conn, _, err := r.dial(t, r.feedURL(f.key, ""), http.Header{"X-Owner": {f.key.ID}, "X-Epoch": {"1"}})
			if err != nil {
				t.Fatal(err)
			}
			until(t, "joined", func() bool { return r.count("websocket", "handler") == 1 })
			go test.do(r, f)
			if got := closeCode(t, conn); got != test.want {
				t.Errorf("close code %d, want %d", got, test.want)
			}
		})
	}
}

func TestWebSocket_lifetime(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.Lifetime = 100 * time.Millisecond })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	conn, _, err := r.dial(t, r.feedURL(f.key, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := closeCode(t, conn); got != websocket.StatusGoingAway {
		t.Errorf("close code %d, want 1001", got)
	}
}

func TestWebSocket_pings(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.Heartbeat = 10 * time.Millisecond })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	// Who is late with an answer by a second is cut, and on a slow machine tries again.
	until(t, "two pings came, the second after an answer", func() bool {
		pings := 0
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, strings.Replace(r.feedURL(f.key, ""), "http", "ws", 1), &websocket.DialOptions{
			OnPingReceived: func(context.Context, []byte) bool {
				if pings++; pings == 2 {
					cancel()
				}
				return true
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		for err == nil { // reading is what answers pings
			_, _, err = conn.Read(ctx)
		}
		return pings >= 2
	})
}

func TestWebSocket_origin(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, func(o *notify.Options) { o.Origins = []string{"https://shop.example"} })
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	for origin, want := range map[string]int{
		"":                               http.StatusSwitchingProtocols,
		r.url:                            http.StatusSwitchingProtocols,
		"https://shop.example":           http.StatusSwitchingProtocols,
		"https://evil.example":           http.StatusForbidden,
		"https://shop.example.evil.test": http.StatusForbidden,
		"null":                           http.StatusForbidden,
	} {
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		_, response, _ := r.dial(t, r.feedURL(f.key, ""), h)
		if response == nil || response.StatusCode != want {
			t.Errorf("origin %q: %v, want %d", origin, response, want)
		}
	}
}

func TestWebSocket_client_may_not_talk(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	conn, _, err := r.dial(t, r.feedURL(f.key, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Write(context.Background(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := closeCode(t, conn); got != websocket.StatusPolicyViolation {
		t.Errorf("close code %d, want 1008", got)
	}
	until(t, "it is gone", func() bool { return r.count("websocket", "handler") == 0 })
}

func TestWebSocket_refusals_are_plain_answers(t *testing.T) {
	t.Parallel()
	r := setup(t, plain, nil)
	f := newFeed(orderKey(1))
	r.emitted(f, 1)
	for name, test := range map[string]struct {
		url    string
		header http.Header
		want   int
	}{
		"nobody's feed": {r.feedURL(orderKey(2), ""), nil, http.StatusNotFound},
		"old token":     {r.feedURL(f.key, ""), http.Header{"X-Owner": {f.key.ID}, "X-Epoch": {"7"}}, http.StatusUnauthorized},
		"bad cursor":    {r.feedURL(f.key, "?after=x"), nil, http.StatusBadRequest},
	} {
		_, response, err := r.dial(t, test.url, test.header)
		if err == nil || response == nil || response.StatusCode != test.want {
			t.Errorf("%s: %v, want %d", name, response, test.want)
		}
	}
	response := r.get(t, r.feedURL(f.key, ""), "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "8")
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("version 8: %s, want 400", response.Status)
	}
	if speaks := response.Header.Get("Sec-WebSocket-Version"); speaks != "13" {
		t.Errorf("version 8: told to speak %q", speaks)
	}
}
