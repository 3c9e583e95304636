package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
)

// What a merchant relies on and only the whole program shows.
func TestMerchant(t *testing.T) {
	t.Parallel()
	p := startProgram(t, map[string]string{"TRACKER_WEBHOOK_ALLOW_PRIVATE": "true"})
	t.Run("a_revoked_key_ends_its_streams_and_no_others", func(t *testing.T) { revokedKey(t, p) })
	t.Run("an_endpoint_is_made_once", func(t *testing.T) { endpointOnce(t, p) })
}

// hear opens a stream of events and returns once it is there. Its end is told by
// the channel.
func (p *program) hear(ctx context.Context, path, key string) <-chan struct{} {
	p.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.public+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %v %v", path, answer, err)
	}
	if _, err := answer.Body.Read(make([]byte, 1)); err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body) // it ends by an error when the test ends it
	}()
	return end
}

func revokedKey(t *testing.T, p *program) {
	order := p.must(201, "POST", "/v1/orders", object{"reference": "K-1", "currency": "EUR", "items": []object{{"sku": "mug", "name": "Mug", "quantity": 1, "unit_amount": 1500}}})
	feed := "/v1/orders/" + order["id"].(string) + "/events"
	made := p.must(201, "POST", "/v1/keys", object{"name": "to be revoked", "scopes": []string{"read"}})
	key := made["secret"].(string)
	// A connection of its own that nobody ends would last for 8 minutes, much
	// longer than the test waits.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	others := p.hear(ctx, feed, p.key)
	own := []<-chan struct{}{p.hear(ctx, feed, key), p.hear(ctx, "/v1/events", key)}
	p.must(200, "DELETE", "/v1/keys/"+made["id"].(string), nil)
	for i, end := range own {
		<-end
		if ctx.Err() != nil {
			t.Fatalf("stream %d of the revoked key went on\n%s", i, p.log)
		}
	}
	for _, path := range []string{feed, "/v1/events", "/v1/orders"} {
		if status, problem := p.call("GET", path, nil, "Authorization", "Bearer "+key); status != 401 || problem["code"] != "unauthorized" {
			t.Errorf("%s with the revoked key: %d %v", path, status, problem)
		}
	}
	select {
	case <-others:
		t.Error("the stream of another key ended as well")
	default:
	}
}

// The answer to an Idempotency-Key and the endpoint it made are one transaction.
func endpointOnce(t *testing.T, p *program) {
	body := object{"url": "http://127.0.0.1:9/hooks", "events": []string{"order.*"}}
	before := len(p.must(200, "GET", "/v1/webhook_endpoints", nil)["data"].([]any))
	var mu sync.Mutex
	ids, statuses := map[any]bool{}, map[int]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			status, answer := p.call("POST", "/v1/webhook_endpoints", body, "Idempotency-Key", "hook-1")
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			if status == 201 {
				ids[answer["id"]] = true
			}
		})
	}
	wg.Wait()
	again := p.must(201, "POST", "/v1/webhook_endpoints", body, "Idempotency-Key", "hook-1")
	if !ids[again["id"]] || len(ids) != 1 || statuses[201]+statuses[409] != 20 || again["secret"] == nil {
		t.Errorf("ids %v, then %v; statuses %v", ids, again["id"], statuses)
	}
	if n := len(p.must(200, "GET", "/v1/webhook_endpoints", nil)["data"].([]any)); n != before+1 {
		t.Errorf("%d endpoints were made", n-before)
	}
	body["events"] = []string{"payment.*"}
	if status, problem := p.call("POST", "/v1/webhook_endpoints", body, "Idempotency-Key", "hook-1"); status != 422 || problem["code"] != "idempotency_key_reused" {
		t.Errorf("another body with the key: %d %v", status, problem)
	}
}
