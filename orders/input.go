package orders

import "time"

// Cause is on whose word a transition happened.
type Cause string

// The causes. CausePayment is a payment event.
const (
	CauseMerchant Cause = "merchant"
	CauseShopper  Cause = "shopper"
	CauseCallback Cause = "callback" // a carrier's report
	CauseTimer    Cause = "timer"
	CauseOperator Cause = "operator"
	CausePayment  Cause = "payment"
)

// NewOrder is what a merchant asks for.
type NewOrder struct {
	Reference        string
	Currency         string // ISO 4217, upper case
	Items            []Item
	ExpiresIn        time.Duration // until when it can be paid; 0: the service's default
	Metadata         map[string]string
	Shop             Shop
	RequiresShipping *bool  // nil: yes
	By               Cause  // "": the merchant
	Evidence         string // what proves it, such as a request id; may be ""
}

// Cancellation is a wish to cancel.
type Cancellation struct {
	Reason     string // shown to the shopper; at most 500 characters
	By         Cause  // "": the merchant
	Evidence   string
	IfSequence int64 // 0: whatever it is
}

// NewShipment is a parcel that is handed to a carrier.
type NewShipment struct {
	Carrier        string
	TrackingNumber string
	Items          []ShipmentItem // none: everything not yet shipped
	EstimatedFrom  string         // "2006-01-02" or ""
	EstimatedTo    string
	By             Cause // "": the merchant
	Evidence       string
	IfSequence     int64
}

// CarrierEvent is a report of the carrier about a parcel.
type CarrierEvent struct {
	Status        ShipmentStatus
	OccurredAt    time.Time // zero: now
	Location      string    // town level
	Description   string    // the carrier's own words; kept, never announced
	EstimatedFrom string
	EstimatedTo   string
	By            Cause  // "": the carrier (callback)
	Evidence      string // "": carrier and tracking number
	IfSequence    int64
}

// Hold is a wish to pause an order, or to let it go on.
type Hold struct {
	By         Cause // "": the merchant
	Evidence   string
	IfSequence int64
}

// Due is what a payment has to know before it starts.
type Due struct {
	OrderID   string    `json:"order_id"`
	Merchant  string    `json:"merchant"`
	Reference string    `json:"reference"`
	Amount    int64     `json:"amount"` // still to be paid
	Currency  string    `json:"currency"`
	PayBy     time.Time `json:"pay_by"`
	Open      bool      `json:"open"` // whether it may be paid now
	Status    Status    `json:"status"`
	Sequence  int64     `json:"sequence"`
}

// Filter chooses orders of a merchant. The zero value is all of them, newest
// first; an empty list does not restrict.
type Filter struct {
	Status            []Status
	PaymentStatus     []PaymentStatus
	FulfillmentStatus []FulfillmentStatus
	WaitsFor          []Actor
	Task              []Task
	Reference         string    // exactly
	CreatedFrom       time.Time // inclusive
	CreatedTo         time.Time // exclusive
	Query             string    // in reference, tracking number or id, without regard to case
	Limit             int       // 1 to 100; 0: 20
	StartingAfter     string    // the id of the last order of the page before
}

// Page is a part of a list.
type Page struct {
	Orders  []Order // without timeline
	HasMore bool
}

// Counts says how many orders of a merchant are in each state.
type Counts struct {
	Total       int64
	Status      map[Status]int64
	Payment     map[PaymentStatus]int64
	Fulfillment map[FulfillmentStatus]int64
	WaitsFor    map[Actor]int64
	Task        map[Task]int64
}
