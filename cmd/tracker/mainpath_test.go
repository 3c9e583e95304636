package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// step is one thing that somebody does on the main path. It may be repeated
// after the program was killed in its middle, and has its effect once.
type step struct {
	name string
	do   func(p *program, w *walk)
}

// walk is what the steps hand on to each other.
type walk struct {
	order, token, payment, pay, shipment string
}

// mainPath is the whole story: an order is placed, paid at the bank, shipped
// and delivered. Every POST carries an idempotency key, as a merchant's does.
func mainPath() []step {
	carried, delivered := carriedAt(0), carriedAt(1) // a step that is repeated says the same
	return []step{
		{"place the order", func(p *program, w *walk) {
			o := p.must(201, "POST", "/v1/orders", object{"reference": "1042", "currency": "EUR", "items": []object{
				{"sku": "mug", "name": "Mug", "quantity": 2, "unit_amount": 1500}, {"sku": "plate", "name": "Plate", "quantity": 1, "unit_amount": 1198}}},
				"Idempotency-Key", "place")
			w.order, w.token = o["id"].(string), o["tracking_token"].(string)
		}},
		{"start the payment", func(p *program, w *walk) {
			o := p.must(201, "POST", "/v1/payments", object{"order_id": w.order, "return_url": p.public + "/checkout/" + w.order}, "Idempotency-Key", "start")
			w.payment, w.pay = o["id"].(string), o["next_action"].(object)["url"].(string)
		}},
		{"approve at the bank", func(p *program, w *walk) { p.decide(w.pay, "approve") }},
		{"see it paid", func(p *program, w *walk) {
			p.until("the order is confirmed", func() bool { return p.field("/v1/orders/"+w.order, "status") == "confirmed" })
		}},
		{"ship", func(p *program, w *walk) {
			p.must(201, "POST", "/v1/orders/"+w.order+"/shipments", object{"carrier": "DHL", "tracking_number": "00340434"}, "Idempotency-Key", "ship")
			shipments := p.must(200, "GET", "/v1/orders/"+w.order, nil)["shipments"].([]any)
			if len(shipments) != 1 {
				p.t.Fatalf("%d shipments", len(shipments))
			}
			w.shipment = shipments[0].(object)["id"].(string)
		}},
		{"carry", func(p *program, w *walk) { p.carrier(w.shipment, "in_transit", carried) }},
		{"deliver", func(p *program, w *walk) { p.carrier(w.shipment, "delivered", delivered) }},
		{"see it completed", func(p *program, w *walk) {
			p.until("the order is completed", func() bool { return p.field("/v1/orders/"+w.order, "status") == "completed" })
		}},
	}
}

// carriedAt is when the nth event of a parcel happened: an hour ago, by the clock
// that the program has, too, and each event after the one before it.
func carriedAt(n int) string {
	return time.Now().Add(-time.Hour + time.Duration(n)*time.Second).UTC().Format(time.RFC3339)
}

func (p *program) carrier(shipment, status, at string) {
	p.t.Helper()
	code, o := p.call("POST", "/v1/shipments/"+shipment+"/events", object{"status": status, "occurred_at": at}, "Idempotency-Key", "carrier-"+status)
	if code != 200 && code != 201 {
		p.t.Fatalf("carrier event %s: %d %v", status, code, o)
	}
}

// field reads one field of a resource as text.
func (p *program) field(path, name string) string {
	p.t.Helper()
	return fmt.Sprint(p.must(200, "GET", path, nil)[name])
}

// watchers counts who waits, by the program's own metric.
func (p *program) watchers() int {
	p.t.Helper()
	answer, err := http.Get(p.admin + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	total := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, value, _ := strings.Cut(line, " "); strings.HasPrefix(name, "tracker_watchers{") {
			n, err := strconv.Atoi(value)
			if err != nil {
				p.t.Fatal(err)
			}
			total += n
		}
	}
	return total
}

// decide presses a button of the bank's page.
func (p *program) decide(page, decision string) {
	p.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm(page, url.Values{"decision": {decision}})
	if err != nil {
		p.t.Fatalf("%s at the bank: %v\n%s", decision, err, p.log)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		p.t.Fatalf("%s at the bank: %d\n%s", decision, answer.StatusCode, p.log)
	}
}

// follower watches a feed over SSE through every break, as a browser does: with
// the last id it has seen.
type follower struct {
	mu   sync.Mutex
	seen []sseEvent
	end  chan struct{}
}

func (p *program) follow(path, token string) *follower {
	f := &follower{end: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	p.t.Cleanup(func() { cancel(); <-f.end })
	go func() {
		defer close(f.end)
		last := "0"
		for ctx.Err() == nil {
			r, err := http.NewRequestWithContext(ctx, "GET", p.public+path, nil)
			if err != nil {
				return
			}
			r.Header.Set("Accept", "text/event-stream")
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Last-Event-ID", last)
			answer, err := http.DefaultClient.Do(r)
			if err != nil || answer.StatusCode == http.StatusServiceUnavailable {
				<-time.After(20 * time.Millisecond)
				continue
			}
			if answer.StatusCode == http.StatusNoContent {
				answer.Body.Close()
				return
			}
			readSSE(answer.Body, func(e sseEvent) bool {
				if !json.Valid([]byte(e.data)) {
					return false // cut off in the middle
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				f.seen = append(f.seen, e)
				if e.id != "" {
					last = e.id
				}
				return true
			})
			answer.Body.Close()
		}
	}()
	return f
}

// check demands every sequence from 1 to n once and in order.
func (f *follower) check(t *testing.T, n int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	want := 1
	for _, e := range f.seen {
		if e.event == "closed" {
			continue
		}
		if e.id != strconv.Itoa(want) {
			t.Errorf("the watcher got %s (%s) where %d was next", e.id, e.event, want)
		}
		want++
	}
	if want != n+1 {
		t.Errorf("the watcher saw %d of %d events", want-1, n)
	}
}

// checkWhole demands that nothing was lost and nothing repeated.
func checkWhole(t *testing.T, p *program, w *walk, f *follower) {
	t.Helper()
	o := p.must(200, "GET", "/v1/orders/"+w.order, nil)
	if o["payment_status"] != "paid" || o["fulfillment_status"] != "fulfilled" {
		t.Errorf("in the end the order is %v", o)
	}
	timeline := o["timeline"].([]any)
	kinds := map[string]int{}
	for i, e := range timeline {
		entry := e.(object)
		if entry["seq"] != float64(i+1) {
			t.Errorf("entry %d of the timeline has seq %v", i+1, entry["seq"])
		}
		kinds[entry["type"].(string)]++
	}
	for _, once := range []string{"order.created", "order.confirmed", "order.shipment_created", "order.completed"} {
		if kinds[once] != 1 {
			t.Errorf("%s happened %d times", once, kinds[once])
		}
	}
	if list := p.must(200, "GET", "/v1/orders", nil)["data"].([]any); len(list) != 1 {
		t.Errorf("%d orders", len(list))
	}
	select {
	case <-f.end:
	case <-time.After(patience):
		t.Error("the watcher of a finished order was not let go")
	}
	f.check(t, len(timeline))
}

func TestMainPath_survives_kill_after_every_step(t *testing.T) {
	t.Parallel()
	p, w := startProgram(t, nil), &walk{}
	var f *follower
	for _, s := range mainPath() {
		s.do(p, w)
		if f == nil {
			f = p.follow("/v1/orders/"+w.order+"/events", w.token)
		}
		p.killAndRestart()
		s.do(p, w) // who was not sure that it happened asks again
	}
	checkWhole(t, p, w, f)
}

func TestMainPath_survives_kill_on_PostgreSQL(t *testing.T) {
	t.Parallel()
	p, w := startProgram(t, map[string]string{"TRACKER_DATABASE_URL": postgresURL(t)}), &walk{}
	var f *follower
	for _, s := range mainPath() {
		s.do(p, w)
		if f == nil {
			f = p.follow("/v1/orders/"+w.order+"/events", w.token)
		}
		p.killAndRestart()
	}
	checkWhole(t, p, w, f)
}

func TestMainPath_deleted_stream_loses_nothing(t *testing.T) {
	t.Parallel()
	p, w := startProgram(t, nil), &walk{}
	var f *follower
	for _, s := range mainPath() {
		s.do(p, w)
		if f == nil {
			f = p.follow("/v1/orders/"+w.order+"/events", w.token)
		}
		p.stop(syscall.SIGTERM)
		if err := os.RemoveAll(filepath.Join(p.env["TRACKER_DATA_DIR"], "nats")); err != nil {
			t.Fatal(err)
		}
		p.start()
	}
	checkWhole(t, p, w, f)
}

// The streams are spread over the drain window and end with it; stop demands that
// the program ends, and well.
func TestMainPath_SIGTERM_with_100_streams_ends_quietly(t *testing.T) {
	t.Parallel()
	p, w := startProgram(t, map[string]string{"TRACKER_DRAIN": "100ms"}), &walk{}
	mainPath()[0].do(p, w)
	var wait sync.WaitGroup
	for i := range 100 {
		r, err := http.NewRequest("GET", p.public+"/v1/orders/"+w.order+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.token)
		r.Header.Set("Accept", "text/event-stream")
		if i%4 == 3 { // a quarter wait by long poll
			r.Header.Del("Accept")
			r.URL.RawQuery = "after=1&wait=60"
		}
		answer := make(chan *http.Response, 1)
		wait.Go(func() {
			a, err := http.DefaultClient.Do(r)
			if err != nil { // a poll that the farewell was too short for, or a stream that is missed below
				close(answer)
				return
			}
			answer <- a
			io.Copy(io.Discard, a.Body)
			a.Body.Close()
		})
		if i%4 != 3 {
			if a := <-answer; a == nil || a.StatusCode != http.StatusOK {
				t.Fatalf("stream %d was refused: %+v\n%s", i, a, p.log)
			}
		}
	}
	p.until("all hundred wait", func() bool { return p.watchers() == 100 })
	p.stop(syscall.SIGTERM)
	wait.Wait()
	for line := range strings.SplitSeq(p.log.String(), "\n") {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, "level=ERROR") {
			t.Errorf("an error in the log: %s", line)
		}
	}
}
