package drill

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// attack is one way to be hostile. It goes on until ctx ends, with everything that
// it holds open, and counts what became of its attempts.
type attack struct {
	name string
	run  func(ctx context.Context, t *target)
	ends bool // the server has to put an end to it, connection by connection
}

func attacks() []attack {
	return []attack{
		{name: "slowloris", run: slowloris, ends: true}, {name: "connects", run: floodOfConnects}, {name: "idle connections", run: idleConnections, ends: true},
		{name: "bad tokens", run: badTokens}, {name: "random orders", run: randomOrders}, {name: "random watchers", run: randomWatchers},
		{name: "huge headers", run: hugeHeaders, ends: true}, {name: "rapid resets", run: rapidResets, ends: true}, {name: "idempotency keys", run: idempotencyKeys},
	}
}

// target is what an attack is made on.
type target struct {
	rig     *Rig
	public  string
	admin   string
	bank    string
	secure  string // the public listener of a process that speaks TLS
	flood   int
	tried   atomic.Int64
	refused atomic.Int64 // answered with 4xx or 503, or cut
	served  atomic.Int64 // answered with success, which a hostile request must not be
}

const (
	calmFor   = 4 * time.Second
	attackFor = 8 * time.Second
	// mayGrow is what an attack may cost in memory at most, whatever its size.
	mayGrow = 256 << 20
	// slower is how much a healthy client's p99 may suffer.
	slower = 1.5
	// noise is a p99 below which there is nothing to tell on a machine that attacks itself.
	noise = 5 * time.Millisecond
)

// hostile makes one attack after the other on a process with its default limits,
// while a healthy client asks and others watch.
func hostile(ctx context.Context, o Options) (_ Result, err error) {
	r, err := newRig(o)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	limits := map[string]string{"TRACKER_LIMIT_READS": "", "TRACKER_LIMIT_WRITES": "", "TRACKER_LIMIT_CONNECTS": "",
		"TRACKER_MAX_WATCHERS": "", "TRACKER_MAX_WATCHERS_PER_ADDRESS": "", "TRACKER_MAX_WATCHERS_PER_ORDER": ""}
	if err := r.single(ctx, r.dir, limits); err != nil {
		return Result{}, err
	}
	secure, err := r.secureTwin(ctx)
	if err != nil {
		return Result{}, err
	}
	var key struct{ Key string }
	if err := r.post(ctx, "/v1/keys", rand.Text(), object{"name": "drill"}, &key); err != nil {
		return Result{}, err
	}
	r.other = key.Key
	o.Watchers = min(o.Watchers, 100)
	s := newSession(o, r)
	end := s.begin(ctx)
	defer end()
	if err := s.warm(ctx); err != nil {
		return Result{}, err
	}
	t := &target{rig: r, public: r.servers[0].addr, admin: r.servers[0].admin, bank: strings.TrimPrefix(r.bankURL, "http://"), secure: secure, flood: o.Flood}
	return s.drill(ctx, Drill{harm: func(ctx context.Context, s *session) (int, error) { return s.attackAll(ctx, t) }})
}

func (s *session) attackAll(ctx context.Context, t *target) (int, error) {
	var notes []string
	for n, a := range attacks() {
		note, err := s.attack(ctx, t, a)
		if err != nil {
			return n, fmt.Errorf("%s: %w", a.name, err)
		}
		s.o.say("hostile: %s: %s", a.name, note)
		notes = append(notes, a.name+" "+note)
	}
	s.note = strings.Join(notes, "; ")
	return len(attacks()), nil
}

// harm is what an attack came to.
type harm struct {
	calm, hit time.Duration // a healthy client's p99 before and during it
	grown     float64       // memory, in bytes
}

func (h harm) ratio() float64 { return float64(max(h.hit, noise)) / float64(max(h.calm, noise)) }

// attack makes an attack, again where a healthy client seems to suffer: what the
// rest of the machine does at that moment is not the attacker's doing.
func (s *session) attack(ctx context.Context, t *target, a attack) (note string, err error) {
	var least harm
	for try := range 3 {
		h, err := s.measure(ctx, t, a)
		if err != nil {
			return "", err
		}
		if h.grown > mayGrow {
			s.load.fail(fmt.Errorf("%s: memory grew by %.0f MB", a.name, h.grown/1e6))
		}
		if try == 0 || h.ratio() < least.ratio() {
			least = h
		}
		if least.ratio() <= slower || !s.o.Strict {
			break
		}
	}
	if s.o.Strict && least.ratio() > slower {
		s.load.fail(fmt.Errorf("%s: a healthy client's p99 went from %s to %s", a.name, least.calm, least.hit))
	}
	if a.ends && t.refused.Load() == 0 {
		s.load.fail(fmt.Errorf("%s: nothing was cut", a.name))
	}
	if n := t.served.Load(); n > 0 {
		s.load.fail(fmt.Errorf("%s: %d hostile requests were served", a.name, n))
	}
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("%d tried, %d refused or cut, p99 %s → %s, memory %+.0f MB", t.tried.Load(), t.refused.Load(), round(least.calm), round(least.hit), least.grown/1e6), nil
}

// measure asks as a healthy client before an attack and during it.
func (s *session) measure(ctx context.Context, t *target, a attack) (h harm, err error) {
	p := s.rig.servers[0]
	before, err := p.metric(ctx, "process_resident_memory_bytes")
	if err != nil {
		return h, err
	}
	idle, err := p.metric(ctx, "go_goroutines")
	if err != nil {
		return h, err
	}
	h.calm = s.probe(ctx, calmFor)
	t.tried.Store(0)
	t.refused.Store(0)
	under, cancel := context.WithTimeout(ctx, attackFor)
	defer cancel()
	var attackers sync.WaitGroup
	attackers.Go(func() { a.run(under, t) })
	h.hit = s.probe(ctx, attackFor*9/10)
	after, err := p.metric(ctx, "process_resident_memory_bytes")
	h.grown = after - before
	attackers.Wait()
	return h, errors.Join(err, s.calmAgain(ctx, p, idle))
}

// calmAgain waits until what an attack has left behind is gone.
func (s *session) calmAgain(ctx context.Context, p *server, idle float64) error {
	for deadline := time.Now().Add(patience); ; {
		n, err := p.metric(ctx, "go_goroutines")
		if err == nil && n < 1.5*idle+100 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%.0f goroutines are left of an attack, and there were %.0f before: %w", n, idle, err)
		}
		if err := rest(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// probe asks for an order again and again as a healthy merchant does, and returns
// the 99th percentile of how long that took. An answer that is no success counts
// as a very slow one.
func (s *session) probe(ctx context.Context, d time.Duration) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var took []time.Duration
	for ctx.Err() == nil {
		f := s.load.pick()
		if f == nil || f.Parent != "" {
			_ = rest(ctx, time.Millisecond) // ctx is asked in any case
			continue
		}
		began := time.Now()
		err := s.rig.once(ctx, http.MethodGet, "/v1/orders/"+f.ID, "", nil, nil)
		lasted := time.Since(began)
		if err != nil && ctx.Err() == nil {
			lasted = max(lasted, time.Second)
		}
		took = append(took, lasted)
		_ = rest(ctx, 5*time.Millisecond) // ctx is asked in any case
	}
	if len(took) == 0 {
		return d
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}
