package drill

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// roles are the parts of the product that run apart, two of each and one of those
// that only serve pages.
func roles() []string {
	return []string{"orders", "orders", "payments", "payments", "notify", "notify", "web"}
}

// server is one process of the tracker.
type server struct {
	*child
	role  string
	addr  string // the public listener
	admin string
}

// Rig is a whole deployment on loopback: processes in roles, a NATS cluster,
// PostgreSQL, the bank, and a link between any two of them.
type Rig struct {
	o      Options
	dir    string
	key    string // the demo merchant's
	secret string // of the tokens
	http   *http.Client

	pg      *postgres // nil: SQLite
	data    string    // of the single process that has it
	brokers []*broker
	bank    *child
	proxy   *child // nginx, if there is one
	servers []*server
	links   []*Link
	fronts  map[string]*Link // by role: what a client outside is given
	other   string           // another key, for somebody who is not to be trusted with the first
	bankURL string
	edge    string // where nginx is, if it is in front
}

// newRig makes the directory, and nothing else.
func newRig(o Options) (*Rig, error) {
	dir, err := os.MkdirTemp("", "tracker-drill-")
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	return &Rig{o: o, dir: dir, key: "sk_test_" + rand.Text(), secret: rand.Text() + rand.Text(), http: &http.Client{Transport: transport, Timeout: 10 * time.Second}, fronts: map[string]*Link{}}, nil
}

// startRig starts everything. Close the rig in the end, also after an error.
func startRig(ctx context.Context, o Options) (*Rig, error) {
	r, err := newRig(o)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.database(ctx), r.cluster(ctx)); err != nil {
		return r, err
	}
	return r, r.tracker(ctx)
}

// link makes a link and remembers it.
func (r *Rig) link(from, to string, targets ...string) (*Link, error) {
	k, err := NewLink(from, to, targets...)
	if err == nil {
		r.links = append(r.links, k)
	}
	return k, err
}

// between are the links of the parts whose names begin so.
func (r *Rig) between(from, to string) (list []*Link) {
	for _, k := range r.links {
		if strings.HasPrefix(k.From, from) && strings.HasPrefix(k.To, to) {
			list = append(list, k)
		}
	}
	return list
}

// heal makes the network whole.
func (r *Rig) heal() {
	for _, k := range r.links {
		k.Set(Pass)
	}
}

func (r *Rig) of(role string) (list []*server) {
	for _, s := range r.servers {
		if strings.Contains(s.role, role) {
			list = append(list, s)
		}
	}
	return list
}

func (r *Rig) addrs(role string) (list []string) {
	for _, s := range r.of(role) {
		list = append(list, s.addr)
	}
	return list
}

// ready waits until every process is.
func (r *Rig) ready(ctx context.Context) error {
	if r.pg != nil {
		if err := r.pg.await(ctx); err != nil {
			return err
		}
	}
	if err := r.brokersReady(ctx); err != nil {
		return err
	}
	for _, s := range r.servers {
		if err := s.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything, says what was in the logs that must not be, and deletes
// the directory unless it is to be kept.
func (r *Rig) Close() error {
	err := r.end()
	return errors.Join(err, r.remove(err))
}

func (r *Rig) end() error {
	var group sync.WaitGroup
	for _, c := range r.children() {
		group.Go(func() {
			_ = c.signal(syscall.SIGCONT) // it may be stopped
			_ = c.end(c.farewell())       // nothing depends on an orderly end
		})
	}
	group.Wait()
	err := r.logs()
	if r.pg != nil {
		_ = r.pg.signalAll(syscall.SIGCONT) // it may be stopped
		err = errors.Join(err, r.pg.end(syscall.SIGQUIT))
	}
	for _, k := range r.links {
		k.Close()
	}
	r.http.CloseIdleConnections()
	return err
}

// remove deletes the directory, unless somebody will want to read the logs.
func (r *Rig) remove(failed error) error {
	if r.o.Keep || failed != nil {
		fmt.Fprintf(r.o.Progress, "the logs are in %s\n", r.dir)
		return nil
	}
	return os.RemoveAll(r.dir)
}

// logs finds what must never be in one.
func (r *Rig) logs() (err error) {
	for _, c := range r.children() {
		err = errors.Join(err, c.broken())
	}
	return err
}

// children are all processes but PostgreSQL's.
func (r *Rig) children() (list []*child) {
	for _, s := range r.servers {
		list = append(list, s.child)
	}
	if r.bank != nil {
		list = append(list, r.bank)
	}
	if r.proxy != nil {
		list = append(list, r.proxy)
	}
	for _, b := range r.brokers {
		list = append(list, b.child)
	}
	return list
}

// freeAddr is a loopback address that was free a moment ago. A process has to come
// back to it after its death, so it lies below the ports that the system gives to
// outgoing connections.
func freeAddr() string {
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+mathrand.IntN(20_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	return "127.0.0.1:0"
}
