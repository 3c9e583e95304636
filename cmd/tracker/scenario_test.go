package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

// quietLog is a log of what matters when a scenario fails.
func quietLog() (*slog.Logger, *logBuffer) {
	record := &logBuffer{}
	return slog.New(slog.NewTextHandler(record, &slog.HandlerOptions{Level: slog.LevelError})), record
}

// inside plays a scenario against a tracker in this process.
func inside(t *testing.T, sc scenario, env map[string]string) {
	t.Helper()
	log, record := quietLog()
	if err := sc.run(t.Context(), &insideHost{log: log, clock: newMovedClock()}, t.TempDir(), log, env, false); err != nil {
		t.Errorf("row %d: %s\n%v\n%s", sc.Row, sc.Rule, err, tail(record.String()))
	}
}

// killed plays a scenario against a process that is killed in its middle.
func killed(t *testing.T, sc scenario, env map[string]string) {
	t.Helper()
	log, record := quietLog()
	if err := sc.run(t.Context(), &killedHost{log: record}, t.TempDir(), log, env, true); err != nil {
		t.Errorf("row %d: %s\n%v\n%s", sc.Row, sc.Rule, err, tail(record.String()))
	}
}

// tail is the end of a log, which is where it tells.
func tail(text string) string {
	const most = 4 << 10
	return text[max(0, len(text)-most):]
}

// onBoth plays every scenario on both databases.
func onBoth(t *testing.T, play func(t *testing.T, sc scenario, env map[string]string)) {
	t.Helper()
	for _, sc := range scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			t.Run("SQLite", func(t *testing.T) {
				t.Parallel()
				play(t, sc, nil)
			})
			t.Run("PostgreSQL", func(t *testing.T) {
				t.Parallel()
				play(t, sc, map[string]string{"TRACKER_DATABASE_URL": postgresURL(t)})
			})
		})
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	onBoth(t, inside)
}

func TestScenarios_with_a_kill_in_the_middle(t *testing.T) {
	t.Parallel()
	onBoth(t, killed)
}

func TestScenarios_are_one_for_each_row(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for i, sc := range scenarios() {
		if sc.Row != i+1 || sc.Rule == "" || names[sc.Name] {
			t.Errorf("scenario %d is %+v", i+1, sc)
		}
		names[sc.Name] = true
	}
	if len(names) != 25 {
		t.Errorf("%d scenarios", len(names))
	}
}

func TestScenario_two_hundred_payments_without_a_callback(t *testing.T) {
	t.Parallel()
	inside(t, scenario{Row: 7, Rule: "two hundred payments, no callback", play: func(s *scene) { loseCallbacks(s, 200) }}, nil)
}

// TestScenario_failure_is_told is the pack's own proof: a scenario that expects
// something else than what happens must fail, and say what it saw.
func TestScenario_failure_is_told(t *testing.T) {
	t.Parallel()
	log, _ := quietLog()
	wrong := scenario{Row: 1, play: func(s *scene) {
		_, p := s.bought()
		s.check(s.payment(p.ID).Status == "captured", "it is %s", s.payment(p.ID).Status)
	}}
	err := wrong.run(t.Context(), &insideHost{log: log, clock: newMovedClock()}, t.TempDir(), log, nil, false)
	if err == nil || !strings.Contains(err.Error(), "requires_action") {
		t.Errorf("the scenario says %v", err)
	}
}

func TestScenariosCommand(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	out := &console{getenv: func(string) string { return "" }, stdout: &stdout, stderr: &stderr}
	command := scenariosCommand{Names: []string{"renamed-callback", "23"}, JSON: true, Restart: true}
	if err := command.Run(t.Context(), out); err != nil {
		t.Fatalf("%v\n%s", err, &stdout)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	for i, row := range []int{2, 23} {
		var r scenarioResult
		if err := json.Unmarshal([]byte(lines[i]), &r); err != nil || r.Row != row || !r.OK || !r.Restarts {
			t.Errorf("line %d is %s (%v)", i+1, lines[i], err)
		}
	}
	command.Names = []string{"no-such"}
	if err := command.Run(t.Context(), out); err == nil {
		t.Error("an unknown scenario is no error")
	}
	stdout.Reset()
	if err := (&scenariosCommand{List: true}).Run(t.Context(), out); err != nil || strings.Count(stdout.String(), "\n") != 25 {
		t.Errorf("--list: %v\n%s", err, &stdout)
	}
}

func TestScenariosCommand_replays_to_an_endpoint(t *testing.T) {
	t.Parallel()
	// Our own endpoint is a good one.
	replay := scenario{Row: 0, play: func(s *scene) {
		_, p := s.bought()
		var stdout, stderr bytes.Buffer
		command := scenariosCommand{
			CallbackURL:     "http://" + s.box.at.Public + "/v1/callbacks/sandbox",
			callbackSubject: callbackSubject{Secret: s.box.new, Payment: p.ID, Reference: p.Reference, Amount: p.Amount, Currency: string(p.Currency)},
		}
		err := command.replay(s.ctx, &console{getenv: func(string) string { return "" }, stdout: &stdout, stderr: &stderr}, s.now())
		s.check(err == nil, "%v\n%s", err, &stdout)
		p = s.payment(p.ID)
		s.check(timesOf(p.Timeline, "payment.captured") == 1 && p.Captured == scenarioPrice, "it led to %s", kinds(p.Timeline))

		// One that says yes to everything is not.
		command.CallbackURL = "http://" + s.box.at.Admin + "/livez"
		stdout.Reset()
		err = command.replay(s.ctx, &console{getenv: func(string) string { return "" }, stdout: &stdout, stderr: &stderr}, s.now())
		s.check(err != nil && strings.Contains(stdout.String(), "FAILED  forged"), "a careless endpoint: %v\n%s", err, &stdout)
		s.check(!strings.Contains(stdout.String()+stderr.String(), s.box.new), "the secret is printed")
	}}
	inside(t, replay, nil)
}
