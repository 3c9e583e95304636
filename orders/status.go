package orders

// Status is the first dimension of an order: how far the agreement between
// shopper and merchant has come.
type Status string

// The states of an order, and who acts next.
const (
	StatusPendingPayment Status = "pending_payment" // the shopper: pay
	StatusConfirmed      Status = "confirmed"       // the merchant: ship
	StatusCompleted      Status = "completed"       // nobody
	StatusCancelled      Status = "cancelled"       // nobody
	StatusExpired        Status = "expired"         // nobody
)

var statusTable = table[Status]{
	{StatusPendingPayment, []Status{StatusConfirmed, StatusCancelled, StatusExpired}, ActorShopper},
	{StatusConfirmed, []Status{StatusCompleted, StatusCancelled}, ActorMerchant},
	{StatusCompleted, nil, ActorNobody},
	{StatusCancelled, nil, ActorNobody},
	{StatusExpired, nil, ActorNobody},
}

// Statuses lists every order status.
func Statuses() []Status { return statusTable.states() }

// Allows reports whether an order in s may become to.
func (s Status) Allows(to Status) bool { return statusTable.allows(s, to) }

// Final reports whether the table has no way on from s.
func (s Status) Final() bool {
	r, ok := statusTable.find(s)
	return ok && len(r.next) == 0
}

// ActsNext says who has to act for an order in s to go on.
func (s Status) ActsNext() Actor {
	r, _ := statusTable.find(s)
	return r.actor
}

// Valid reports whether s is a status at all.
func (s Status) Valid() bool {
	_, ok := statusTable.find(s)
	return ok
}
