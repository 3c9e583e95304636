package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tracker/web"
)

// standIn is a process that only says which role it is asked as, and counts who
// connects.
type standIn struct {
	*httptest.Server
	connections atomic.Int64
}

func newStandIn(t *testing.T, role string) *standIn {
	s := &standIn{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Role", role)
		r.Header.Set("Host", r.Host)
		json.NewEncoder(w).Encode(r.Header)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *standIn) addr() []string { return []string{strings.TrimPrefix(s.URL, "http://")} }

// standIns are four of them, one for each role.
func standIns(t *testing.T) (map[string]*standIn, upstreams) {
	list := map[string]*standIn{}
	for _, role := range []string{web.RoleOrders, web.RolePayments, web.RoleNotify, web.RoleWeb} {
		list[role] = newStandIn(t, role)
	}
	return list, upstreams{list[web.RoleOrders].addr(), list[web.RolePayments].addr(), list[web.RoleNotify].addr(), list[web.RoleWeb].addr()}
}

// routesOf lists what a process of the role answers, from the route table itself.
func routesOf(t *testing.T, role string) []string {
	t.Helper()
	s, err := web.New(web.Deps{
		Roles: []string{role}, Secrets: []string{strings.Repeat("s", 32)}, Keys: struct{ web.Keys }{}, Tokens: struct{ web.Tokens }{},
		Merchants: struct{ web.Merchants }{}, Orders: struct{ web.Orders }{}, Payments: struct{ web.Payments }{}, Feeds: struct{ web.Feeds }{}, Webhooks: struct{ web.Webhooks }{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Routes()
}

func TestEdge_sends_every_route_to_a_process_that_has_it(t *testing.T) {
	t.Parallel()
	list, to := standIns(t)
	e := startEdge(t, to)
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	for role := range list {
		paths := routesOf(t, role)
		if role == web.RoleWeb {
			paths = append(paths, "GET /", "GET /track/{order}", "POST /checkout/{order}/pay", "GET /console/orders", "GET /lab", "GET /docs", "GET /client/tracker.js", "GET /client/v1/elements.js", "GET /nowhere", "GET /v2")
		}
		if len(paths) < 5 {
			t.Errorf("%s has only %v", role, paths)
		}
		for _, route := range paths {
			method, path, _ := strings.Cut(route, " ")
			r, err := http.NewRequest(method, e.secure+parameter.ReplaceAllString(path, "ord_01")+"?limit=1", nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := e.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if got := answer.Header.Get("Role"); got != role {
				t.Errorf("%s went to %q, and only %s has it", route, got, role)
			}
			if answer.ProtoMajor != 2 {
				t.Errorf("%s was answered over %s", route, answer.Proto)
			}
		}
	}
}

func TestEdge_tells_who_asks_and_believes_nobody(t *testing.T) {
	t.Parallel()
	list, to := standIns(t)
	e := startEdge(t, to)
	for _, url := range []string{e.plain, e.secure} {
		_, body := visit(t, e.client, url+"/", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "gopher", "X-Request-Id", "from-outside_1")
		var seen http.Header
		if err := json.Unmarshal([]byte(body), &seen); err != nil {
			t.Fatalf("%s: %s", err, body)
		}
		scheme, host, _ := strings.Cut(url, "://")
		for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": scheme, "Host": host, "X-Request-Id": "from-outside_1", "Connection": "", "Upgrade": ""} {
			if seen.Get(name) != want {
				t.Errorf("%s through %s: %q, want %q", name, url, seen.Get(name), want)
			}
		}
	}
	_, body := visit(t, e.client, e.plain+"/", "X-Request-Id", `"}{"`)
	if !regexp.MustCompile(`"X-Request-Id":\["req_[0-9a-f]{32}"\]`).MatchString(body) {
		t.Errorf("a request id that is not plain: %s", body)
	}
	before := list[web.RoleOrders].connections.Load()
	for range 50 {
		visit(t, e.client, e.plain+"/v1/orders")
	}
	if n := list[web.RoleOrders].connections.Load() - before; n > 4 {
		t.Errorf("50 requests took %d connections to the upstream", n)
	}
}

func TestEdge_writes_no_token_and_no_address_to_its_logs(t *testing.T) {
	t.Parallel()
	list, to := standIns(t)
	e := startEdge(t, to)
	ask := func() {
		for _, path := range []string{"/track/ord_1?access_token=hunter2", "/v1/orders/ord_1/events?after=3&access_token=hunter2", "/v1/orders?access_token=hunter2"} {
			visit(t, e.client, e.plain+path, "Referer", "https://shop.example/?access_token=hunter2", "Authorization", "Bearer hunter2", "Cookie", "t=hunter2", "X-Request-Id", "id-of-this-test")
		}
	}
	ask()
	for _, s := range list {
		s.Close() // and the same with nobody there, which nginx likes to report in detail
	}
	ask()
	deadline := time.Now().Add(patience)
	for {
		access, err := os.ReadFile(e.access)
		if err != nil {
			t.Fatal(err)
		}
		failures, err := os.ReadFile(e.errors)
		if err != nil {
			t.Fatal(err)
		}
		both := string(access) + string(failures)
		if strings.Contains(both, "hunter2") || strings.Contains(string(access), `"127.0.0.1"`) {
			t.Fatalf("a secret or an address in the logs:\n%s", both)
		}
		lines := strings.Split(strings.TrimSpace(string(access)), "\n")
		if len(lines) >= 6 {
			for _, line := range lines {
				if !json.Valid([]byte(line)) || !strings.Contains(line, `"path":"/`) || !strings.Contains(line, "id-of-this-test") {
					t.Errorf("not a line as it should be: %s", line)
				}
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("6 requests, and the log has:\n%s", access)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func TestEdge_says_so_when_nothing_answers(t *testing.T) {
	t.Parallel()
	e := startEdge(t, allIn(freeAddr(t)))
	page, body := visit(t, e.client, e.secure+"/track/ord_1", "X-Request-Id", "req_of_this_test")
	for name, want := range map[string]string{"Content-Type": "text/html", "Retry-After": "5", "Cache-Control": "no-store", "X-Request-Id": "req_of_this_test"} {
		if page.Header.Get(name) != want {
			t.Errorf("%s of the page: %q, want %q", name, page.Header.Get(name), want)
		}
	}
	if page.StatusCode != 503 || !strings.Contains(body, "Tracker is not available right now") || !strings.Contains(body, "req_of_this_test") || strings.Contains(body, "nginx") {
		t.Errorf("%d: %s", page.StatusCode, body)
	}
	for _, path := range []string{"/v1/orders", "/v1/payments/pay_1", "/v1/orders/ord_1/events"} {
		for _, method := range []string{"GET", "POST"} {
			r, _ := http.NewRequest(method, e.plain+path, strings.NewReader("{}"))
			answer, err := e.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			var problem struct {
				Status    int
				Code      string
				RequestID string `json:"request_id"`
			}
			err = json.NewDecoder(answer.Body).Decode(&problem)
			answer.Body.Close()
			if err != nil || answer.StatusCode != 503 || problem.Status != 503 || problem.Code != "unavailable" || !strings.HasPrefix(problem.RequestID, "req_") ||
				answer.Header.Get("Content-Type") != "application/problem+json" || answer.Header.Get("Retry-After") == "" {
				t.Errorf("%s %s: %d %v %+v %v", method, path, answer.StatusCode, answer.Header, problem, err)
			}
		}
	}
}

func TestEdge_has_a_page_for_its_own_mistakes(t *testing.T) {
	t.Parallel()
	e := startEdge(t, allIn(freeAddr(t)), "proxy_pass http://web;", "return 500;", "proxy_pass http://orders;", "return 500;")
	page, body := visit(t, e.client, e.plain+"/")
	if page.StatusCode != 500 || !strings.Contains(body, "Something went wrong on our side") || !strings.Contains(body, "What was confirmed to you stays confirmed.") {
		t.Errorf("%d: %s", page.StatusCode, body)
	}
	answer, body := visit(t, e.client, e.plain+"/v1/orders")
	if answer.StatusCode != 500 || !json.Valid([]byte(body)) || !strings.Contains(body, `"code":"internal"`) {
		t.Errorf("%d: %s", answer.StatusCode, body)
	}
}

func TestEdge_goes_on_with_those_that_are_left(t *testing.T) {
	t.Parallel()
	_, to := standIns(t)
	dead := freeAddr(t)
	to.orders, to.notify = append(to.orders, dead), append(to.notify, dead)
	e := startEdge(t, to)
	for i := range 20 {
		for _, path := range []string{"/v1/orders", "/v1/events"} {
			if answer, body := visit(t, e.client, fmt.Sprint(e.plain, path, "?n=", i)); answer.StatusCode != 200 {
				t.Errorf("%s: %d %s", path, answer.StatusCode, body)
			}
		}
	}
}
