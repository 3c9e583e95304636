package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"tracker/cmd/tracker/drill"
)

// ask is what the admin listener answers; 0 is nobody.
func (p *program) ask(path string) (status int, body string) {
	p.t.Helper()
	answer, err := http.Get(p.admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}

// severable leads to the address in a URL, until it is cut.
func severable(t *testing.T, raw string) (through string, link *drill.Link) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if link, err = drill.NewLink("tracker", u.Host, u.Host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	u.Host = link.Addr()
	return u.String(), link
}

func TestReadyz_outage_of_one_part_is_not_one_of_all(t *testing.T) {
	t.Parallel()
	database, db := severable(t, postgresURL(t))
	stream, nats := severable(t, natsServer(t))
	env := func(roles string) map[string]string {
		return map[string]string{
			"TRACKER_ROLES": roles, "TRACKER_DATABASE_URL": database, "TRACKER_NATS_URL": stream,
			"TRACKER_TOKEN_SECRET": strings.Repeat("token", 8), "TRACKER_BANK_SECRET": "whsec_" + strings.Repeat("YmFuaw", 6), "TRACKER_BANK_URL": "http://" + freeAddr(t),
		}
	}
	writes, shows := startProgram(t, env("orders,payments")), startProgram(t, env("notify,web"))
	says := func(p *program, want int, word string) {
		t.Helper()
		var status int
		var body string
		p.until(word, func() bool {
			status, body = p.ask("/readyz")
			return status == want && strings.Contains(body, word)
		})
	}
	db.Set(drill.Cut)
	says(writes, http.StatusServiceUnavailable, `"database":"failing"`)
	says(shows, http.StatusOK, `"database":"failing"`)
	db.Set(drill.Pass)
	says(writes, http.StatusOK, `"database":"ok"`)
	nats.Set(drill.Cut)
	says(shows, http.StatusServiceUnavailable, `"stream":"failing"`)
	says(writes, http.StatusOK, `"stream":"failing"`)
	nats.Set(drill.Pass)
	says(shows, http.StatusOK, `"stream":"ok"`)
}

func TestReadyz_draining_is_said_until_the_streams_are_gone(t *testing.T) {
	t.Parallel()
	p := startProgram(t, map[string]string{"TRACKER_DRAIN": "5s"})
	for range 20 { // the first of them goes early
		o := p.must(http.StatusCreated, "POST", "/v1/orders", object{"reference": "drain", "currency": "EUR", "items": []object{{"sku": "a", "name": "A", "quantity": 1, "unit_amount": 100}}})
		r, err := http.NewRequestWithContext(t.Context(), "GET", p.public+"/v1/orders/"+o["id"].(string)+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer " + p.key}, "Accept": {"text/event-stream"}}
		stream, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Body.Close()
		go io.Copy(io.Discard, stream.Body)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.until("it says that it is draining", func() bool {
		select {
		case <-p.done:
			t.Fatal("it was gone before it said so")
		default:
		}
		status, body := p.ask("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, `"status":"draining"`)
	})
	if status, body := p.ask("/livez"); status != http.StatusOK {
		t.Errorf("/livez while it drains: %d %s", status, body)
	}
	if status, body := p.ask("/metrics"); status != http.StatusOK || !strings.Contains(body, "tracker_watchers") {
		t.Errorf("/metrics while it drains: %d", status)
	}
}
