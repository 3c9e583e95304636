package orders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"tracker/notify/eventwire"
)

// Store keeps orders. Implementations are safe for concurrent use, take part in
// a transaction that ctx carries, and answer a merchant only for its own orders.
type Store interface {
	// Save writes a change and its events in one transaction that is durable
	// when Save returns nil. It answers ErrStale, and writes nothing, when the
	// order is no longer at the change's base.
	Save(ctx context.Context, change Change) error
	// Together runs fn in one transaction: what is read and saved with the ctx
	// that fn gets belongs to it. fn may run more than once.
	Together(ctx context.Context, fn func(ctx context.Context) error) error
	// Order answers ErrNotFound where the merchant has no such order.
	Order(ctx context.Context, merchant, id string) (Order, error)
	// OrderOf is the id of the order of a shipment, or ErrNotFound.
	OrderOf(ctx context.Context, merchant, shipmentID string) (string, error)
	List(ctx context.Context, merchant string, filter Filter) (Page, error)
	Counts(ctx context.Context, merchant string) (Counts, error)
	// Unpaid lists orders whose time to pay was over at now and which no payment
	// keeps open, the longest overdue first.
	Unpaid(ctx context.Context, now time.Time, limit int) ([]Ref, error)
	// All pages through every order of every merchant with its timeline, by id.
	All(ctx context.Context, after string, limit int) ([]Order, error)
}

// Ref names one order.
type Ref struct{ Merchant, ID string }

// Options of a [Service]. The zero value works.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
	// NewID makes ids; it gets the prefix of the kind.
	NewID func(prefix string, now time.Time) string
	// PayWithin is how long an order can be paid that says nothing else.
	PayWithin time.Duration
	// SweepEvery is how often unpaid orders are looked for.
	SweepEvery time.Duration
	// CarrierLinks are https patterns with {number} by lower-case carrier name,
	// added to and preferred over the built-in ones.
	CarrierLinks map[string]string
}

// Service is what can be done with orders. Safe for concurrent use, also by
// several processes on one database.
type Service struct {
	store      Store
	now        func() time.Time
	log        *slog.Logger
	newID      func(prefix string, now time.Time) string
	payWithin  time.Duration
	sweepEvery time.Duration
	links      map[string]string
}

// Default options.
const (
	DefaultPayWithin  = 24 * time.Hour
	DefaultSweepEvery = 500 * time.Millisecond
)

// attempts bounds how often a lost compare-and-set is decided again.
const attempts = 16

// NewService returns a service over store. It starts nothing.
func NewService(store Store, o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.NewID == nil {
		o.NewID = eventwire.NewID
	}
	links := carrierLinks()
	maps.Copy(links, o.CarrierLinks)
	return &Service{
		store: store, log: o.Logger, newID: o.NewID, links: links,
		now:        func() time.Time { return o.Now().UTC().Truncate(time.Millisecond) },
		payWithin:  cmp.Or(o.PayWithin, DefaultPayWithin),
		sweepEvery: cmp.Or(o.SweepEvery, DefaultSweepEvery),
	}
}

// Create places an order. Errors: *InvalidError.
func (s *Service) Create(ctx context.Context, merchant string, in NewOrder) (Order, error) {
	draft, err := s.Draft(merchant, in)
	if err != nil {
		return Order{}, err
	}
	if err := s.Place(ctx, draft); err != nil {
		return Order{}, err
	}
	return draft.Order, nil
}

// Draft is the order as [Service.Place] will write it; nothing is written yet.
// Errors: *InvalidError.
func (s *Service) Draft(merchant string, in NewOrder) (Change, error) {
	total, err := checkOrder(in)
	if err != nil {
		return Change{}, err
	}
	now := s.now()
	return place(Order{
		ID: s.newID(eventwire.PrefixOrder, now), Merchant: merchant, Reference: in.Reference,
		Amount: total, Currency: in.Currency, Items: in.Items, Shop: in.Shop, Metadata: in.Metadata,
		RequiresShipping: in.RequiresShipping == nil || *in.RequiresShipping,
		PayBy:            now.Add(cmp.Or(in.ExpiresIn, s.payWithin)).Truncate(time.Millisecond),
	}, now, in.By, in.Evidence)
}

// Place writes a new order as [Service.Draft] made it.
func (s *Service) Place(ctx context.Context, draft Change) error {
	if err := s.store.Save(ctx, draft); err != nil {
		return fmt.Errorf("orders: create for %s: %w", draft.Order.Merchant, err)
	}
	return nil
}

// Get returns an order with its timeline. Errors: ErrNotFound.
func (s *Service) Get(ctx context.Context, merchant, id string) (Order, error) {
	if !eventwire.ValidID(eventwire.PrefixOrder, id) {
		return Order{}, ErrNotFound
	}
	return s.store.Order(ctx, merchant, id)
}

// List returns a page of the merchant's orders, newest first. Orders that are
// created meanwhile never shift it. Errors: *InvalidError.
func (s *Service) List(ctx context.Context, merchant string, filter Filter) (Page, error) {
	filter.Limit = cmp.Or(filter.Limit, DefaultLimit)
	if err := checkFilter(filter); err != nil {
		return Page{}, err
	}
	return s.store.List(ctx, merchant, filter)
}

// Counts says how many of the merchant's orders are in each state.
func (s *Service) Counts(ctx context.Context, merchant string) (Counts, error) {
	return s.store.Counts(ctx, merchant)
}

// Cancel ends an order of which nothing was shipped; cancelling a cancelled
// order is a no-op. Errors: ErrNotFound, *InvalidError, *ConflictError.
func (s *Service) Cancel(ctx context.Context, merchant, id string, in Cancellation) (Order, error) {
	if err := checkCancellation(in); err != nil {
		return Order{}, err
	}
	return s.change(ctx, merchant, id, in.IfSequence, func(o Order) (Change, error) { return cancel(o, in, s.now()) })
}

// Hold pauses an order: nothing of it may be shipped. Errors as of Cancel.
func (s *Service) Hold(ctx context.Context, merchant, id string, in Hold) (Order, error) {
	return s.change(ctx, merchant, id, in.IfSequence, func(o Order) (Change, error) { return setHold(o, true, in, s.now()) })
}

// Release lets an order on hold go on. Errors as of Cancel.
func (s *Service) Release(ctx context.Context, merchant, id string, in Hold) (Order, error) {
	return s.change(ctx, merchant, id, in.IfSequence, func(o Order) (Change, error) { return setHold(o, false, in, s.now()) })
}

// RotateToken raises the order's token epoch: every tracking token made before
// is revoked as soon as the event is out. ifSequence is the sequence that the
// order must have, 0 for any. Errors: ErrNotFound, *ConflictError.
func (s *Service) RotateToken(ctx context.Context, merchant, id string, ifSequence int64) (Order, error) {
	return s.change(ctx, merchant, id, ifSequence, func(o Order) (Change, error) { return rotateToken(o, s.now()) })
}

// Payable says what is still to be paid and whether it may be paid now.
// Errors: ErrNotFound.
func (s *Service) Payable(ctx context.Context, merchant, id string) (Due, error) {
	o, err := s.Get(ctx, merchant, id)
	if err != nil {
		return Due{}, err
	}
	return o.due(s.now()), nil
}

// decision is what a wish makes of the order as it is. Pure: it may be asked
// again about a newer state.
type decision func(Order) (Change, error)

// change takes a decision and returns the order as it then is.
func (s *Service) change(ctx context.Context, merchant, id string, ifSequence int64, decide decision) (Order, error) {
	o, _, err := s.apply(ctx, merchant, id, ifSequence, decide)
	return o, err
}

// apply also says whether anything changed. It reads outside of any transaction
// first, which is right nearly always and holds nobody up. Whoever loses the
// compare-and-set then reads and decides within the transaction that saves: what
// the winner wrote may not be committed yet, and cannot be seen from outside.
func (s *Service) apply(ctx context.Context, merchant, id string, ifSequence int64, decide decision) (Order, bool, error) {
	o, changed, err := s.attempt(ctx, merchant, id, ifSequence, decide)
	for n := 1; errors.Is(err, ErrStale) && n < attempts; n++ {
		o, changed, err = s.attemptWithin(ctx, merchant, id, ifSequence, decide)
	}
	if errors.Is(err, ErrStale) {
		return Order{}, false, conflict(o, CodeConcurrentUpdate, "others changed the order at the same time")
	}
	return o, changed, err
}

// attemptWithin is an attempt in one transaction. A refusal is carried past its
// end, so that what it was refused for is committed before anybody is told.
func (s *Service) attemptWithin(ctx context.Context, merchant, id string, ifSequence int64, decide decision) (o Order, changed bool, err error) {
	var refusal error
	err = s.store.Together(ctx, func(ctx context.Context) error {
		o, changed, refusal = s.attempt(ctx, merchant, id, ifSequence, decide)
		var refused *ConflictError
		if errors.As(refusal, &refused) {
			return nil
		}
		return refusal
	})
	if err == nil {
		err = refusal
	}
	return o, changed, err
}

// attempt reads, decides and saves once. With ErrStale comes the order that the
// decision was taken on.
func (s *Service) attempt(ctx context.Context, merchant, id string, ifSequence int64, decide decision) (Order, bool, error) {
	o, err := s.Get(ctx, merchant, id)
	if err != nil {
		return Order{}, false, err
	}
	if ifSequence != 0 && ifSequence != o.Sequence {
		return Order{}, false, conflict(o, CodeSequenceMismatch, "the order is at sequence %d, not %d", o.Sequence, ifSequence)
	}
	change, err := decide(o)
	if err != nil || len(change.Events) == 0 {
		return o, false, err
	}
	if err := s.store.Save(ctx, change); err != nil {
		return o, false, fmt.Errorf("orders: save %s: %w", id, err)
	}
	return change.Order, true, nil
}

func (o Order) due(now time.Time) Due {
	s := sumOf(o.Currency, o.Payments)
	return Due{
		OrderID: o.ID, Merchant: o.Merchant, Reference: o.Reference,
		Amount: max(0, o.Amount-(s.captured-s.refunded)), Currency: o.Currency, PayBy: o.PayBy,
		Open: o.Status == StatusPendingPayment && now.Before(o.PayBy), Status: o.Status, Sequence: o.Sequence,
	}
}
