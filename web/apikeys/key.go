package apikeys

import (
	"errors"
	"slices"
	"strconv"
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
// orders along should not be able to move money out or events away. What it may do
// is cancel an order that was not shipped, whose money then goes back.
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
	// Version counts from 1 what was done to the key: a revocation, not its use.
	Version int64
}

// Can reports whether the key has scope s.
func (k Key) Can(s Scope) bool { return slices.Contains(k.Scopes, s) }

func (k Key) status() string {
	if k.RevokedAt.IsZero() {
		return "active"
	}
	return "revoked"
}

// Merchant is one side (test or live) of a merchant's account.
type Merchant struct {
	ID         string
	Mode       Mode
	Name       string // shown to shoppers
	HelpURL    string
	ShopURL    string
	RefundDays int // working days that a refund usually takes, told to shoppers
	CreatedAt  time.Time
	Version    int64 // from 1, one more with each change of settings
}

// NewKey says what key to make.
type NewKey struct {
	Merchant string // the key gets its mode
	Name     string
	Scopes   []Scope // empty: all
}

// Settings change a merchant; nil leaves a value as it is.
type Settings struct {
	IfVersion  int64 // only while the merchant has this version; 0 for any
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

// VersionError says that the caller insisted on another version than the present
// one. Nothing was changed.
type VersionError struct {
	Status  string // of a key: active or revoked
	Version int64  // the present one
}

// Error implements error.
func (e *VersionError) Error() string {
	return "apikeys: it has version " + strconv.FormatInt(e.Version, 10) + " by now"
}

// insist compares the version that a caller insists on, 0 for any, with the present one.
func insist(wanted, present int64, status string) error {
	if wanted != 0 && wanted != present {
		return &VersionError{Status: status, Version: present}
	}
	return nil
}

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
