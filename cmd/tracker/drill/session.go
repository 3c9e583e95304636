package drill

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tracker/config/dbconn"
)

// session is a deployment under load, with its watchers and its history.
type session struct {
	o       Options
	rig     *Rig
	history *History
	load    *Load
	crowd   *Crowd
	note    string // what a drill has to tell beyond its counts
}

func newSession(o Options, rig *Rig) *session {
	s := &session{o: o, rig: rig, history: NewHistory()}
	s.load = &Load{rig: rig, history: s.history, moves: o.Moves, few: o.Lives / 2, pace: make(chan struct{}), failed: make(chan error, 1)}
	s.crowd = &Crowd{history: s.history, key: rig.key, places: rig.addrs("notify"), pick: s.load.pick}
	if k := rig.fronts["notify"]; k != nil {
		s.crowd.front = k.Addr()
	}
	return s
}

// begin starts load and watchers. The function that it returns ends them.
func (s *session) begin(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.load.run(ctx, s.o.Lives, s.o.Rate)
	s.crowd.run(ctx, s.o.Watchers)
	return func() {
		cancel()
		s.load.working.Wait()
		s.crowd.watched.Wait()
	}
}

// warm returns when everybody watches.
func (s *session) warm(ctx context.Context) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if s.crowd.open.Load() >= int64(s.o.Watchers)*9/10 {
			return nil
		}
		if err := rest(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d of %d watchers came in", s.crowd.open.Load(), s.o.Watchers)
}

// drill does harm, lets the deployment heal, and judges.
func (s *session) drill(ctx context.Context, d Drill) (Result, error) {
	began, before := time.Now(), s.history.Counts()
	s.note = ""
	s.crowd.fresh()
	s.crowd.most.Store(0)
	times, err := d.harm(ctx, s)
	s.rig.heal()
	if err = errors.Join(err, s.rig.ready(ctx)); err != nil {
		return Result{}, err
	}
	if err := s.flows(ctx); err != nil {
		return Result{}, err
	}
	gap := s.crowd.longest()
	r := s.judge(ctx, before)
	r.Name, r.About, r.Times, r.Watchers, r.Gap, r.Note = d.Name, d.About, times, s.o.Watchers, gap, s.note
	r.Took = time.Since(began)
	return r, ctx.Err()
}

// flows returns when events arrive again.
func (s *session) flows(ctx context.Context) error {
	healed := time.Now().UnixNano()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if s.crowd.latest.Load() > healed {
			return nil
		}
		if err := rest(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	select {
	case err := <-s.load.failed:
		return fmt.Errorf("no event arrives any more: %w", err)
	default:
		return errors.New("no event arrives any more")
	}
}

// judge lets the load rest until the history agrees with the database, or
// patience ends.
func (s *session) judge(ctx context.Context, before Counts) Result {
	resume := s.load.pause()
	defer resume()
	verdict := s.settle(ctx)
	s.history.Condemn()
	c := s.history.Counts().minus(before)
	r := Result{Accepted: c.Accepted, Deliveries: c.Deliveries, Lost: verdict.Lost, Doubled: c.Doubled + verdict.Twice, Disordered: c.Disordered,
		Wrong: c.Wrong + verdict.Untrue + verdict.Money + verdict.Unsure, Faults: append(verdict.Faults, s.history.Notes()...)}
	select {
	case err := <-s.load.failed:
		r.Faults = append(r.Faults, "refused: "+err.Error())
	default:
	}
	if err := s.rig.logs(); err != nil {
		r.Faults = append(r.Faults, err.Error())
	}
	return r
}

func (s *session) settle(ctx context.Context) (v Verdict) {
	for deadline := time.Now().Add(patience); ; {
		v = s.verdict(ctx)
		if v.OK() || ctx.Err() != nil || time.Now().After(deadline) {
			return v
		}
		_ = rest(ctx, 250*time.Millisecond) // ctx is asked in any case
	}
}

// verdict is how things stand now.
func (s *session) verdict(ctx context.Context) (v Verdict) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	feeds := s.history.Dirty()
	truth, err := s.rig.truths(ctx, feeds)
	if err != nil {
		v.fault(&v.Unsure, 1, "the database's side is not known: %v", err)
		return v
	}
	v = s.history.Verify(feeds, truth)
	s.totals(ctx, &v)
	return v
}

// totals compares what only the database and the metrics know.
func (s *session) totals(ctx context.Context, v *Verdict) {
	for _, p := range s.rig.of("payments") {
		if n, err := p.metric(ctx, `tracker_payments{condition="overdue"}`); err == nil && n > 0 {
			v.fault(&v.Money, int64(n), "%v payments are overdue", n)
		}
	}
	have, err := s.rig.count(ctx)
	if err != nil {
		v.fault(&v.Unsure, 1, "the database cannot be asked: %v", err)
		return
	}
	wantOrders, wantPayments := s.history.Made()
	if have.Waiting > 0 {
		v.fault(&v.Lost, have.Waiting, "%d events wait in the outbox", have.Waiting)
	}
	if have.Neglected > 0 {
		v.fault(&v.Money, have.Neglected, "%d payments are due to be looked after, and nobody does", have.Neglected)
	}
	for _, k := range []struct {
		name      string
		have, was int64
	}{{"orders", have.Orders, wantOrders}, {"payments", have.Payments, wantPayments}} {
		if k.have > k.was {
			v.fault(&v.Twice, k.have-k.was, "%d %s were accepted, and the database has %d", k.was, k.name, k.have)
		}
		if k.have < k.was {
			v.fault(&v.Lost, k.was-k.have, "%d %s were accepted, and the database has %d", k.was, k.name, k.have)
		}
	}
}

// sql opens the database directly, past all links.
func (r *Rig) sql(ctx context.Context) (*dbconn.DB, error) {
	if r.pg == nil {
		return dbconn.Open(ctx, dbconn.Options{Path: filepath.Join(r.data, "tracker.db"), Logger: slog.New(slog.DiscardHandler)})
	}
	return dbconn.Open(ctx, dbconn.Options{URL: "postgres://tracker@" + r.pg.addr + "/postgres?sslmode=disable", Logger: slog.New(slog.DiscardHandler)})
}

// counts are what only the database knows.
type counts struct {
	Waiting   int64 // events
	Orders    int64
	Payments  int64
	Neglected int64 // payments that should have been looked after
}

// late is how long a payment may be due. A verdict that finds one is asked for
// again until patience ends, which those that are only being worked on do not see.
const late = 3 * time.Second

func (r *Rig) count(ctx context.Context) (n counts, err error) {
	db, err := r.sql(ctx)
	if err != nil {
		return n, err
	}
	defer db.Close()
	const query = `SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS waiting,
		(SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM payments) AS payments,
		(SELECT count(*) FROM payments WHERE closed = 0 AND (next_check_at IS NULL OR next_check_at < ?)) AS neglected`
	err = db.Read(ctx).Raw(query, time.Now().Add(-late).UnixMilli()).Scan(&n).Error
	return n, err
}

// errNoMetric says that a process has no such figure.
var errNoMetric = errors.New("there is no such metric")

// metric is one figure of a process.
func (s *server) metric(ctx context.Context, name string) (float64, error) {
	found, err := s.metrics(ctx)
	if err != nil {
		return 0, err
	}
	value, ok := found[name]
	if !ok {
		return 0, fmt.Errorf("%s: %w", name, errNoMetric)
	}
	return value, nil
}

// metrics are all figures of a process, by name and labels.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	found := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil { // what is no figure is a comment
			found[name] = n
		}
	}
	return found, lines.Err()
}
