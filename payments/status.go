package payments

import "slices"

// Status is where a payment stands. Each constant says who acts next.
type Status string

// The statuses of a payment.
const (
	StatusCreated           Status = "created"            // we: open a session at the provider
	StatusRequiresAction    Status = "requires_action"    // the shopper: approve or decline at the bank
	StatusProcessing        Status = "processing"         // the bank: decide
	StatusUnknown           Status = "unknown"            // the reconciler: find out; nobody may assume anything
	StatusAuthorized        Status = "authorized"         // the merchant: capture or void
	StatusPartiallyCaptured Status = "partially_captured" // nobody must; the merchant may capture the rest or refund
	StatusCaptured          Status = "captured"           // nobody must; the merchant may refund
	StatusPartiallyRefunded Status = "partially_refunded" // nobody must; the merchant may refund the rest
	StatusRefunded          Status = "refunded"           // nobody: the end
	StatusFailed            Status = "failed"             // nobody; the shopper may start another payment
	StatusExpired           Status = "expired"            // nobody; the shopper may start another payment
	StatusCancelled         Status = "cancelled"          // nobody; the shopper may start another payment
	StatusVoided            Status = "voided"             // nobody; the shopper may start another payment
	StatusLateSuccess       Status = "late_success"       // the policy: refund, accept, or (hold) the merchant decides
	StatusRefundPending     Status = "refund_pending"     // the bank: send everything back
	StatusReview            Status = "review"             // the merchant: accept or return
	StatusReversed          Status = "reversed"           // nobody here: the provider took the money back
)

// transitions is the whole truth about which status may follow which. The
// diagram in doc.go is tested against it.
func transitions() map[Status][]Status {
	return map[Status][]Status{
		StatusCreated: {StatusRequiresAction, StatusProcessing, StatusAuthorized, StatusPartiallyCaptured, StatusCaptured,
			StatusFailed, StatusExpired, StatusCancelled, StatusLateSuccess, StatusReview},
		StatusRequiresAction: {StatusProcessing, StatusAuthorized, StatusPartiallyCaptured, StatusCaptured,
			StatusFailed, StatusExpired, StatusCancelled, StatusLateSuccess, StatusReview},
		StatusProcessing: {StatusAuthorized, StatusPartiallyCaptured, StatusCaptured,
			StatusFailed, StatusUnknown, StatusLateSuccess, StatusReview},
		StatusUnknown: {StatusProcessing, StatusAuthorized, StatusPartiallyCaptured, StatusCaptured,
			StatusFailed, StatusLateSuccess, StatusReview},
		StatusAuthorized:        {StatusPartiallyCaptured, StatusCaptured, StatusVoided, StatusExpired, StatusLateSuccess, StatusReview},
		StatusPartiallyCaptured: {StatusPartiallyCaptured, StatusCaptured, StatusPartiallyRefunded, StatusRefunded, StatusReversed, StatusReview},
		StatusCaptured:          {StatusPartiallyRefunded, StatusRefunded, StatusReversed, StatusReview},
		StatusPartiallyRefunded: {StatusRefunded, StatusReversed, StatusReview},
		StatusRefunded:          {},
		StatusFailed:            {StatusLateSuccess, StatusReview},
		StatusExpired:           {StatusLateSuccess, StatusReview},
		StatusCancelled:         {StatusLateSuccess, StatusReview},
		StatusVoided:            {StatusLateSuccess, StatusReview},
		StatusLateSuccess:       {StatusRefundPending, StatusCaptured, StatusPartiallyCaptured, StatusReversed, StatusReview},
		StatusRefundPending:     {StatusRefunded, StatusReversed, StatusReview},
		StatusReview: {StatusAuthorized, StatusPartiallyCaptured, StatusCaptured, StatusRefundPending,
			StatusVoided, StatusReversed},
		StatusReversed: {},
	}
}

// Statuses lists every status in the order of a payment's life.
func Statuses() []Status {
	return []Status{StatusCreated, StatusRequiresAction, StatusProcessing, StatusUnknown, StatusAuthorized,
		StatusPartiallyCaptured, StatusCaptured, StatusPartiallyRefunded, StatusRefunded, StatusFailed, StatusExpired,
		StatusCancelled, StatusVoided, StatusLateSuccess, StatusRefundPending, StatusReview, StatusReversed}
}

// Next lists the statuses that may follow s.
func (s Status) Next() []Status { return transitions()[s] }

// CanBecome reports whether to may follow s.
func (s Status) CanBecome(to Status) bool { return slices.Contains(transitions()[s], to) }

// Final reports whether nobody has to act any more. A final payment can still
// move (a refund, a reversal, a late success); it just does not wait for it.
func (s Status) Final() bool {
	switch s {
	case StatusPartiallyCaptured, StatusCaptured, StatusPartiallyRefunded, StatusRefunded,
		StatusFailed, StatusExpired, StatusCancelled, StatusVoided, StatusReversed:
		return true
	}
	return false
}

// undecided reports whether the bank may still say yes for the first time.
func (s Status) undecided() bool {
	switch s {
	case StatusCreated, StatusRequiresAction, StatusProcessing, StatusUnknown:
		return true
	}
	return false
}

// ended reports whether the payment ended without money.
func (s Status) ended() bool {
	switch s {
	case StatusFailed, StatusExpired, StatusCancelled, StatusVoided:
		return true
	}
	return false
}

// settled reports whether money was taken and is ours to give back.
func (s Status) settled() bool {
	switch s {
	case StatusPartiallyCaptured, StatusCaptured, StatusPartiallyRefunded:
		return true
	}
	return false
}

// RefundStatus is where a refund stands. Each constant says who acts next.
type RefundStatus string

// The statuses of a refund.
const (
	RefundRequested      RefundStatus = "requested"       // we: ask the provider
	RefundPending        RefundStatus = "pending"         // the provider: send it
	RefundRequiresAction RefundStatus = "requires_action" // the shopper: tell the provider where to
	RefundSucceeded      RefundStatus = "succeeded"       // nobody: the end
	RefundFailed         RefundStatus = "failed"          // the merchant: decide what now
	RefundCancelled      RefundStatus = "cancelled"       // the merchant: decide what now
)

func refundTransitions() map[RefundStatus][]RefundStatus {
	return map[RefundStatus][]RefundStatus{
		RefundRequested:      {RefundPending, RefundRequiresAction, RefundSucceeded, RefundFailed, RefundCancelled},
		RefundPending:        {RefundRequiresAction, RefundSucceeded, RefundFailed, RefundCancelled},
		RefundRequiresAction: {RefundPending, RefundSucceeded, RefundFailed, RefundCancelled},
		RefundSucceeded:      {},
		RefundFailed:         {},
		RefundCancelled:      {},
	}
}

// RefundStatuses lists every refund status.
func RefundStatuses() []RefundStatus {
	return []RefundStatus{RefundRequested, RefundPending, RefundRequiresAction, RefundSucceeded, RefundFailed, RefundCancelled}
}

// Next lists the statuses that may follow s.
func (s RefundStatus) Next() []RefundStatus { return refundTransitions()[s] }

// CanBecome reports whether to may follow s.
func (s RefundStatus) CanBecome(to RefundStatus) bool {
	return slices.Contains(refundTransitions()[s], to)
}

// Outstanding reports whether the money is still on its way.
func (s RefundStatus) Outstanding() bool {
	return s == RefundRequested || s == RefundPending || s == RefundRequiresAction
}
