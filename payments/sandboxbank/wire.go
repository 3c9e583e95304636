package sandboxbank

import "time"

// SessionRequest asks the bank to take a payment: the body of POST /sessions.
// Payment is the idempotency key: a second request for the same payment answers
// the first one's session.
type SessionRequest struct {
	Payment        string    `json:"payment"`
	OrderReference string    `json:"order_reference,omitempty"`
	Shop           string    `json:"shop,omitempty"`
	Amount         int64     `json:"amount"`
	Currency       string    `json:"currency"`
	Capture        string    `json:"capture,omitempty"` // automatic (default) or manual
	ReturnURL      string    `json:"return_url,omitempty"`
	CallbackURL    string    `json:"callback_url,omitempty"`
	ExpiresAt      time.Time `json:"expires_at,omitzero"`
}

// Session is what the bank says about a payment. Amount and Currency are what
// the bank took or reserved, which approve_wrong_amount makes another sum than
// the one asked for. Event names the change that led to Status.
type Session struct {
	ID             string    `json:"id"`
	URL            string    `json:"url"`
	Payment        string    `json:"payment"`
	OrderReference string    `json:"order_reference,omitempty"`
	Status         string    `json:"status"`
	Amount         int64     `json:"amount"`
	Currency       string    `json:"currency"`
	Payee          string    `json:"payee"` // the account that gets the money
	Capture        string    `json:"capture"`
	Captured       int64     `json:"captured"`
	Refunded       int64     `json:"refunded"`
	DeclineCode    string    `json:"decline_code,omitempty"`
	Decision       string    `json:"decision,omitempty"`
	Event          string    `json:"event"`
	OccurredAt     time.Time `json:"occurred_at"` // of the change that Event names
	ExpiresAt      time.Time `json:"expires_at,omitzero"`
	CreatedAt      time.Time `json:"created_at"`
}

// The statuses of a session.
const (
	StatusOpen              = "open"    // waits for the customer
	StatusPending           = "pending" // the customer did something, the bank keeps silent about it
	StatusAuthorized        = "authorized"
	StatusPartiallyCaptured = "partially_captured"
	StatusCaptured          = "captured"
	StatusDeclined          = "declined"
	StatusExpired           = "expired"
	StatusCancelled         = "cancelled"
	StatusVoided            = "voided"
	StatusReversed          = "reversed"
)

// Refund is one refund as the bank sees it.
type Refund struct {
	ID        string    `json:"id"`
	Key       string    `json:"key"`
	Amount    int64     `json:"amount"`
	Reference string    `json:"reference,omitempty"` // the shop's own id of it
	Status    string    `json:"status"`              // pending, succeeded or failed
	Code      string    `json:"code,omitempty"`      // why it failed
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	SettlesAt time.Time `json:"settles_at,omitzero"` // of a pending one; zero: nobody knows
}

// The statuses of a refund.
const (
	RefundPending   = "pending"
	RefundSucceeded = "succeeded"
	RefundFailed    = "failed"
)

// DecideRequest is the form of the bank's page as JSON: POST
// /sessions/{id}/decide. Amount, Currency and Payee choose what
// approve_wrong_amount reports; with none of them, it is half of what was asked.
type DecideRequest struct {
	Decision Decision `json:"decision"`
	Amount   int64    `json:"amount,omitempty"`
	Currency string   `json:"currency,omitempty"`
	Payee    string   `json:"payee,omitempty"`
}

// CaptureRequest is the body of POST /sessions/{id}/capture. Amount 0 means all
// that is left. The header Idempotency-Key makes a repetition harmless.
type CaptureRequest struct {
	Amount int64 `json:"amount,omitempty"`
}

// RefundRequest is the body of POST /sessions/{id}/refunds, as CaptureRequest.
// Reference is the shop's own id, which the bank repeats in its answers.
type RefundRequest struct {
	Amount    int64  `json:"amount,omitempty"`
	Reference string `json:"reference,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// BankRefundRequest is the body of POST /sessions/{id}/bank_refunds: somebody at
// the bank sends money back, and the shop is called about it. Amount 0 means all
// that is left.
type BankRefundRequest struct {
	Amount int64 `json:"amount,omitempty"`
}

// errorBody is the form of every answer that is not a success.
type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// callback is the body that the bank posts to the shop.
type callback struct {
	Type string       `json:"type"`
	Data callbackData `json:"data"`
}

type callbackData struct {
	Payment    string    `json:"payment"`
	Reference  string    `json:"reference"`
	Amount     int64     `json:"amount"`
	Currency   string    `json:"currency"`
	OccurredAt time.Time `json:"occurred_at"`
	// Of a refund that the bank made itself, whose sum is then the amount.
	Refund       string `json:"refund,omitempty"`
	RefundStatus string `json:"refund_status,omitempty"`
}

// The types of callbacks.
const (
	typeSucceeded  = "payment.succeeded"
	typeFailed     = "payment.failed"
	typeProcessing = "payment.processing"
	typeAuthorized = "payment.authorized"
	typeReversed   = "payment.reversed"
	typeRefunded   = "payment.refunded"
)
