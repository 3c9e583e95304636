package webhooks

import (
	"context"
	"time"
)

// EndpointStore keeps endpoints. Every method that takes a merchant returns
// ErrNotFound for an endpoint of another one. Safe for concurrent use.
type EndpointStore interface {
	// Add stores a new endpoint; a *ConflictError when the merchant has max already.
	Add(ctx context.Context, r Record, max int) error
	Get(ctx context.Context, merchant, id string) (Record, error)
	// List returns the merchant's endpoints, oldest first.
	List(ctx context.Context, merchant string) ([]Record, error)
	// Change lets fn alter the endpoint in a transaction. fn may run more than once.
	Change(ctx context.Context, merchant, id string, fn func(*Record) error) (Record, error)
	// Remove hides the endpoint at once and stops its deliveries, unless allowed
	// has an error for it as it is in the transaction.
	Remove(ctx context.Context, merchant, id string, now time.Time, allowed func(Record) error) error
}

// Queue keeps deliveries, in a lane per endpoint and resource. Safe for
// concurrent use, also by several processes.
type Queue interface {
	// Subscribers lists the endpoints of each of the merchants, enabled or disabled.
	// Only what decides whether an event is for them need be there: the id, the
	// filters, the time of creation.
	Subscribers(ctx context.Context, merchants []string) (map[string][]Endpoint, error)
	// Enqueue adds the item to the endpoints, once to each, and returns the ids of
	// those it was new for. Nothing is sent to one that was removed meanwhile.
	Enqueue(ctx context.Context, item Item, endpoints []string) ([]string, error)
	// Due lists the endpoints that have something to send now, and the time at which
	// the next thing falls due (zero: nothing is waiting).
	Due(ctx context.Context, now time.Time) (endpoints []string, next time.Time, err error)
	// Claim leases lanes of the endpoint that are due, as many as reserve says, and
	// returns the first delivery of each. Nobody else gets those lanes before until.
	// reserve may be called more than once, and not at all for an endpoint that is
	// disabled, paused or gone.
	Claim(ctx context.Context, endpoint, token string, now, until time.Time, reserve func(Record) int) (Record, []Delivery, error)
	// Finish records an attempt and ends the lease.
	Finish(ctx context.Context, f Finished) error
	// Release ends the lease of a delivery's lane as if it had never been.
	Release(ctx context.Context, d Delivery, token string, now time.Time) error
	// Hasten makes everything of an endpoint due that waits for its next attempt.
	Hasten(ctx context.Context, endpoint string, now time.Time) error
	// Requeue makes up to limit deliveries pending again and hastens those that are
	// pending already. It returns how many it touched and where to go on ("" at the end).
	Requeue(ctx context.Context, endpoint string, r ReplayRequest, page Page) (n int, next string, err error)
}

// Log keeps attempts and cleans up.
type Log interface {
	Attempts(ctx context.Context, merchant string, f AttemptFilter) (AttemptPage, error)
	Counts(ctx context.Context) (Counts, error)
	// Purge deletes what ended before the time, and what removed endpoints left, up
	// to limit rows of each kind. It returns how many rows went.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)
}

// Store is everything the service needs of a database.
type Store interface {
	EndpointStore
	Queue
	Log
}

// Page is one part of a bulk replay.
type Page struct {
	After string
	Limit int
	Now   time.Time
}

// Finished is the outcome of one attempt.
type Finished struct {
	Delivery Delivery
	Token    string
	Attempt  Attempt
	State    State
	Due      time.Time // when the lane goes on
	// Health alters the endpoint in the same transaction; nil leaves it alone.
	Health func(*Record)
}
