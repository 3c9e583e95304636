package web_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"tracker/notify/webhooks"
	"tracker/notify/webhooks/webhooksdb"
	"tracker/web"
)

// versioned is a change of something that has a version, with what it is done to.
type versioned struct {
	name         string
	method, path string
	body         string
	same         bool // the change leaves the version as it is
	gone         bool // afterwards there is nothing left
}

// versionedChanges makes a fresh thing for each change that honours a version.
func versionedChanges(s *stack) []versioned {
	s.t.Helper()
	made := func(path, body string) string {
		s.t.Helper()
		res := s.do(http.MethodPost, path, body, nil)
		if v := res.json(s.t); res.StatusCode == http.StatusCreated && res.Header.Get("ETag") == `"1"` && v["version"] == float64(1) {
			return path + "/" + v["id"].(string)
		}
		s.t.Fatalf("%s: %d %s", path, res.StatusCode, res.body)
		return ""
	}
	endpoint := func() string { return made("/v1/webhook_endpoints", `{"url":"https://192.0.2.7/hooks"}`) }
	return []versioned{
		{name: "settings", method: http.MethodPatch, path: "/v1/merchant", body: `{"refund_days":9}`},
		{name: "revocation", method: http.MethodDelete, path: made("/v1/keys", `{"name":"Warehouse"}`)},
		{name: "filters", method: http.MethodPatch, path: endpoint(), body: `{"events":["order.*"],"enabled":false}`},
		{name: "rotation", method: http.MethodPost, path: endpoint() + "/rotate_secret"},
		{name: "replay", method: http.MethodPost, path: endpoint() + "/replay", body: `{"since":"2026-11-23T08:00:00Z"}`, same: true},
		{name: "deletion", method: http.MethodDelete, path: endpoint(), gone: true},
	}
}

// withWebhooks has the real ones instead of the fake.
func (s *stack) withWebhooks() *stack {
	s.url = s.serve(func(d *web.Deps) {
		d.Webhooks = webhooks.NewService(webhooksdb.New(s.db), webhooks.Options{AllowPrivate: true})
	})
	return s
}

// version reads what a thing has now: where there is no GET for it, by its list.
func (s *stack) version(path string) float64 {
	s.t.Helper()
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/rotate_secret"), "/replay")
	id, isKey := strings.CutPrefix(path, "/v1/keys/")
	if !isKey {
		version, _ := s.do(http.MethodGet, path, "", nil).json(s.t)["version"].(float64)
		return version
	}
	for _, k := range s.do(http.MethodGet, "/v1/keys", "", nil).json(s.t)["data"].([]any) {
		if k := k.(map[string]any); k["id"] == id {
			return k["version"].(float64)
		}
	}
	return 0
}

func TestVersions_a_change_insists(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		s.withWebhooks()
		for _, c := range versionedChanges(s) {
			p := wantProblem(t, s.do(c.method, c.path, c.body, header{"If-Match": `"2"`}), http.StatusConflict, "sequence_mismatch")
			if current, _ := p["current"].(map[string]any); current["version"] != float64(1) || s.version(c.path) != 1 {
				t.Errorf("%s: current %v, then version %v", c.name, current, s.version(c.path))
			}
			for _, bad := range []string{"two", `"0"`, `"-1"`, `"1", "2"`} {
				wantProblem(t, s.do(c.method, c.path, c.body, header{"If-Match": bad}), http.StatusBadRequest, "invalid_parameter", "If-Match")
			}
			for _, bad := range []string{"`1`", "'1'", `""1""`, "+1"} {
				wantProblem(t, s.do(c.method, c.path, c.body, header{"If-Match": bad}), http.StatusBadRequest, "invalid_parameter", "If-Match")
			}
			res := s.do(c.method, c.path, c.body, header{"If-Match": `"1"`})
			if res.StatusCode >= http.StatusMultipleChoices {
				t.Fatalf("%s with the present version: %d %s", c.name, res.StatusCode, res.body)
			}
			want := map[bool]float64{true: 1, false: 2}[c.same]
			if got := s.version(c.path); got != want && !c.gone {
				t.Errorf("%s: version %v, want %v", c.name, got, want)
			}
			if tag := res.Header.Get("ETag"); !c.same && !c.gone && tag != `"2"` {
				t.Errorf("%s: ETag %q", c.name, tag)
			}
		}
	})
}

// Everybody saw version 1 and wants to change it: one does.
func TestVersions_of_many_changes_one_wins(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		for _, c := range versionedChanges(s.withWebhooks()) {
			if c.same {
				continue
			}
			var all sync.WaitGroup
			answers := make(chan response, 12)
			for range cap(answers) {
				all.Go(func() { answers <- s.do(c.method, c.path, c.body, header{"If-Match": `"1"`}) })
			}
			all.Wait()
			close(answers)
			won := 0
			for res := range answers {
				switch {
				case res.StatusCode < http.StatusMultipleChoices:
					won++
				case c.gone && res.StatusCode == http.StatusNotFound:
				default:
					wantProblem(t, res, http.StatusConflict, "sequence_mismatch")
				}
			}
			if won != 1 {
				t.Errorf("%s: %d changes won", c.name, won)
			}
		}
	})
}

// Two who change different settings at the same time both have their way, and
// what changes nothing is no change.
func TestVersions_changes_without_one_all_count(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		var all sync.WaitGroup
		for _, body := range []string{`{"name":"Kiln"}`, `{"help_url":"https://kiln.example/help"}`, `{"shop_url":"https://kiln.example"}`, `{"refund_days":3}`} {
			all.Go(func() {
				if res := s.do(http.MethodPatch, "/v1/merchant", body, nil); res.StatusCode != http.StatusOK {
					t.Errorf("%s: %d %s", body, res.StatusCode, res.body)
				}
			})
		}
		all.Wait()
		s.do(http.MethodPatch, "/v1/merchant", `{"refund_days":3}`, nil)
		m := s.do(http.MethodGet, "/v1/merchant", "", header{"If-None-Match": `"5"`}).json(t)
		if m["name"] != "Kiln" || m["help_url"] == "" || m["shop_url"] == "" || m["refund_days"] != float64(3) || m["version"] != float64(5) {
			t.Errorf("then %v", m)
		}
	})
}

// A repeated command whose answer was lost gets that answer, not a conflict with
// itself.
func TestVersions_a_repeat_does_not_meet_itself(t *testing.T) {
	t.Parallel()
	s := sqliteStack(t).withWebhooks()
	path := versionedChanges(s)[3].path
	h := header{"If-Match": `"1"`, "Idempotency-Key": "rotate-1"}
	first, again := s.do(http.MethodPost, path, "", h), s.do(http.MethodPost, path, "", h)
	if first.StatusCode != http.StatusOK || string(first.body) != string(again.body) || again.Header.Get("ETag") != `"2"` {
		t.Errorf("first %d %s, again %d %s", first.StatusCode, first.body, again.StatusCode, again.body)
	}
}
