package txoutbox_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"tracker/notify/eventwire"
	"tracker/notify/txoutbox"
)

// stream is a Publisher that remembers, drops repeated ids, and fails on request.
type stream struct {
	mu       sync.Mutex
	fail     func(ids []string) error // asked before anything is stored
	seen     map[string]bool
	subjects map[string][]string // ids by subject, in the order stored
	asked    int                 // messages given to Publish
	grown    chan struct{}
}

func newStream() *stream {
	return &stream{seen: map[string]bool{}, subjects: map[string][]string{}, grown: make(chan struct{}, 1)}
}

func (s *stream) Publish(_ context.Context, messages []txoutbox.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked += len(messages)
	if s.fail != nil {
		ids := make([]string, len(messages))
		for i, m := range messages {
			ids[i] = m.ID
		}
		if err := s.fail(ids); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if !s.seen[m.ID] {
			s.seen[m.ID] = true
			s.subjects[m.Subject] = append(s.subjects[m.Subject], m.ID)
		}
	}
	select {
	case s.grown <- struct{}{}:
	default:
	}
	return nil
}

func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// of lists the ids of one order in the order stored.
func (s *stream) of(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subjects[eventwire.Key{Merchant: merchant, Kind: eventwire.Orders, ID: id}.Subject()])
}

// await returns when the stream holds n messages.
func (s *stream) await(t *testing.T, n int) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for s.count() < n {
		select {
		case <-s.grown:
		case <-late:
			t.Fatalf("%d of %d messages arrived", s.count(), n)
		}
	}
}

func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !true() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func quietly(o txoutbox.RelayOptions) txoutbox.RelayOptions {
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

// steadily is quietly with a lease that no slow machine loses: what was published
// and not marked when it was lost is published again.
func steadily(o txoutbox.RelayOptions) txoutbox.RelayOptions {
	o.Lease = time.Hour
	return quietly(o)
}

// start runs a relay; the returned function stops it and waits.
func start(t *testing.T, r *txoutbox.Relay) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func ids(id string, seqs ...int64) (list []string) {
	for _, seq := range seqs {
		list = append(list, eventwire.EventID(id, seq))
	}
	return list
}

// counting is a database that calls fewer before the commit of a write after which
// fewer rows of the outbox are as where says.
type counting struct {
	txoutbox.Database
	where string
	fewer func() error
}

func (c counting) Write(ctx context.Context, fn func(context.Context, *gorm.DB) error) error {
	count := func(tx *gorm.DB) (n int, err error) {
		err = tx.Raw("SELECT count(*) FROM outbox WHERE " + c.where).Scan(&n).Error
		return n, err
	}
	return c.Database.Write(ctx, func(ctx context.Context, tx *gorm.DB) error {
		before, err := count(tx)
		if err != nil {
			return err
		}
		if err := fn(ctx, tx); err != nil {
			return err
		}
		after, err := count(tx)
		if err != nil || after >= before {
			return err
		}
		return c.fewer()
	})
}
