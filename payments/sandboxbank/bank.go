package sandboxbank

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options configure a Bank. Secrets is the only field without a default.
type Options struct {
	// Secrets sign callbacks and, as Bearer tokens, open the API ("whsec_…").
	// During a rotation there are two.
	Secrets []string
	// Path of the journal; empty keeps everything in memory only.
	Path string
	// PublicURL is where customers reach the bank; empty takes the host that
	// each request names.
	PublicURL string
	Delays    Delays
	// Attempts bounds how often a callback is tried. 0: 12, which with the
	// default delays is about half an hour.
	Attempts int
	// Keep is how long a session that nobody touched is remembered. 0: 90 days.
	Keep   time.Duration
	Now    func() time.Time
	Logger *slog.Logger
	// Transport sends the callbacks; nil is one of the bank's own.
	Transport http.RoundTripper
}

// Bank is the sandbox bank: an http.Handler for its API and its pages, and a
// Run for what it does by itself. Safe for concurrent use.
type Bank struct {
	opts    Options
	signer  *Signer
	log     *slog.Logger
	now     func() time.Time
	handler http.Handler
	client  *http.Client
	faults  faults
	wake    chan struct{}
	stopped chan struct{}
	stop    sync.Once

	mu      sync.Mutex
	book    book
	journal *journal
	busy    map[string]bool // sessions with a callback on its way
	compact int64           // size of the journal at which it is rewritten
}

const (
	compactFrom = 16 << 20
)

// New opens the bank and everything it remembers. It starts nothing: serve the
// Bank over HTTP, and call Run.
func New(opts Options) (*Bank, error) {
	signer, err := NewSigner(opts.Secrets...)
	if err != nil {
		return nil, err
	}
	opts.Delays = opts.Delays.withDefaults()
	opts.Attempts = cmp.Or(opts.Attempts, 12)
	opts.Keep = cmp.Or(opts.Keep, 90*24*time.Hour)
	opts.PublicURL = strings.TrimSuffix(opts.PublicURL, "/")
	b := &Bank{
		opts: opts, signer: signer, log: opts.Logger, now: opts.Now, book: newBook(),
		client:  callbackClient(opts.Transport),
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		busy:    map[string]bool{},
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.journal, err = openJournal(opts.Path, func(line []byte) error {
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		b.book.apply(c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := b.rewrite(); err != nil {
		return nil, errors.Join(err, b.journal.close())
	}
	if b.handler, err = b.routes(); err != nil {
		return nil, errors.Join(err, b.journal.close())
	}
	return b, nil
}

// Close flushes and closes the journal. After it, every change is refused.
func (b *Bank) Close() error {
	b.halt()
	return b.journal.close()
}

// ServeHTTP answers the API and the pages.
func (b *Bank) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.handler.ServeHTTP(w, r) }

// Wake makes Run look at the clock now, for tests that move it.
func (b *Bank) Wake() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// halt lets go of requests that a fault keeps waiting.
func (b *Bank) halt() { b.stop.Do(func() { close(b.stopped) }) }

// clock is the bank's time as it is stored and shown.
func (b *Bank) clock() time.Time { return b.now().UTC().Truncate(time.Millisecond) }

// find returns a copy of a session, once what it says is on disk.
func (b *Bank) find(id string) (*session, error) {
	b.mu.Lock()
	s, ok := b.book.sessions[id]
	if ok {
		s = s.clone()
	}
	last := b.journal.last()
	b.mu.Unlock()
	if !ok {
		return nil, errNotFound()
	}
	return s, b.journal.flush(last)
}

// change runs fn on a copy of a session and, where fn has no error, keeps the
// copy and the callbacks that fn returns. It answers when all that is on disk.
func (b *Bank) change(id string, fn func(s *session, now time.Time) ([]say, error)) (*session, error) {
	b.mu.Lock()
	s, ok := b.book.sessions[id]
	if !ok {
		b.mu.Unlock()
		return nil, errNotFound()
	}
	now := b.clock()
	s = s.clone()
	says, err := fn(s, now)
	if err != nil {
		b.mu.Unlock()
		return nil, err
	}
	n, err := b.commit(change{Sessions: []*session{s}, Calls: b.calls(s, says, now)})
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	b.Wake()
	return s.clone(), b.journal.flush(n)
}

// open stores a new session, or returns the one that the payment has.
func (b *Bank) open(in SessionRequest) (s *session, created bool, err error) {
	b.mu.Lock()
	if id, ok := b.book.byPayment[in.Payment]; ok {
		s = b.book.sessions[id].clone()
		last := b.journal.last()
		b.mu.Unlock()
		if s.Amount != in.Amount || s.Currency != in.Currency {
			return nil, false, conflict("payment_exists", "this payment has a session over another amount")
		}
		return s, false, b.journal.flush(last)
	}
	s = newSession(newID("ses_"), in, b.clock())
	n, err := b.commit(change{Sessions: []*session{s}})
	b.mu.Unlock()
	if err != nil {
		return nil, false, err
	}
	return s.clone(), true, b.journal.flush(n)
}

// commit applies a change and appends it. The caller holds mu and flushes.
func (b *Bank) commit(c change) (int64, error) {
	n, err := b.journal.append(c)
	if err != nil {
		return 0, err
	}
	b.book.apply(c)
	return n, nil
}

// rewrite drops what is too old to matter and makes the journal as small as what
// is left. The caller holds mu, or is the only one.
func (b *Bank) rewrite() error {
	b.book.forget(b.clock().Add(-b.opts.Keep))
	if err := b.journal.replace(b.book.changes()); err != nil {
		return err
	}
	b.compact = max(compactFrom, 4*b.journal.bytes())
	return nil
}

// newID makes an id that nobody can guess: that of a session is all that it takes
// to decide it.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

func errNotFound() error {
	return &apiError{http.StatusNotFound, "not_found", "no such session"}
}

// Run does what the bank does by itself until ctx ends: it calls the shop, takes
// back what was to be taken back, and approves late. Call it once.
func (b *Bank) Run(ctx context.Context) error {
	defer b.halt()
	var calls sync.WaitGroup
	defer calls.Wait()
	slots := make(chan struct{}, maxCalls)
	for {
		if err := b.act(); err != nil {
			return fmt.Errorf("sandboxbank: %w", err)
		}
		due := b.takeDue(cap(slots) - len(slots))
		// Nobody is told what a crash could still make the bank forget.
		if err := b.journal.flush(b.journal.last()); err != nil {
			return err
		}
		for _, c := range due {
			slots <- struct{}{}
			calls.Go(func() {
				defer func() { <-slots; b.Wake() }()
				b.call(ctx, c)
			})
		}
		timer := time.NewTimer(b.nap())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-b.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}
