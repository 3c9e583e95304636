package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// writeSSE writes a piece of an event stream and sends it off.
func writeSSE(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

func wireEvent(id string, seq int, eventType, from, to string) string {
	return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", id, eventType, eventJSON(seq, eventType, from, to))
}

func eventJSON(seq int, eventType, from, to string) string {
	at := time.Date(2026, 11, 23, 9, 0, seq, 0, time.UTC).Format(time.RFC3339)
	return fmt.Sprintf(`{"specversion":"1.0","id":"evt_%d","type":%q,"subject":%q,"time":%q,"seq":%d,"data":{"transition":{"seq":%d,"type":%q,"from":%q,"to":%q,"at":%q,"cause":"merchant"},"order":{"id":%q}}}`,
		seq, eventType, orderID, at, seq, seq, eventType, from, to, at, orderID)
}

// The feed breaks in every way a feed can: cut off in the middle of an event, a
// clean end, a 503, silence. Each event is printed once, and it ends at closed.
func TestWatch_survives_every_break(t *testing.T) {
	t.Parallel()
	synctest.Test(t, survivesEveryBreak)
}

func survivesEveryBreak(t *testing.T) {
	api := newPipedAPI(t)
	var mu sync.Mutex
	connection := 0
	api.on("GET /v1/orders/"+orderID+"/events", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connection++
		n := connection
		mu.Unlock()
		switch n {
		case 1:
			second := wireEvent("2", 2, "order.payment_changed", "unpaid", "paid")
			writeSSE(w, "retry: 1\n\n: heartbeat\n\n"+wireEvent("1", 1, "order.created", "", "pending_payment")+second[:len(second)-20])
		case 2:
			writeSSE(w, "retry: 1\n\n"+wireEvent("2", 2, "order.payment_changed", "unpaid", "paid"))
		case 3:
			w.Header().Set("Retry-After", "0")
			api.problem(w, 503, "unavailable")
		case 4:
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // accepted, and silent
		case 5:
			writeSSE(w, wireEvent("3", 3, "order.confirmed", "pending_payment", "confirmed")+"id: 3\nevent: closed\ndata: {\"type\":\"closed\",\"cursor\":3}\n\n")
			<-r.Context().Done()
		}
	})
	var out, errs lockedBuffer
	r := &feedReader{client: mustDial(t, api, &out, &errs), path: "/v1/orders/" + orderID + "/events"}
	var got []string
	r.event = func(f frame) error { got = append(got, f.ID+" "+f.Name); return nil }
	breaks := 0
	r.lost = func(string, time.Duration) { breaks++ }
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "[1 order.created 2 order.payment_changed 3 order.confirmed 3 closed]"; fmt.Sprint(got) != want {
		t.Errorf("got %v", got)
	}
	var cursors []string
	for _, a := range api.requests() {
		cursors = append(cursors, a.Cursor)
	}
	if fmt.Sprint(cursors) != "[ 1 2 2 2]" || breaks != 4 {
		t.Errorf("asked with cursors %q, %d breaks", cursors, breaks)
	}
}

func mustDial(t *testing.T, api *fakeAPI, stdout, stderr io.Writer) *apiClient {
	t.Helper()
	client, err := remote{URL: api.URL, Key: "sk_test_cli"}.dial(&console{getenv: func(string) string { return "" }, stdout: stdout, stderr: stderr, transport: api.transport})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestWatch_prints_the_timeline_and_the_breaks(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	path := "GET /v1/orders/" + orderID + "/events"
	first := true
	api.on(path, func(w http.ResponseWriter, r *http.Request) {
		if first {
			first = false
			writeSSE(w, "retry: 1\n\n"+wireEvent("2", 2, "order.payment_changed", "unpaid", "paid"))
			return
		}
		writeSSE(w, "event: reset\ndata: {}\n\n"+wireEvent("3", 3, "order.confirmed", "pending_payment", "confirmed")+"event: closed\ndata: {}\n\n")
	})
	stdout, stderr, err := tool(t.Context(), api, "watch", orderID, "--after", "1")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "watch", stdout)
	if !strings.Contains(stderr, "connection lost: the server ended the connection") || !strings.Contains(stderr, "after #2") || !strings.Contains(stderr, "connected again") {
		t.Errorf("standard error: %s", stderr)
	}
	if c := api.requests()[0].Cursor; c != "1" {
		t.Errorf("began after %q", c)
	}
	api.on(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	stdout, _, err = tool(t.Context(), api, "watch", orderID, "--json")
	if err != nil || stdout != "" {
		t.Errorf("a closed feed: %q, %v", stdout, err)
	}
}

func TestWatch_ends_with_the_context(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	api.on("GET /v1/orders/"+orderID+"/events", func(w http.ResponseWriter, r *http.Request) {
		writeSSE(w, ": heartbeat\n\n")
		cancel()
		<-r.Context().Done()
	})
	if _, _, err := tool(ctx, api, "watch", orderID); err != nil {
		t.Error(err)
	}
}

// firehose serves the events once and then stays silent; to who asks for the
// latest, the last two, which came after that.
func firehose(api *fakeAPI, events ...string) {
	api.on("GET /v1/merchant", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Date(2026, 11, 23, 9, 0, 3, 0, time.UTC).Format(http.TimeFormat))
	})
	serve := func(events ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			writeSSE(w, strings.Join(events, ""))
			<-r.Context().Done()
		}
	}
	api.on("GET /v1/events", serve(events...))
	api.on("GET /v1/events?after=latest", serve(append([]string{"id: now\n\n"}, events[len(events)-2:]...)...))
}

func TestEventsTail_selects(t *testing.T) {
	t.Parallel()
	var events []string
	for seq, to := range []string{"", "pending_payment", "paid", "confirmed", "completed"} {
		if seq > 0 {
			events = append(events, wireEvent(fmt.Sprintf("x-%d", seq), seq, "order."+to, "", to))
		}
	}
	for _, c := range []struct{ args, want string }{
		{"", "3 4"},             // what came after the beginning
		{"--since 1s", "2 3 4"}, // by the server's clock, which stands at 3
		{"--since 2s", "1 2 3 4"},
		{"--all --events order.c*", "3 4"},
		{"--all --events order.confirmed,payment.*", "3"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := newPipedAPI(t)
				firehose(api, events...)
				if got := tailed(t, api, strings.Fields(c.args)...); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}

// tailed runs events tail, tells it to end when everything has arrived, and
// returns the sequences that it printed.
func tailed(t *testing.T, api *fakeAPI, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // of the bubble's clock
	defer cancel()
	stdout, _, err := tool(ctx, api, append([]string{"events", "tail", "--json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	var seqs []string
	for line := range strings.Lines(stdout) {
		var e eventView
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, fmt.Sprint(e.Seq))
	}
	return strings.Join(seqs, " ")
}

func TestListen_forwards_signed_events_in_order(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	firehose(api, wireEvent("x-4", 4, "order.confirmed", "a", "b"), wireEvent("x-5", 5, "order.completed", "b", "c"))
	const secret = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0LW9mLWxpc3Rlbg=="
	oracle, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ids []string
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := oracle.Verify(body, r.Header); err != nil {
			t.Errorf("the standard library refuses it: %v", err)
		}
		ids = append(ids, r.Header.Get("webhook-id"))
		if len(ids) == 1 {
			w.WriteHeader(500) // once, and it comes again
		}
	}))
	defer shop.Close()
	var out, errs lockedBuffer
	ended := make(chan error, 1)
	go func() {
		ended <- toolTo(ctx, api, &out, &errs, "listen", "--forward-to", shop.URL, "--secret", secret)
	}()
	awaitText(t, &out, "#5 -> 200")
	cancel()
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	if fmt.Sprint(ids) != "[evt_4 evt_4 evt_5]" {
		t.Errorf("forwarded %v", ids)
	}
	golden(t, "listen", strings.ReplaceAll(out.String(), shop.URL, "http://shop"))
}

// awaitText waits until b holds the text.
func awaitText(t *testing.T, b *lockedBuffer, text string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !strings.Contains(b.String(), text); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%q was never printed: %s", text, b.String())
		}
	}
}

func TestTrigger_pay_presses_the_button_of_the_bank(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.onFile("POST /v1/payments", 201, "payment_start")
	api.on("POST /pay/ses_1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(303) })
	stdout, _, err := tool(t.Context(), api, "trigger", "pay", orderID, "--decision", "approve_twice", "--manual")
	if err != nil {
		t.Fatal(err)
	}
	list := api.requests()
	if list[0].Body != `{"capture":"manual","order_id":"`+orderID+`"}` || list[1].Body != "decision=approve_twice" {
		t.Errorf("sent %+v", list)
	}
	golden(t, "trigger_pay", stdout)

	api.on("POST /pay/ses_1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(422) })
	if _, _, err = tool(t.Context(), api, "trigger", "pay", orderID, "--decision", "aprove"); err == nil || !strings.Contains(err.Error(), "does not know the decision") {
		t.Error(err)
	}
}

func TestTrigger_order_to_the_door(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.onFile("POST /v1/orders", 201, "order_new")
	api.onFile("POST /v1/payments", 201, "payment_start")
	api.on("POST /pay/ses_1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(303) })
	polls := 0
	poll := func(w http.ResponseWriter, r *http.Request) {
		polls++
		event := eventJSON(2, "order.payment_changed", "unpaid", "paid")
		if r.URL.Query().Get("after") == "2" {
			event = eventJSON(3, "order.confirmed", "pending_payment", "confirmed")
		}
		fmt.Fprintf(w, `{"events":[%s],"cursor":%d,"closed":false}`, event, 1+polls)
	}
	api.on("GET /v1/orders/"+orderID+"/events?after=0&wait=20", poll)
	api.on("GET /v1/orders/"+orderID+"/events?after=2&wait=20", poll)
	api.onFile("POST /v1/orders/"+orderID+"/shipments", 201, "shipment")
	api.onFile("POST /v1/shipments/shp_01jdcs/events", 201, "shipment")
	if _, _, err := tool(t.Context(), api, "trigger", "order", "--pay", "approve", "--deliver"); err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, a := range api.requests() {
		if strings.HasSuffix(a.Line, "/shp_01jdcs/events") {
			steps = append(steps, a.Body)
		}
	}
	if len(steps) != 4 || steps[3] != `{"status":"delivered"}` {
		t.Errorf("the carrier reported %v", steps)
	}
}

func TestTrigger_fault_talks_to_the_bank(t *testing.T) {
	t.Parallel()
	var got []string
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
		if strings.Contains(string(body), "nonsense") {
			w.WriteHeader(422)
			fmt.Fprint(w, `{"error":{"code":"invalid_fault","message":"there is no such fault"}}`)
		}
	}))
	defer bank.Close()
	api := newFakeAPI(t)
	flags := []string{"--bank-url", bank.URL, "--bank-secret", "whsec_x"}
	for _, c := range []struct{ args, prints, fails string }{
		{"slow --for 2s --count 3 --match status", "The bank misbehaves: slow.\n", ""},
		{"clear", "The bank behaves again.\n", ""},
		{"nonsense", "", "there is no such fault"},
	} {
		stdout, _, err := tool(t.Context(), api, append(append([]string{"trigger", "fault"}, strings.Fields(c.args)...), flags...)...)
		if stdout != c.prints || (err != nil) != (c.fails != "") || (err != nil && !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s: %q, %v", c.args, stdout, err)
		}
	}
	if want := `POST /faults Bearer whsec_x {"count":3,"for":"2s","kind":"slow","match":"status"}`; got[0] != want {
		t.Errorf("got %s", got[0])
	}
	if !strings.HasPrefix(got[1], "DELETE /faults") {
		t.Errorf("got %s", got[1])
	}
}
