package apikeys

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"tracker/notify/eventwire"
)

// Record is a key as it is stored: with the hash that proves it.
type Record struct {
	Key
	Hash []byte
}

// Store keeps merchants and keys. ErrNotFound for what is not there. Every
// method is safe for concurrent use and sees the transaction that ctx carries.
type Store interface {
	// AddMerchant does nothing when the id is there already.
	AddMerchant(ctx context.Context, m Merchant) error
	Merchant(ctx context.Context, id string) (Merchant, error)
	// ChangeMerchant lets fn alter the settings in a transaction. The version is one
	// more then, or the same where fn leaves everything as it was. fn may run more
	// than once; its error undoes everything.
	ChangeMerchant(ctx context.Context, id string, fn func(*Merchant) error) (Merchant, error)
	// AddKey does nothing when the id is there already.
	AddKey(ctx context.Context, r Record) error
	Key(ctx context.Context, id string) (Record, error)
	Keys(ctx context.Context, merchant string) ([]Key, error)
	// ChangeKey is ChangeMerchant for the time of a key's revocation.
	ChangeKey(ctx context.Context, merchant, id string, fn func(*Key) error) (Key, error)
	RevokedSince(ctx context.Context, t time.Time) ([]string, error)
	// NoteUse notes when keys were used, by id, and replaces the hashes that are
	// still those that were seen.
	NoteUse(ctx context.Context, used map[string]Use) error
}

// Use is what is noted of a key that was used.
type Use struct {
	At time.Time
	// Hash is the key's under the first secret, where the stored one, Seen, is
	// under an older one; else nil.
	Hash, Seen []byte
}

// Options of a Service. Only Secrets must be given.
type Options struct {
	Secrets []string         // the first hashes new keys and those that are used, all verify
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default slog.Default()
	Fresh   time.Duration    // how long a key is believed without asking the store; default 2 s
	Slow    time.Duration    // how long it is believed while the store takes its time; default 5 s
	Stale   time.Duration    // how long it is believed when the store does not answer; default 10 min
	// Revoked is told the id of every key that is revoked here, after the store
	// has it. What was revoked in another process comes by RunRevocations.
	Revoked func(id string)
}

// Service manages merchants and their keys. Safe for concurrent use.
type Service struct {
	store  Store
	pepper pepper
	now    func() time.Time
	log    *slog.Logger
	fresh  time.Duration
	slow   time.Duration
	stale  time.Duration
	tell   func(id string)
	cache  *otter.Cache[string, entry]
	load   singleflight.Group
	failed atomic.Int64 // when the store failed last, in Unix nanoseconds; 0: it answers

	profiles *otter.Cache[string, profile]

	mu      sync.Mutex
	adopted map[string]string // hash of a key that somebody else chose → id
	used    map[string]Use    // not yet written

	revocations int64 // that became known here
}

// profile is a merchant as it was at a time.
type profile struct {
	merchant Merchant
	at       time.Time
}

const maxCached = 20_000

// NewService returns a service. Nothing runs in the background before RunUse
// and RunRevocations.
func NewService(store Store, o Options) (*Service, error) {
	p, err := newPepper(o.Secrets)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: store, pepper: p, now: o.Now, log: o.Logger, fresh: o.Fresh, slow: o.Slow, stale: o.Stale, tell: o.Revoked,
		adopted: map[string]string{}, used: map[string]Use{},
		// Bounded by size alone: with an expiry, otter would start a goroutine.
		cache:    otter.Must(&otter.Options[string, entry]{MaximumSize: maxCached}),
		profiles: otter.Must(&otter.Options[string, profile]{MaximumSize: maxCached}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.fresh <= 0 {
		s.fresh = 2 * time.Second
	}
	if s.slow <= 0 {
		s.slow = 5 * time.Second
	}
	if s.stale <= 0 {
		s.stale = 10 * time.Minute
	}
	if s.tell == nil {
		s.tell = func(string) {}
	}
	return s, nil
}

func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// Verify returns the key that raw is, or ErrUnknownKey.
func (s *Service) Verify(ctx context.Context, raw string) (Key, error) {
	if len(raw) > maxRawLength {
		return Key{}, ErrUnknownKey
	}
	id, ok := s.idOf(raw)
	if !ok {
		return Key{}, ErrUnknownKey
	}
	record, err := s.record(ctx, id)
	if err != nil {
		return Key{}, err
	}
	secret := s.pepper.secretOf(raw, record.Hash)
	if secret < 0 || !record.RevokedAt.IsZero() {
		return Key{}, ErrUnknownKey
	}
	s.noteUse(record, raw, secret)
	return record.Key, nil
}

// Find returns a key that is not revoked by its public id, or ErrUnknownKey.
func (s *Service) Find(ctx context.Context, id string) (Key, error) {
	if !eventwire.ValidID(IDPrefix, id) {
		return Key{}, ErrUnknownKey
	}
	record, err := s.record(ctx, id)
	if err != nil {
		return Key{}, err
	}
	if !record.RevokedAt.IsZero() {
		return Key{}, ErrUnknownKey
	}
	return record.Key, nil
}

// idOf finds the id of a key that was adopted, or that is in one that we made.
func (s *Service) idOf(raw string) (string, bool) {
	if id, ok := s.adoptedID(raw); ok {
		return id, true
	}
	return publicID(raw)
}

func (s *Service) adoptedID(raw string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.adopted) == 0 {
		return "", false
	}
	id, ok := s.adopted[string(s.pepper.hash(raw))]
	return id, ok
}
