package drill

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// attend looks out for a stall until it is told to end, and has one written down
// once it has begun.
func (s *session) attend(ctx context.Context, allowed time.Duration) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		for rest(ctx, 100*time.Millisecond) == nil && !s.stalled(ctx, allowed) {
			continue
		}
	})
	return func() { cancel(); looking.Wait() }
}

// stalled writes down what everybody is at when nothing arrives for longer than
// it may, because afterwards nobody can tell: what each life waits for, the
// figures and the goroutines of every process, what PostgreSQL does and who locks
// what, and how the stream's servers stand. It reports whether there was cause to.
func (s *session) stalled(ctx context.Context, allowed time.Duration) bool {
	silent := time.Since(time.Unix(0, s.crowd.latest.Load()))
	if silent <= allowed {
		return false
	}
	s.rig.o.Keep = true
	name := filepath.Join(s.rig.dir, "stall-"+time.Now().Format("150405")+".txt")
	file, err := os.Create(name)
	if err != nil {
		s.o.say("a stall of %s could not be written down: %v", silent, err)
		return true
	}
	defer file.Close()
	fmt.Fprintf(file, "nothing arrived for %s; %d of %d watchers are there\n\n", silent, s.crowd.open.Load(), s.o.Watchers)
	fmt.Fprintf(file, "%d feeds are open; tracker_feed_events_total of a notify process grows while changes reach it\n", s.load.feeds())
	s.load.tell(file)
	for _, p := range s.rig.servers {
		s.rig.copy(ctx, file, p.name+" figures", "http://"+p.admin+"/metrics")
		s.rig.copy(ctx, file, p.name+" goroutines", "http://"+p.admin+"/debug/pprof/goroutine?debug=2")
	}
	for _, b := range s.rig.brokers {
		s.rig.copy(ctx, file, b.name, "http://"+b.monitor+"/jsz?consumers=true&config=true")
		s.rig.copy(ctx, file, b.name+" goroutines", "http://"+b.profile+"/debug/pprof/goroutine?debug=2")
	}
	for _, what := range []string{"cpu", "io", "memory"} { // how much of the time the machine made somebody wait; Linux only
		text, err := os.ReadFile("/proc/pressure/" + what)
		fmt.Fprintf(file, "\n===== the machine's %s: %v\n%s", what, err, text)
	}
	s.rig.sessions(ctx, file)
	s.o.say("nothing arrived for %s: what everybody was at is in %s", silent.Round(time.Millisecond), name)
	return true
}

// feeds is how many there are to watch.
func (l *Load) feeds() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// tell lists the lives, those first that have been at the same the longest.
func (l *Load) tell(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]doing, 0, len(l.doing))
	for _, d := range l.doing {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b doing) int { return a.since.Compare(b.since) })
	for _, d := range list {
		fmt.Fprintf(w, "a life is at %q for %s\n", d.what, time.Since(d.since).Round(time.Millisecond))
	}
}

// copy appends a page, or why it cannot be had.
func (r *Rig) copy(ctx context.Context, w io.Writer, what, url string) {
	fmt.Fprintf(w, "\n===== %s\n", what)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		fmt.Fprintln(w, err)
	}
}

// sessions lists what is connected to PostgreSQL, and who waits for whom.
func (r *Rig) sessions(ctx context.Context, w io.Writer) {
	fmt.Fprintln(w, "\n===== PostgreSQL")
	db, err := r.sql(ctx)
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	defer db.Close()
	var list []struct {
		PID, State, Wait, Blockers, Age, Query string
	}
	const query = `SELECT pid, coalesce(state, '') AS state, coalesce(wait_event, '') AS wait, pg_blocking_pids(pid)::text AS blockers,
		coalesce((now() - xact_start)::text, '') AS age, left(query, 200) AS query FROM pg_stat_activity WHERE backend_type = 'client backend' ORDER BY xact_start`
	if err := db.Read(ctx).Raw(query).Scan(&list).Error; err != nil {
		fmt.Fprintln(w, err)
		return
	}
	for _, one := range list {
		fmt.Fprintf(w, "%s %s, waits for %s, blocked by %s, in a transaction for %s: %s\n", one.PID, one.State, one.Wait, one.Blockers, one.Age, one.Query)
	}
}
