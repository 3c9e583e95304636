package orders

// PaymentStatus is the second dimension of an order, derived from all its
// payments together.
type PaymentStatus string

// How an order stands with the bank, and who acts next.
const (
	PaymentUnpaid            PaymentStatus = "unpaid"             // the shopper: pay
	PaymentActionRequired    PaymentStatus = "action_required"    // the shopper: go on at the bank
	PaymentProcessing        PaymentStatus = "processing"         // the bank: answer
	PaymentAuthorized        PaymentStatus = "authorized"         // the merchant: capture or void
	PaymentPartiallyPaid     PaymentStatus = "partially_paid"     // the shopper: pay the rest
	PaymentPaid              PaymentStatus = "paid"               // nobody
	PaymentOverpaid          PaymentStatus = "overpaid"           // the merchant: give back what is too much
	PaymentPartiallyRefunded PaymentStatus = "partially_refunded" // nobody
	PaymentRefunded          PaymentStatus = "refunded"           // nobody
	PaymentFailed            PaymentStatus = "failed"             // the shopper: try again
	PaymentVoided            PaymentStatus = "voided"             // the shopper: pay again
	PaymentReview            PaymentStatus = "review"             // the merchant: accept or return
)

// Money moves by what banks say, in any order and over several payments, so
// only few moves are impossible: an order never forgets that money came.
var paymentTable = table[PaymentStatus]{
	{PaymentUnpaid, openAndMoney(PaymentUnpaid, PaymentFailed, PaymentVoided), ActorShopper},
	{PaymentActionRequired, openAndMoney(PaymentActionRequired, PaymentUnpaid, PaymentFailed, PaymentVoided), ActorShopper},
	{PaymentProcessing, openAndMoney(PaymentProcessing, PaymentUnpaid, PaymentFailed, PaymentVoided), ActorBank},
	{PaymentAuthorized, openAndMoney(PaymentAuthorized, PaymentUnpaid, PaymentFailed, PaymentVoided), ActorMerchant},
	{PaymentPartiallyPaid, openAndMoney(PaymentPartiallyPaid, PaymentFailed), ActorShopper},
	{PaymentPaid, []PaymentStatus{PaymentActionRequired, PaymentProcessing, PaymentAuthorized, PaymentPartiallyPaid, PaymentOverpaid,
		PaymentPartiallyRefunded, PaymentRefunded, PaymentFailed, PaymentReview}, ActorNobody},
	{PaymentOverpaid, []PaymentStatus{PaymentActionRequired, PaymentProcessing, PaymentAuthorized, PaymentPartiallyPaid, PaymentPaid,
		PaymentPartiallyRefunded, PaymentRefunded, PaymentFailed, PaymentReview}, ActorMerchant},
	{PaymentPartiallyRefunded, openAndMoney(PaymentPartiallyRefunded, PaymentFailed), ActorNobody},
	{PaymentRefunded, openAndMoney(PaymentRefunded, PaymentUnpaid, PaymentFailed, PaymentVoided), ActorNobody},
	{PaymentFailed, openAndMoney(PaymentFailed, PaymentUnpaid, PaymentVoided), ActorShopper},
	{PaymentVoided, openAndMoney(PaymentVoided, PaymentUnpaid, PaymentFailed), ActorShopper},
	{PaymentReview, openAndMoney(PaymentReview, PaymentUnpaid, PaymentFailed, PaymentVoided), ActorMerchant},
}

// openAndMoney is every state in which a payment is under way or money has
// come, but for self, and what else is named.
func openAndMoney(self PaymentStatus, also ...PaymentStatus) []PaymentStatus {
	var list []PaymentStatus
	for _, s := range []PaymentStatus{PaymentActionRequired, PaymentProcessing, PaymentAuthorized, PaymentPartiallyPaid,
		PaymentPaid, PaymentOverpaid, PaymentPartiallyRefunded, PaymentRefunded, PaymentReview} {
		if s != self {
			list = append(list, s)
		}
	}
	return append(list, also...)
}

// PaymentStatuses lists every payment status of an order.
func PaymentStatuses() []PaymentStatus { return paymentTable.states() }

// Allows reports whether an order's payment status may go from s to the given.
func (s PaymentStatus) Allows(to PaymentStatus) bool { return paymentTable.allows(s, to) }

// ActsNext says who has to act for the money to move on.
func (s PaymentStatus) ActsNext() Actor {
	r, _ := paymentTable.find(s)
	return r.actor
}

// Valid reports whether s is a payment status of an order at all.
func (s PaymentStatus) Valid() bool {
	_, ok := paymentTable.find(s)
	return ok
}
