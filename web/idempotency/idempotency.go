package idempotency

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// Lifetime is how long an answer is kept.
	Lifetime = 24 * time.Hour
	// leaseTime is how long a claim outlasts the process that made it: a live one
	// renews it, three times in that time.
	leaseTime = 10 * time.Second
	// RunTime bounds a leased effect.
	RunTime = 30 * time.Second
	// MaxKey is the most characters of a key.
	MaxKey = 255
)

var (
	// ErrRunning says that the first request with the key has no answer yet.
	ErrRunning = errors.New("idempotency: the first request with this key is still running")
	// ErrMismatch says that the key was used for another request.
	ErrMismatch = errors.New("idempotency: the key was used for another request")
)

// Request identifies what is asked and by whom.
type Request struct {
	Owner   string // whose keys these are: two owners may use the same one
	Key     string // chosen by the client
	Content []byte // what must be the same when it is sent again
	// Before is what a new request needs before [Service.InOne] opens its
	// transaction, such as a name server's answer. It must have no effect. May be nil.
	Before func(ctx context.Context) error
}

func (r Request) id() string {
	sum := sha256.Sum256([]byte(r.Owner + "\x00" + r.Key))
	return hex.EncodeToString(sum[:])
}

func (r Request) fingerprint() []byte {
	sum := sha256.Sum256(r.Content)
	return sum[:]
}

// Entry is what is stored of a key.
type Entry struct {
	ID          string
	Fingerprint []byte
	Holder      string    // who claimed it; "" once there is an answer
	LeaseUntil  time.Time // until when the claim holds
	Answer      []byte    // nil while there is none
	ExpiresAt   time.Time
}

// Store keeps entries. Every method is safe for concurrent use and joins the
// transaction that ctx carries.
type Store interface {
	// Transact runs fn in one transaction that the ctx given to fn carries. fn
	// may run more than once.
	Transact(ctx context.Context, fn func(ctx context.Context) error) error
	// Find reports false for an id that is not there or has expired.
	Find(ctx context.Context, id string, now time.Time) (Entry, bool, error)
	// Put stores e unless there is an entry that has not expired and is either
	// answered or claimed by another holder beyond now: the same holder renews its
	// claim. It reports whether it did. An
	// error in a transaction that ctx carries leaves that transaction of no use.
	Put(ctx context.Context, e Entry, now time.Time) (bool, error)
	// Answer stores the answer of a claim that holder still has.
	Answer(ctx context.Context, e Entry) error
	// Release forgets a claim that holder has not answered.
	Release(ctx context.Context, id, holder string) error
	// Sweep deletes up to limit expired entries and says how many.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
}

// Options of a Service. The zero value works.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
}

// Service runs requests once. Safe for concurrent use.
type Service struct {
	store Store
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	running map[string]bool
}

// NewService returns a service over store.
func NewService(store Store, o Options) *Service {
	s := &Service{store: store, now: o.Now, log: o.Logger, running: map[string]bool{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// errLost rolls back an effect whose answer somebody else stored meanwhile.
var errLost = errors.New("idempotency: somebody else was faster")

// InOne runs fn in a transaction and stores its answer in the same one, or
// returns the stored answer of an earlier run. fn may run more than once; it
// must touch nothing but what the transaction of its ctx covers.
func (s *Service) InOne(ctx context.Context, r Request, fn func(ctx context.Context) ([]byte, error)) (answer []byte, replayed bool, err error) {
	end, err := s.begin(r.id())
	if err != nil {
		return nil, false, s.unlessOther(ctx, r, err)
	}
	defer end()
	if r.Before != nil {
		if stored, found, err := s.stored(ctx, r); found || err != nil {
			return stored, found, err
		}
		if err := r.Before(ctx); err != nil {
			return nil, false, err
		}
	}
	err = s.store.Transact(ctx, func(ctx context.Context) error {
		var err error
		if answer, err = fn(ctx); err != nil {
			return err
		}
		now := s.now()
		put, err := s.store.Put(ctx, Entry{ID: r.id(), Fingerprint: r.fingerprint(), Answer: answer, LeaseUntil: now, ExpiresAt: now.Add(Lifetime)}, now)
		if err == nil && !put {
			return errLost
		}
		return err
	})
	if err == nil {
		return answer, false, nil
	}
	// The effect may have been had before, here or in another process; then that
	// answer is ours, whatever stood in our way.
	if stored, found, again := s.stored(ctx, r); found || again != nil {
		return stored, found, again
	}
	if errors.Is(err, errLost) {
		return nil, false, ErrRunning
	}
	return nil, false, err
}

// Leased claims the key, runs fn and stores its answer, or returns the stored
// answer of an earlier run. fn goes on when the client goes away, for at most
// [RunTime]; it must be safe to run again under the same key.
func (s *Service) Leased(ctx context.Context, r Request, fn func(ctx context.Context) ([]byte, error)) (answer []byte, replayed bool, err error) {
	end, err := s.begin(r.id())
	if err != nil {
		return nil, false, s.unlessOther(ctx, r, err)
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RunTime)
	defer cancel()
	if stored, found, err := s.stored(ctx, r); found || err != nil {
		return stored, found, err
	}
	now := s.now()
	claim := Entry{ID: r.id(), Fingerprint: r.fingerprint(), Holder: rand.Text(), LeaseUntil: now.Add(leaseTime), ExpiresAt: now.Add(Lifetime)}
	put, err := s.store.Put(ctx, claim, now)
	if err != nil {
		return nil, false, fmt.Errorf("idempotency: claim: %w", err)
	}
	if !put {
		if stored, found, err := s.stored(ctx, r); found || err != nil {
			return stored, found, err
		}
		return nil, false, ErrRunning
	}
	kept := s.keep(ctx, claim)
	defer kept() // also after a panic
	answer, err = fn(ctx)
	kept()
	if err != nil {
		s.release(ctx, claim)
		return nil, false, err
	}
	claim.Answer = answer
	// The effect is there: an answer that cannot be stored is still the answer.
	if err := s.store.Answer(ctx, claim); err != nil {
		s.log.WarnContext(ctx, "answer not stored", "error", err)
	}
	return answer, false, nil
}

// keep renews a claim until the function that it returns is called.
func (s *Service) keep(ctx context.Context, claim Entry) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		tick := time.NewTicker(leaseTime / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := s.now()
			claim.LeaseUntil = now.Add(leaseTime)
			if put, err := s.store.Put(ctx, claim, now); (err != nil || !put) && ctx.Err() == nil {
				s.log.WarnContext(ctx, "claim not renewed; another request may run the effect again", "error", err)
			}
		}
	})
	return func() { cancel(); keeping.Wait() }
}

func (s *Service) release(ctx context.Context, claim Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.store.Release(ctx, claim.ID, claim.Holder); err != nil {
		s.log.WarnContext(ctx, "claim not released; it ends by itself", "error", err)
	}
}

// stored returns the answer to r if there is one. A key that stands for another
// request is an error even while that one is running.
func (s *Service) stored(ctx context.Context, r Request) ([]byte, bool, error) {
	e, found, err := s.store.Find(ctx, r.id(), s.now())
	if err != nil {
		return nil, false, fmt.Errorf("idempotency: find: %w", err)
	}
	if !found {
		return nil, false, nil
	}
	if !bytes.Equal(e.Fingerprint, r.fingerprint()) {
		return nil, false, ErrMismatch
	}
	return e.Answer, e.Answer != nil, nil
}

// begin notes that id runs here, or says that it already does.
func (s *Service) begin(id string) (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[id] {
		return nil, ErrRunning
	}
	s.running[id] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, id)
	}, nil
}

// unlessOther turns "still running" into the mismatch that it is when a claim
// shows another request.
func (s *Service) unlessOther(ctx context.Context, r Request, running error) error {
	if _, _, err := s.stored(ctx, r); errors.Is(err, ErrMismatch) {
		return err
	}
	return running
}
