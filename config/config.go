package config

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"time"
)

// Role is a part of the program that a process can run.
type Role string

// The roles. Every process serves HTTP and mounts the routes of its roles.
const (
	RoleOrders   Role = "orders"
	RolePayments Role = "payments"
	RoleNotify   Role = "notify"
	RoleWeb      Role = "web"
)

// Secret is a value that formats as [redacted] wherever it is printed.
type Secret string

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer, which %#v asks.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Reveal is the secret itself. Whoever calls it takes care where it goes.
func (s Secret) Reveal() string { return string(s) }

// Limits bound what one caller may cost. Zero means no limit.
type Limits struct {
	Reads, Writes, Connects float64 // per second and principal

	Watchers, WatchersPerAddress, WatchersPerOrder int
}

// Config is the checked environment of one process.
type Config struct {
	Addr      string
	AdminAddr string
	PublicURL string // no slash at the end; empty: the listener's own address
	Roles     []Role
	DataDir   string

	DatabaseURL       Secret
	DatabaseListenURL Secret
	NATSURL           Secret
	NATSCredentials   string
	NATSCA            string
	NATSCert          string
	NATSKey           string
	NATSReplicas      int
	StreamMaxAge      time.Duration // how long the stream keeps an event
	StreamMaxBytes    int64         // one copy of the stream at most; 0: no limit
	OutboxRetention   time.Duration // how long published events stay in the outbox

	TokenSecrets []Secret // the first signs, all verify
	Sandbox      bool
	SandboxKey   Secret

	BankAddr             string
	BankURL              string // no slash at the end
	BankSecrets          []Secret
	StripeKey            Secret
	StripeWebhookSecrets []Secret

	PaymentExpiry  time.Duration
	ReconcileAfter time.Duration
	LateSuccess    string        // refund, hold or accept
	Retention      time.Duration // 0: orders stay where they are for ever

	TrustedProxies []netip.Prefix
	CORSOrigins    []string
	TLSCert        string
	TLSKey         string
	Drain          time.Duration

	WebhookAllowPrivate bool
	Limits              Limits
	LogLevel            slog.Level

	OTLPURL   string  // no slash at the end; empty: no traces
	OTLPRatio float64 // share of the traces that are kept, 0 to 1
}

// Has reports whether this process runs role.
func (c Config) Has(role Role) bool {
	for _, r := range c.Roles {
		if r == role {
			return true
		}
	}
	return false
}
