package payments

import (
	"context"
	"time"
)

// Store keeps ledgers. Everything in it is merchant-scoped where a merchant is
// given: somebody else's payment is ErrNotFound.
type Store interface {
	Ledgers
	Reader
	Queue
}

// Ledgers changes ledgers.
type Ledgers interface {
	// Update loads the ledger of an order (an empty one where there is none), runs
	// fn on it and stores what fn changed, with the events of its transitions, in
	// one transaction that is durable when Update returns nil. Two updates of one
	// order never overlap: fn sees what the other one stored. fn may run more than
	// once and must touch nothing but the ledger. An error of fn is returned as it
	// is, and then nothing is stored.
	Update(ctx context.Context, merchant, order string, fn func(l *Ledger) error) error
	// Receive stores a callback and its effect in one transaction. fn gets the
	// ledger of the payment that the callback speaks of, or nil where there is none
	// yet; it sets in.State. fresh is false when (provider, event id) was stored
	// before: then fn is not called and nothing changes.
	Receive(ctx context.Context, in Inbound, fn func(l *Ledger, in *Inbound) error) (fresh bool, err error)
}

// Reader reads without locks.
type Reader interface {
	// Payment returns a payment with its timeline, intents and refunds.
	Payment(ctx context.Context, merchant, id string) (Payment, error)
	PaymentByKey(ctx context.Context, merchant, key string) (Payment, error)
	Refund(ctx context.Context, merchant, id string) (Refund, error)
	// List returns payments without timelines and intents, newest first.
	List(ctx context.Context, merchant string, f Filter) (Page, error)
	// After pages through all payments of everybody by id, timelines included.
	After(ctx context.Context, id string, limit int) ([]Payment, error)
	// Counts counts; overdue is what should have been looked at before that time.
	Counts(ctx context.Context, overdue time.Time, budget int) (Counts, error)
}

// Queue hands out the payments whose next check is due, to one process at a time.
type Queue interface {
	// Claim leases payments of a provider that are due, as far as its [Pace]
	// allows, which all processes share. Storing a change of the payment ends the
	// lease; so does a lease that lies further ahead than twice the length of the
	// claim, which only a clock that was wrong can have made. While the provider
	// asked for silence what is due is put off to its
	// end. again is when the pace allows more, or zero where it did not matter.
	Claim(ctx context.Context, in Claim) (list []Claimed, again time.Time, err error)
	// Postpone moves what is due before until to until, for a provider that asked
	// for silence, and lets nothing of it be claimed before.
	Postpone(ctx context.Context, provider string, until time.Time) error
	// NextDue is when the next payment of a provider becomes due or its lease ends.
	NextDue(ctx context.Context, provider string) (at time.Time, any bool, err error)
}

// Claim is what a process wants to look after.
type Claim struct {
	Provider string
	Now      time.Time
	Until    time.Time // the lease
	Limit    int
	Rate     float64 // calls per second of all processes together; ≤ 0: no limit
}

// Claimed names a leased payment.
type Claimed struct{ Merchant, Order, Payment string }
