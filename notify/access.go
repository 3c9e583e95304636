package notify

import (
	"context"

	"tracker/notify/eventwire"
)

// Access says which feed somebody asks for and on what ground. It is the
// result of authentication, which is not this package's business.
type Access struct {
	Key   eventwire.Key
	Owner string // the resource that a tracking token opens; "" for a merchant's key
	Epoch int64  // the token's epoch; means nothing without Owner

	Principal string // who: what CloseKey names
	Address   string // the client's address, for the limit per address; "" is not counted
}

// ownFeed reports whether the feed asked for decides itself about the token.
func (a Access) ownFeed() bool { return a.Owner == "" || a.Owner == a.Key.ID }

// ownerKey is the feed whose epoch decides. It reports false for an owner that
// is no id of any kind.
func (a Access) ownerKey() (eventwire.Key, bool) {
	for _, kind := range eventwire.Kinds() {
		if kind.ValidID(a.Owner) {
			return eventwire.Key{Merchant: a.Key.Merchant, Kind: kind, ID: a.Owner}, true
		}
	}
	return eventwire.Key{}, false
}

// checkFeed decides what the feed itself can tell. Not being the owner is the
// same as not existing.
func (a Access) checkFeed(s *snapshot) error {
	switch {
	case a.Owner == "":
		return nil
	case s.event.Owner != a.Owner:
		return ErrNotFound
	case a.ownFeed() && s.event.Epoch != a.Epoch:
		return ErrRevoked
	}
	return nil
}

// read returns the newest state of the feed, from memory where possible,
// after checking that a may see it. It holds no place in the hub.
func (n *Notifier) read(ctx context.Context, a Access) (*snapshot, error) {
	s, err := n.newest(ctx, a.Key)
	if err != nil {
		return nil, err
	}
	if err := a.checkFeed(s); err != nil {
		return nil, err
	}
	if a.ownFeed() {
		return s, nil
	}
	owner, ok := a.ownerKey()
	if !ok {
		return nil, ErrNotFound
	}
	o, err := n.newest(ctx, owner)
	if err != nil {
		return nil, err
	}
	if o.event.Epoch != a.Epoch {
		return nil, ErrRevoked
	}
	return s, nil
}

func (n *Notifier) newest(ctx context.Context, key eventwire.Key) (*snapshot, error) {
	if s := n.hub.peek(key); s != nil {
		return s, nil
	}
	t := n.hub.acquire(key)
	defer n.hub.release(t)
	return n.load(ctx, t)
}

// Newest returns the feed's newest event with its timeline, as the pages need
// it. The same access rules hold as for a stream.
func (n *Notifier) Newest(ctx context.Context, a Access) (eventwire.Event, error) {
	s, err := n.read(ctx, a)
	if err != nil {
		return eventwire.Event{}, err
	}
	return s.event, nil
}
