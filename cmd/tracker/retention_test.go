package main

import (
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestRetention_an_old_order_is_still_there_for_those_who_ask: its page, its feed
// and its REST reads, with a stream that has forgotten it.
func TestRetention_an_old_order_is_still_there_for_those_who_ask(t *testing.T) {
	t.Parallel()
	p := startProgram(t, map[string]string{"TRACKER_RETENTION": "500ms"})
	o := p.must(201, "POST", "/v1/orders", object{"reference": "old", "currency": "EUR", "items": []object{
		{"sku": "mug", "name": "Mug", "quantity": 1, "unit_amount": 100}}})
	id := o["id"].(string)
	p.must(200, "POST", "/v1/orders/"+id+"/cancel", nil)
	p.until("the order has left the list", func() bool {
		return len(p.must(200, "GET", "/v1/orders", nil)["data"].([]any)) == 0
	})
	p.stop(syscall.SIGTERM)
	if err := os.RemoveAll(filepath.Join(p.env["TRACKER_DATA_DIR"], "nats")); err != nil {
		t.Fatal(err)
	}
	p.start()
	if got := p.must(200, "GET", "/v1/orders/"+id, nil); got["status"] != "cancelled" || len(got["timeline"].([]any)) != 2 {
		t.Errorf("read by its id: %v", got)
	}
	if found := p.must(200, "GET", "/v1/orders?reference=old", nil)["data"].([]any); len(found) != 1 || found[0].(object)["id"] != id {
		t.Errorf("read by its reference: %v", found)
	}
	if page := p.must(200, "GET", "/v1/orders/"+id+"/events?after=0", nil); len(page["events"].([]any)) != 2 || page["closed"] != true {
		t.Errorf("its feed: %v", page)
	}
	cookies, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, page := visit(t, &http.Client{Jar: cookies}, o["tracking_url"].(string), "Accept", "text/html")
	if answer.StatusCode != 200 || !strings.Contains(strings.ToLower(page), "cancelled") {
		t.Errorf("its page: %d %s", answer.StatusCode, page)
	}
}

// TestRetention_of_the_stream_is_a_setting: what the settings say is what the
// server keeps by, also for a stream that is there already.
func TestRetention_of_the_stream_is_a_setting(t *testing.T) {
	t.Parallel()
	url := natsServer(t)
	p := startProgram(t, map[string]string{"TRACKER_NATS_URL": url})
	client, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	kept := func() jetstream.StreamConfig {
		t.Helper()
		js, err := jetstream.New(client)
		if err != nil {
			t.Fatal(err)
		}
		s, err := js.Stream(t.Context(), "TRACKER")
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config
	}
	if got := kept(); got.MaxAge != 720*time.Hour || got.MaxBytes != -1 {
		t.Errorf("by default: %v, %d", got.MaxAge, got.MaxBytes)
	}
	p.stop(syscall.SIGTERM)
	p.env["TRACKER_STREAM_MAX_AGE"], p.env["TRACKER_STREAM_MAX_BYTES"] = "6h", "64MiB"
	p.start()
	if got := kept(); got.MaxAge != 6*time.Hour || got.MaxBytes != 64<<20 {
		t.Errorf("as set: %v, %d", got.MaxAge, got.MaxBytes)
	}
}
