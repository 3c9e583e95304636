package apikeys

import (
	"errors"
	"slices"
	"time"
)

// Mode separates play from business.
type Mode string

// The modes. A key of one mode never sees data of the other.
const (
	Test Mode = "test"
	Live Mode = "live"
)

// Scope is something a key may do.
type Scope string

// The scopes. Write does not include refunds or webhooks: a key that moves
// orders along should not be able to move money out or events away.
const (
	Read     Scope = "read"
	Write    Scope = "write"
	Refunds  Scope = "refunds"
	Webhooks Scope = "webhooks"
)

// AllScopes lists every scope.
func AllScopes() []Scope { return []Scope{Read, Write, Refunds, Webhooks} }

// Key is an API key without its secret.
type Key struct {
	ID         string // key_…: names the key in lists, logs and limits
	Merchant   string // mer_…: whose data it opens
	Mode       Mode
	Name       string
	Scopes     []Scope
	Hint       string // how it starts and ends, to recognise it
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
	RevokedAt  time.Time // zero: not revoked
}

// Can reports whether the key has scope s.
func (k Key) Can(s Scope) bool { return slices.Contains(k.Scopes, s) }

// Merchant is one side (test or live) of a merchant's account.
type Merchant struct {
	ID         string
	Mode       Mode
	Name       string // shown to shoppers
	HelpURL    string
	ShopURL    string
	RefundDays int // working days that a refund usually takes, told to shoppers
	CreatedAt  time.Time
}

// NewKey says what key to make.
type NewKey struct {
	Merchant string // the key gets its mode
	Name     string
	Scopes   []Scope // empty: all
}

// Settings change a merchant; nil leaves a value as it is.
type Settings struct {
	Name       *string
	HelpURL    *string
	ShopURL    *string
	RefundDays *int
}

// Errors of the service.
var (
	// ErrUnknownKey is the answer to every key that is not good.
	ErrUnknownKey = errors.New("apikeys: unknown key")
	// ErrNotFound is the answer to an id that the merchant does not have.
	ErrNotFound = errors.New("apikeys: not found")
)

// FieldError names one input that does not fit.
type FieldError struct{ Pointer, Code, Detail string }

// InvalidError lists every input that does not fit.
type InvalidError struct{ Fields []FieldError }

// Error implements error.
func (e *InvalidError) Error() string {
	if len(e.Fields) == 0 {
		return "apikeys: invalid"
	}
	return "apikeys: invalid: " + e.Fields[0].Pointer + " " + e.Fields[0].Detail
}
