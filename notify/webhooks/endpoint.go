package webhooks

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Status says whether an endpoint is being sent to.
type Status string

// An endpoint is enabled until it asks not to be (410), has failed for days, or
// is switched off; the merchant enables it again.
const (
	Enabled  Status = "enabled"
	Disabled Status = "disabled"
)

// Endpoint is what a merchant sees of one receiver of webhooks.
type Endpoint struct {
	ID       string   `json:"id"`
	Merchant string   `json:"-"`
	URL      string   `json:"url"`
	Events   []string `json:"events"` // "*", "order.*" or exact types
	Status   Status   `json:"status"`
	// Secret is there in the answers of Create and RotateSecret, and never again.
	Secret string `json:"secret,omitempty"`

	DisabledAt     *time.Time `json:"disabled_at,omitempty"`
	DisabledReason string     `json:"disabled_reason,omitempty"` // gone, failing, merchant
	// FailingSince is when the first attempt failed of a row that no success has
	// ended yet: what a merchant should see before the endpoint is disabled.
	FailingSince *time.Time `json:"failing_since,omitempty"`
	Failures     int        `json:"consecutive_failures"`
	PausedUntil  *time.Time `json:"paused_until,omitempty"` // the receiver's own Retry-After
	LastSuccess  *time.Time `json:"last_success_at,omitempty"`
	// PreviousUntil is how long the secret before the present one still signs too.
	PreviousUntil *time.Time `json:"previous_secret_until,omitempty"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	// Version counts from 1 what was decided about the endpoint, by the merchant or
	// by disabling it. How its deliveries go is not counted: who wants to change a
	// busy endpoint would always come too late.
	Version int64 `json:"version"`
}

// Wants reports whether the endpoint asked for events of this type.
func (e Endpoint) Wants(eventType string) bool {
	return slices.ContainsFunc(e.Events, func(filter string) bool {
		if filter == "*" || filter == eventType {
			return true
		}
		prefix, wild := strings.CutSuffix(filter, "*")
		return wild && strings.HasPrefix(eventType, prefix)
	})
}

// Keys are the secrets that sign for an endpoint. They exist only between the
// store and the sender and never print themselves.
type Keys struct {
	Current       string
	Previous      string // "" when the secret was never rotated
	PreviousUntil time.Time
}

// LogValue keeps secrets out of logs.
func (Keys) LogValue() slog.Value { return slog.StringValue("redacted") }

// String keeps secrets out of formatted text.
func (Keys) String() string { return "redacted" }

// Live lists the secrets that sign at the given time, the newest first.
func (k Keys) Live(now time.Time) []string {
	if k.Previous != "" && now.Before(k.PreviousUntil) {
		return []string{k.Current, k.Previous}
	}
	return []string{k.Current}
}

// Record is an endpoint as it is stored.
type Record struct {
	Endpoint
	Keys Keys
}

// NewEndpoint is what a merchant asks for.
type NewEndpoint struct {
	URL    string
	Events []string // empty: everything
}

// Change is what a merchant changes about an endpoint; nil leaves a part alone.
type Change struct {
	IfVersion int64 // only while the endpoint has this version; 0 for any
	URL       *string
	Events    []string
	Enabled   *bool
}

// insist is for whoever wants to change the endpoint only while it has a version;
// 0 is any.
func (r *Record) insist(version int64) error {
	if version == 0 || version == r.Version {
		return nil
	}
	return &ConflictError{Code: "sequence_mismatch", Detail: fmt.Sprintf("the endpoint has version %d by now", r.Version), Status: string(r.Status), Version: r.Version}
}

// decided counts a change.
func (r *Record) decided(now time.Time) {
	r.Version++
	r.UpdatedAt = now
}

func (r *Record) disable(now time.Time, reason string) {
	r.Status, r.DisabledAt, r.DisabledReason = Disabled, &now, reason
}

func (r *Record) enable() {
	r.Status, r.DisabledAt, r.DisabledReason = Enabled, nil, ""
	r.FailingSince, r.Failures, r.PausedUntil = nil, 0, nil
}

func (r *Record) rotate(now time.Time, secret string, overlap time.Duration) {
	until := now.Add(overlap)
	r.Keys = Keys{Current: secret, Previous: r.Keys.Current, PreviousUntil: until}
	r.PreviousUntil = &until
	r.decided(now)
}
