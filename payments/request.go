package payments

import (
	"context"
	"time"

	"tracker/payments/money"
)

// OrderBook is what payments must know of an order before money may be asked
// for. An error means "not known", and then nothing is started.
type OrderBook interface {
	// Payable tells what is due. ErrNotFound when the merchant has no such order.
	Payable(ctx context.Context, merchant, order string) (Due, error)
}

// Due is what an order still asks for.
type Due struct {
	Amount    money.Amount // still to be paid
	Open      bool         // the order takes payments
	Reference string       // the merchant's name of the order
	PayBy     time.Time    // zero: no limit
	Status    string       // of the order, for whoever is refused
	Sequence  int64        // of the order
}

// Start asks for a new payment.
type Start struct {
	Merchant  string
	OrderID   string
	Provider  string // "" = the default provider
	ReturnURL string
	Capture   CaptureMode // "" = automatic
	// Key makes the start repeatable: the same merchant and key is the same
	// payment, continued where a crash left it. "" = a new payment each time.
	Key string
	By  Cause // merchant (default) or shopper
	// Evidence is kept with the transition: the id of the request. May be empty.
	Evidence string
	// Force starts a payment although another one is undecided. Merchants only.
	Force bool
}

// Command names the payment that a command is about and who gives it.
type Command struct {
	Merchant   string
	ID         string
	IfSequence int64  // 0 = whatever it is now; else it must still be this one
	By         Cause  // "" = merchant
	Evidence   string // kept with the transition: the id of the request; may be empty
	Key        string // idempotency key; "" = the command's own kind and amount
}

// Decision ends a review, or a late success that is on hold.
type Decision string

// The decisions.
const (
	DecisionAccept Decision = "accept" // keep the money that the provider reported
	DecisionReturn Decision = "return" // send it back
)

// NewRefund asks for money to be sent back.
type NewRefund struct {
	Merchant  string
	PaymentID string
	Amount    int64 // 0 = everything that is left
	Reason    string
	Key       string // the cause; the same key is the same refund. "" = a new one each time
	By        Cause  // "" = merchant
	Evidence  string // kept with the transition: the id of the request; may be empty

	IfSequence int64 // of the payment; 0: whatever it is
}

// Filter chooses payments of one merchant. Zero fields do not filter.
type Filter struct {
	Status        Status
	OrderID       string
	Reference     string // the provider's, exactly
	Limit         int    // 0 = 20; at most 100
	StartingAfter string // a payment id; newest first
}

// Page is one page of payments, newest first, without timelines.
type Page struct {
	Payments []Payment
	HasMore  bool
}

// Counts are the public counters of promise 3.
type Counts struct {
	Open         int64 `json:"open"`          // not closed: a next check is owed
	Overdue      int64 `json:"overdue"`       // open, and without a next check or long past it: must be 0
	Unknown      int64 `json:"unknown"`       // the bank does not answer
	Review       int64 `json:"review"`        // a person decides
	Parked       int64 `json:"parked"`        // callbacks that came too early
	UnknownTypes int64 `json:"unknown_types"` // callbacks whose type means nothing to us
	BudgetUsed   int64 `json:"budget_used"`   // open payments that used up their status questions
	Checks       int64 `json:"checks"`        // status questions of all open payments
	Forged       int64 `json:"forged"`        // callbacks refused by this process since it started
}
