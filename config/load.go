package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MinTokenSecret is the least length of a token secret, in characters: the
// block of HMAC-SHA-256's output, below which RFC 2104 section 3 warns.
const MinTokenSecret = 32

// What the providers' own code asks of their secrets, here so that a mistake is
// named by its variable, and beside all the others.
const (
	MinBankSecret   = 16 // bytes
	MinStripeSecret = 16 // characters behind whsec_
)

// What the stream and the outbox must keep at least, so that what they are for
// works: a process that hears events has an hour to come back before the stream
// forgets them, and a stream that lost its tail, which is looked for ten minutes
// back, finds it in the outbox.
const (
	MinStreamMaxAge    = time.Hour
	MinOutboxRetention = 10 * time.Minute
	MinStreamMaxBytes  = 64 << 20 // 2,000 orders; below it the stream is no use
)

// Load reads the environment through getenv. The error joins everything that is
// wrong, one line each, starting with the variable's name; it contains no
// secret. Secrets that the sandbox may generate are left empty.
func Load(getenv func(string) string) (Config, error) {
	r := reader{getenv: getenv, defaults: map[string]string{}}
	for _, v := range Variables() {
		r.defaults[v.Name] = v.Default
	}
	c := Config{
		Addr: r.addr("TRACKER_ADDR"), AdminAddr: r.addr("TRACKER_ADMIN_ADDR"),
		PublicURL: r.origin("TRACKER_PUBLIC_URL"), Roles: r.roles("TRACKER_ROLES"), DataDir: r.text("TRACKER_DATA_DIR"),
		DatabaseURL: r.postgres("TRACKER_DATABASE_URL"), NATSURL: r.servers("TRACKER_NATS_URL", "nats", "tls", "ws", "wss"),
		DatabaseListenURL: r.postgres("TRACKER_DATABASE_LISTEN_URL"),
		NATSCredentials:   r.text("TRACKER_NATS_CREDENTIALS"), NATSCA: r.text("TRACKER_NATS_CA"), NATSReplicas: r.count("TRACKER_NATS_REPLICAS"),
		NATSCert: r.text("TRACKER_NATS_CERT"), NATSKey: r.text("TRACKER_NATS_KEY"),
		StreamMaxAge: r.atLeast("TRACKER_STREAM_MAX_AGE", MinStreamMaxAge), StreamMaxBytes: r.bytes("TRACKER_STREAM_MAX_BYTES"),
		OutboxRetention: r.atLeast("TRACKER_OUTBOX_RETENTION", MinOutboxRetention),
		TokenSecrets:    r.secrets("TRACKER_TOKEN_SECRET"), Sandbox: r.flag("TRACKER_SANDBOX"), SandboxKey: Secret(r.text("TRACKER_SANDBOX_KEY")),
		BankAddr: r.addr("TRACKER_BANK_ADDR"), BankURL: r.url("TRACKER_BANK_URL"), BankSecrets: r.secrets("TRACKER_BANK_SECRET"),
		StripeKey: Secret(r.text("TRACKER_STRIPE_KEY")), StripeWebhookSecrets: r.secrets("TRACKER_STRIPE_WEBHOOK_SECRET"),
		PaymentExpiry: r.duration("TRACKER_PAYMENT_EXPIRY"), ReconcileAfter: r.duration("TRACKER_RECONCILE_AFTER"),
		LateSuccess: r.oneOf("TRACKER_LATE_SUCCESS", "refund", "hold", "accept"), TrustedProxies: r.networks("TRACKER_TRUSTED_PROXIES"),
		Retention: r.window("TRACKER_RETENTION"), OTLPURL: r.collector(), OTLPRatio: r.share("TRACKER_OTLP_RATIO"),
		CORSOrigins: r.origins("TRACKER_CORS_ORIGINS"), TLSCert: r.text("TRACKER_TLS_CERT"), TLSKey: r.text("TRACKER_TLS_KEY"),
		Drain: r.window("TRACKER_DRAIN"), WebhookAllowPrivate: r.flag("TRACKER_WEBHOOK_ALLOW_PRIVATE"),
		Limits: Limits{
			Reads: r.rate("TRACKER_LIMIT_READS"), Writes: r.rate("TRACKER_LIMIT_WRITES"), Connects: r.rate("TRACKER_LIMIT_CONNECTS"),
			Watchers: r.count("TRACKER_MAX_WATCHERS"), WatchersPerAddress: r.count("TRACKER_MAX_WATCHERS_PER_ADDRESS"),
			WatchersPerOrder: r.count("TRACKER_MAX_WATCHERS_PER_ORDER"),
		},
		LogLevel: r.level("TRACKER_LOG_LEVEL"),
	}
	r.checkTogether(c)
	return c, errors.Join(r.problems...)
}

// checkTogether finds what is wrong only in combination.
func (r *reader) checkTogether(c Config) {
	if !c.Sandbox && len(c.TokenSecrets) == 0 {
		r.wrong("TRACKER_TOKEN_SECRET", "must be set outside the sandbox; make one with: openssl rand -hex 32")
	}
	for _, s := range c.TokenSecrets {
		if len(s) < MinTokenSecret {
			r.wrong("TRACKER_TOKEN_SECRET", "must have %d characters or more", MinTokenSecret)
		}
	}
	if !c.Sandbox && c.BankURL != "" && len(c.BankSecrets) == 0 {
		r.wrong("TRACKER_BANK_SECRET", "must be set when TRACKER_BANK_URL is")
	}
	for _, s := range c.BankSecrets {
		if !bankSecret(s.Reveal()) {
			r.wrong("TRACKER_BANK_SECRET", "must be whsec_ and the base64 of %d bytes or more; make one with: echo whsec_$(openssl rand -base64 32)", MinBankSecret)
		}
	}
	if key, ok := strings.CutPrefix(c.SandboxKey.Reveal(), "sk_test_"); c.SandboxKey != "" && (!ok || key == "") {
		r.wrong("TRACKER_SANDBOX_KEY", "must be sk_test_ and something of your own behind it")
	}
	if key := c.StripeKey.Reveal(); key != "" && !stripeKey(key) {
		r.wrong("TRACKER_STRIPE_KEY", "must be a secret or restricted key of Stripe, which starts with sk_ or rk_")
	}
	for _, s := range c.StripeWebhookSecrets {
		if rest, ok := strings.CutPrefix(s.Reveal(), "whsec_"); !ok || len(rest) < MinStripeSecret {
			r.wrong("TRACKER_STRIPE_WEBHOOK_SECRET", "must be the signing secret of Stripe's endpoint: whsec_ and %d characters or more", MinStripeSecret)
		}
	}
	if c.StripeKey != "" && len(c.StripeWebhookSecrets) == 0 {
		r.wrong("TRACKER_STRIPE_WEBHOOK_SECRET", "must be set when TRACKER_STRIPE_KEY is")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		r.wrong("TRACKER_TLS_CERT", "and TRACKER_TLS_KEY go together")
	}
	if (c.NATSCert == "") != (c.NATSKey == "") {
		r.wrong("TRACKER_NATS_CERT", "and TRACKER_NATS_KEY go together")
	}
	if !slices.Contains([]int{1, 3, 5}, c.NATSReplicas) {
		r.wrong("TRACKER_NATS_REPLICAS", "must be 1, 3 or 5")
	}
	if c.DatabaseListenURL != "" && c.DatabaseURL == "" {
		r.wrong("TRACKER_DATABASE_LISTEN_URL", "needs TRACKER_DATABASE_URL: it is another way to the same PostgreSQL")
	}
	if c.NATSReplicas > 1 && c.NATSURL == "" {
		r.wrong("TRACKER_NATS_REPLICAS", "needs TRACKER_NATS_URL: the embedded server keeps one copy")
	}
}

// bankSecret reports whether s is a secret as Standard Webhooks has them.
func bankSecret(s string) bool {
	encoded, ok := strings.CutPrefix(s, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return ok && err == nil && len(key) >= MinBankSecret
}

// stripeKey reports whether s can be a key of Stripe's API. A publishable key
// (pk_) cannot take a payment.
func stripeKey(s string) bool {
	_, rest, _ := strings.Cut(s, "_")
	return (strings.HasPrefix(s, "sk_") || strings.HasPrefix(s, "rk_")) && rest != ""
}

type reader struct {
	getenv   func(string) string
	defaults map[string]string
	problems []error
}

// wrong records a problem. It never quotes the value: it may be a secret.
func (r *reader) wrong(name, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s "+format, append([]any{name}, args...)...))
}

func (r *reader) text(name string) string {
	if v := strings.TrimSpace(r.getenv(name)); v != "" {
		return v
	}
	return r.defaults[name]
}

func (r *reader) list(name string) []string {
	var list []string
	for part := range strings.SplitSeq(r.text(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func (r *reader) secrets(name string) []Secret {
	var list []Secret
	for _, s := range r.list(name) {
		list = append(list, Secret(s))
	}
	return list
}

func (r *reader) flag(name string) bool {
	v, err := strconv.ParseBool(r.text(name))
	if err != nil {
		r.wrong(name, "must be true or false")
	}
	return v
}

func (r *reader) addr(name string) string {
	v := r.text(name)
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		r.wrong(name, "must be host:port, such as 127.0.0.1:8080")
		return v
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		r.wrong(name, "must end with a port between 0 and 65535")
	}
	return v
}

func (r *reader) url(name string) string {
	v := strings.TrimRight(r.text(name), "/")
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		r.wrong(name, "must be an http or https address without query, fragment or user")
	}
	return v
}

// origin is where a site is, and no page of it: our paths begin at the root.
func (r *reader) origin(name string) string {
	before := len(r.problems)
	v := r.url(name)
	if len(r.problems) == before && strings.ContainsAny(v, "?#") || strings.Count(v, "/") > 2 {
		r.problems = r.problems[:before]
		r.wrong(name, "must be an http or https address without path, query, fragment or user, such as https://track.example")
	}
	return v
}

// collector is where traces go: our variable, or the one that OpenTelemetry's own
// tools share.
func (r *reader) collector() string {
	if v := r.url("TRACKER_OTLP_URL"); v != "" {
		return v
	}
	return r.url("OTEL_EXPORTER_OTLP_ENDPOINT")
}

// servers is an address or several, separated by commas.
func (r *reader) servers(name string, schemes ...string) Secret {
	v := r.text(name)
	if v == "" {
		return ""
	}
	for part := range strings.SplitSeq(v, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
			r.wrong(name, "must be an address that starts with %s://", strings.Join(schemes, ":// or "))
			break
		}
	}
	return Secret(v)
}

// postgres is one address of a database. Only its beginning is looked at: the rest,
// with several hosts or a password of any kind, is the driver's to read.
func (r *reader) postgres(name string) Secret {
	v := r.text(name)
	rest, short := strings.CutPrefix(v, "postgres://")
	long, ok := strings.CutPrefix(v, "postgresql://")
	if v != "" && (!short || rest == "") && (!ok || long == "") {
		r.wrong(name, "must be an address that starts with postgres:// or postgresql://")
	}
	return Secret(v)
}

func (r *reader) origins(name string) []string {
	list := r.list(name)
	for _, o := range list {
		u, err := url.Parse(o)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.TrimPrefix(o, u.Scheme+"://") != u.Host {
			r.wrong(name, "must list origins such as https://shop.example")
		}
	}
	return list
}

func (r *reader) networks(name string) []netip.Prefix {
	var list []netip.Prefix
	for _, part := range r.list(name) {
		if a, err := netip.ParseAddr(part); err == nil {
			list = append(list, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			r.wrong(name, "must list networks such as 10.0.0.0/8")
			continue
		}
		list = append(list, p)
	}
	return list
}

func (r *reader) roles(name string) []Role {
	known := []Role{RoleOrders, RolePayments, RoleNotify, RoleWeb}
	var list []Role
	for _, part := range r.list(name) {
		switch role := Role(part); {
		case !slices.Contains(known, role):
			r.wrong(name, "knows orders, payments, notify and web, not %q", part)
		case !slices.Contains(list, role):
			list = append(list, role)
		}
	}
	if len(list) == 0 && len(r.problems) == 0 {
		r.wrong(name, "must name at least one role")
	}
	return list
}

func (r *reader) oneOf(name string, allowed ...string) string {
	v := r.text(name)
	if !slices.Contains(allowed, v) {
		r.wrong(name, "must be one of %s", strings.Join(allowed, ", "))
	}
	return v
}

// duration is more than nothing; window may be nothing.
func (r *reader) duration(name string) time.Duration {
	d := r.window(name)
	if d == 0 {
		r.wrong(name, "must be more than 0, such as 90s or 250ms")
	}
	return d
}

func (r *reader) window(name string) time.Duration {
	d, err := time.ParseDuration(r.text(name))
	if err != nil || d < 0 {
		r.wrong(name, "must be a duration, such as 90s or 250ms")
		return time.Millisecond
	}
	return d
}

// atLeast is a duration that must not be shorter than least.
func (r *reader) atLeast(name string, least time.Duration) time.Duration {
	before := len(r.problems)
	d := r.window(name)
	if d < least && len(r.problems) == before {
		r.wrong(name, "must be %s or more", least)
	}
	return d
}

// bytes is 0 for no limit, else a size such as 512MiB, 50GiB or a plain number.
func (r *reader) bytes(name string) int64 {
	digits, unit := r.text(name), int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = rest, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil || n < 0 || n > math.MaxInt64/unit:
		r.wrong(name, "must be a number of bytes, such as 0, 512MiB or 50GiB")
	case n != 0 && n*unit < MinStreamMaxBytes:
		r.wrong(name, "must be %d MiB or more, or 0 for no limit", MinStreamMaxBytes>>20)
	}
	return n * unit
}

func (r *reader) rate(name string) float64 {
	v, err := strconv.ParseFloat(r.text(name), 64)
	if err != nil || !(v >= 0 && v <= 1e9) {
		r.wrong(name, "must be a number per second, 0 or more")
	}
	return v
}

func (r *reader) share(name string) float64 {
	v, err := strconv.ParseFloat(r.text(name), 64)
	if err != nil || !(v >= 0 && v <= 1) {
		r.wrong(name, "must be a number from 0 to 1")
	}
	return v
}

func (r *reader) count(name string) int {
	v, err := strconv.Atoi(r.text(name))
	if err != nil || v < 0 {
		r.wrong(name, "must be a whole number, 0 or more")
	}
	return v
}

func (r *reader) level(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(r.text(name))); err != nil || strings.ContainsAny(r.text(name), "+-") {
		r.wrong(name, "must be debug, info, warn or error")
	}
	return l
}
