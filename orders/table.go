package orders

import "slices"

// Actor is who has to do something before a state can change.
type Actor string

// The actors.
const (
	ActorShopper  Actor = "shopper"
	ActorBank     Actor = "bank"
	ActorCarrier  Actor = "carrier"
	ActorMerchant Actor = "merchant"
	ActorNobody   Actor = "nobody" // an end: nothing more is expected
)

// Actors lists every actor.
func Actors() []Actor {
	return []Actor{ActorShopper, ActorBank, ActorCarrier, ActorMerchant, ActorNobody}
}

// rule is one row of a state table: where a state may go, and who acts next.
type rule[S ~string] struct {
	state S
	next  []S
	actor Actor
}

// table is the whole truth about one status enum. Tables are never written to
// after they were made; they are variables only because Go has no constant
// slices.
type table[S ~string] []rule[S]

func (t table[S]) find(state S) (rule[S], bool) {
	for _, r := range t {
		if r.state == state {
			return r, true
		}
	}
	return rule[S]{actor: ActorNobody}, false
}

// allows reports whether the move is in the table. Staying is not a move.
func (t table[S]) allows(from, to S) bool {
	r, _ := t.find(from)
	return slices.Contains(r.next, to)
}

func (t table[S]) states() []S {
	list := make([]S, len(t))
	for i, r := range t {
		list[i] = r.state
	}
	return list
}
