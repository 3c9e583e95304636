package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tracker/payments/sandboxbank"
)

// scene is what a scenario has at hand: the public API of the tracker, the API
// of the bank, the clock, and a restart. It reads nothing that a merchant, a
// shopper, a bank or an operator could not read.
//
// A scenario is a story that ends at the first thing that is not as it must be.
// The methods that say so leave it by a panic with a notAsPromised, which
// [scenario.run] turns into its error; in goroutines only those are used that
// return an error.
type scene struct {
	ctx    context.Context
	box    *sandbox
	bank   *sandboxbank.Client
	signer *sandboxbank.Signer
	client *http.Client
	// kills says that the scenario is played with a restart in its middle.
	kills bool
	names atomic.Int64
}

// notAsPromised is how a scenario ends that saw something wrong.
type notAsPromised struct{ error }

// scenarioPatience bounds every wait for what must happen. It only passes when
// something is broken, or on a machine that is very busy.
const scenarioPatience = 2 * time.Minute

func newScene(ctx context.Context, box *sandbox) (*scene, error) {
	bank, err := sandboxbank.NewClient(box.bankURL, box.new, scenarioPatience, nil)
	if err != nil {
		return nil, err
	}
	signer, err := sandboxbank.NewSigner(box.new)
	if err != nil {
		return nil, err
	}
	// A hundred requests at once need not open a hundred connections each time.
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	s := &scene{ctx: ctx, box: box, bank: bank, signer: signer, client: &http.Client{
		Transport: transport, Timeout: scenarioPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return s, nil
}

// fail ends the scenario.
func (s *scene) fail(format string, args ...any) {
	panic(notAsPromised{fmt.Errorf(format, args...)})
}

// check ends the scenario unless ok.
func (s *scene) check(ok bool, format string, args ...any) {
	if !ok {
		s.fail(format, args...)
	}
}

func (s *scene) must(err error) {
	if err != nil {
		s.fail("%w", err)
	}
}

func (s *scene) now() time.Time { return s.box.clock.now() }

// pass lets time pass.
func (s *scene) pass(d time.Duration) { s.must(s.box.pass(s.ctx, d)) }

// restart is the middle of the story: where scenarios are played with a kill,
// the tracker ends here and starts again on what it had written down.
func (s *scene) restart() {
	if s.kills {
		s.reconfigure(nil)
	}
}

// reconfigure is a restart with another environment, in any case.
func (s *scene) reconfigure(env map[string]string) {
	s.client.CloseIdleConnections()
	s.must(s.box.restart(s.ctx, env))
	s.until("the tracker is ready again", func() bool { return s.box.ready(s.client) })
}

// until waits until something is so, with the clock as it stands.
func (s *scene) until(what string, ok func() bool) {
	if !s.within(scenarioPatience, ok) {
		s.fail("waited in vain until %s", what)
	}
}

// within asks again and again for a while of real time.
func (s *scene) within(limit time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(limit)
	pause := 2 * time.Millisecond
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		select {
		case <-s.ctx.Done():
			s.fail("%w", s.ctx.Err())
		case <-time.After(pause):
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
	return true
}

// settle waits until something is so, and lets up to so much time pass for it.
func (s *scene) settle(what string, limit time.Duration, ok func() bool) {
	step := max(limit/30, time.Second)
	for passed := time.Duration(0); passed < limit; passed += step {
		if s.within(100*time.Millisecond, ok) {
			return
		}
		s.pass(step)
	}
	s.until(what, ok)
}

// together runs fn n times at once and ends the scenario with the first error.
func (s *scene) together(n int, fn func(i int) error) {
	failed := make(chan error, n)
	for i := range n {
		go func() { failed <- fn(i) }()
	}
	var first error
	for range n {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	s.must(first)
}

// answer is what the API said.
type answer struct {
	asked  string
	status int
	header http.Header
	body   []byte
}

// problem is what matters of an application/problem+json.
type problem struct {
	Code    string `json:"code"`
	Current struct {
		Status   string `json:"status"`
		Sequence int64  `json:"sequence"`
	} `json:"current"`
}

func (a answer) String() string {
	return fmt.Sprintf("%s answered %d %.300s", a.asked, a.status, bytes.TrimSpace(a.body))
}

func (a answer) problem() problem {
	var p problem
	_ = json.Unmarshal(a.body, &p) // then it is none, and has no code
	return p
}

// try makes a request of the API as the demo merchant; header are names and
// values that add to it.
func (s *scene) try(method, path string, body any, header ...string) (answer, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(s.ctx, method, "http://"+s.box.at.Public+path, reader)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+s.box.env["TRACKER_SANDBOX_KEY"])
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return s.send(r)
}

func (s *scene) send(r *http.Request) (answer, error) {
	res, err := s.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{r.Method + " " + r.URL.Path, res.StatusCode, res.Header, text}, err
}

// call is try, where no answer at all ends the scenario.
func (s *scene) call(method, path string, body any, header ...string) answer {
	a, err := s.try(method, path, body, header...)
	s.must(err)
	return a
}

// want is call, and the status that has to come.
func (s *scene) want(status int, method, path string, body any, header ...string) answer {
	a := s.call(method, path, body, header...)
	s.check(a.status == status, "%s, want %d", a, status)
	return a
}

// conflict is call, and the problem that has to come.
func (s *scene) conflict(code, method, path string, body any, header ...string) problem {
	a := s.want(http.StatusConflict, method, path, body, header...)
	s.check(a.problem().Code == code, "%s, want the code %s", a, code)
	return a.problem()
}

// read is a GET into v.
func (s *scene) read(path string, v any) {
	a := s.want(http.StatusOK, http.MethodGet, path, nil)
	s.must(json.Unmarshal(a.body, v))
}

// surely makes a POST as a careful merchant does: with a key, and again until
// there is an answer.
func (s *scene) surely(path string, body any, key string) (answer, error) {
	var last error
	for n := range 30 {
		a, err := s.try(http.MethodPost, path, body, "Idempotency-Key", key)
		if err == nil && a.status < 500 && a.problem().Code != "idempotency_in_progress" {
			return a, nil
		}
		if last = err; last == nil {
			last = errors.New(a.String())
		}
		select {
		case <-s.ctx.Done():
			return answer{}, s.ctx.Err()
		case <-time.After(min(10*time.Millisecond<<min(n, 10), time.Second)):
		}
		// Whoever had the key may be dead: its claim ends after a while.
		if n < 5 {
			continue
		}
		if err := s.box.pass(s.ctx, 5*time.Second); err != nil {
			return answer{}, err
		}
	}
	return answer{}, fmt.Errorf("no answer, however often it is asked: %w", last)
}

// post is surely, with a key of its own and the status that has to come, into v.
func (s *scene) post(status int, path string, body, v any) {
	a, err := s.surely(path, body, s.name("key"))
	s.must(err)
	s.check(a.status == status, "%s, want %d", a, status)
	if v != nil {
		s.must(json.Unmarshal(a.body, v))
	}
}

// name is a word that no other call gets.
func (s *scene) name(prefix string) string {
	return prefix + "_" + strconv.FormatInt(s.names.Add(1), 10)
}

// figure is one figure of /metrics, by its name with labels; 0 where it is not
// there yet.
func (s *scene) figure(name string) float64 {
	res, err := s.client.Get("http://" + s.box.at.Admin + "/metrics")
	s.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s.must(err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			s.must(err)
			return n
		}
	}
	return 0
}

// The figures that scenarios look at.
const (
	figureOverdue = `tracker_payments{condition="overdue"}`
	figureParked  = `tracker_payments{condition="parked"}`
	figureForged  = `tracker_payment_callbacks_forged_total`
)
