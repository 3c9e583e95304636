package config

import "strings"

// Variable describes one setting. The flag of the same name is the part behind
// TRACKER_ in lower case with dashes.
type Variable struct {
	Name    string
	Default string
	Help    string
	Secret  bool
}

// Variables lists every setting in the order in which help shows them.
func Variables() []Variable {
	return []Variable{
		{Name: "TRACKER_ADDR", Default: "127.0.0.1:8080", Help: "Address of the public listener."},
		{Name: "TRACKER_ADMIN_ADDR", Default: "127.0.0.1:8081", Help: "Address of the admin listener: /metrics, /livez, /readyz, pprof."},
		{Name: "TRACKER_PUBLIC_URL", Help: "Where shoppers reach the public listener, such as https://track.example. Empty: the listener's own address."},
		{Name: "TRACKER_ROLES", Default: "orders,payments,notify,web", Help: "Which parts this process runs, separated by commas."},
		{Name: "TRACKER_DATA_DIR", Default: "./data", Help: "Where the embedded database and stream, and generated secrets, are kept."},
		{Name: "TRACKER_DATABASE_URL", Help: "postgres://… for PostgreSQL. Empty: SQLite in the data directory.", Secret: true},
		{Name: "TRACKER_DATABASE_LISTEN_URL", Help: "A direct address of the same PostgreSQL, for LISTEN, where TRACKER_DATABASE_URL leads through PgBouncer.", Secret: true},
		{Name: "TRACKER_NATS_URL", Help: "nats://… of a JetStream server or cluster. Empty: embedded.", Secret: true},
		{Name: "TRACKER_NATS_CREDENTIALS", Help: "File with NATS user credentials."},
		{Name: "TRACKER_NATS_CA", Help: "File with the certificate authority of the NATS servers."},
		{Name: "TRACKER_NATS_CERT", Help: "Certificate file that this process shows to NATS servers that ask for one."},
		{Name: "TRACKER_NATS_KEY", Help: "Key file of that certificate."},
		{Name: "TRACKER_NATS_REPLICAS", Default: "1", Help: "Copies of the stream in a cluster: 1, 3 or 5."},
		{Name: "TRACKER_STREAM_MAX_AGE", Default: "720h", Help: "How long the stream keeps an event, 1h or more. Older feeds are asked of the database; what reacts to events (orders, payments, webhooks) has that long to come back. The firehose reaches as far back."},
		{Name: "TRACKER_STREAM_MAX_BYTES", Default: "0", Help: "How much one copy of the stream may hold, such as 50GiB, 64MiB or more; the oldest events go first. 0 means no limit."},
		{Name: "TRACKER_OUTBOX_RETENTION", Default: "24h", Help: "How long an event that is in the stream stays in the outbox, 10m or more: what a stream that lost its tail is repaired from."},
		{Name: "TRACKER_TOKEN_SECRET", Help: "Signs tracking tokens and keys the hashes of API keys: 32 characters or more. Several, separated by commas: the first signs, all verify. A new one: first behind the old one in every process, then before it; then keep the old one until every key was used, and for the 90 days that tracking tokens live.", Secret: true},
		{Name: "TRACKER_SANDBOX", Default: "false", Help: "Run the demo shop, the sandbox bank and the lab, and generate missing secrets."},
		{Name: "TRACKER_SANDBOX_KEY", Help: "The demo merchant's key (sk_test_…). Empty: generated, kept in the data directory and printed.", Secret: true},
		{Name: "TRACKER_BANK_ADDR", Default: "127.0.0.1:8090", Help: "Address of the sandbox bank's listener."},
		{Name: "TRACKER_BANK_URL", Help: "Where the sandbox bank is. Empty in the sandbox: this process runs one at TRACKER_BANK_ADDR."},
		{Name: "TRACKER_BANK_SECRET", Help: "Shared with the sandbox bank, whsec_… Several, separated by commas: all verify.", Secret: true},
		{Name: "TRACKER_STRIPE_KEY", Help: "Secret key of a Stripe account. Empty: no Stripe.", Secret: true},
		{Name: "TRACKER_STRIPE_WEBHOOK_SECRET", Help: "Signing secret of the Stripe webhook endpoint; several, separated by commas.", Secret: true},
		{Name: "TRACKER_PAYMENT_EXPIRY", Default: "30m", Help: "How long a shopper has to approve a payment."},
		{Name: "TRACKER_RECONCILE_AFTER", Default: "90s", Help: "When a payment that the bank has not called about is checked first."},
		{Name: "TRACKER_LATE_SUCCESS", Default: "refund", Help: "What happens to a payment that succeeds after its order was closed: refund, hold or accept."},
		{Name: "TRACKER_RETENTION", Default: "0", Help: "How long an order that has ended, and its parcels, stay in the tables that lists and counts read. Older ones are found by id and reference. 0 means for ever."},
		{Name: "TRACKER_TRUSTED_PROXIES", Help: "Networks, separated by commas, whose X-Forwarded-For and traceparent are believed."},
		{Name: "TRACKER_CORS_ORIGINS", Help: "Origins, separated by commas, whose pages may use the feeds and the client."},
		{Name: "TRACKER_TLS_CERT", Help: "Certificate file of the public listener. Empty: plain HTTP."},
		{Name: "TRACKER_TLS_KEY", Help: "Key file of the public listener."},
		{Name: "TRACKER_DRAIN", Default: "3s", Help: "How long open streams are spread over when the process ends."},
		{Name: "TRACKER_WEBHOOK_ALLOW_PRIVATE", Default: "false", Help: "Let webhooks reach private and loopback addresses, and http."},
		{Name: "TRACKER_LIMIT_READS", Default: "500", Help: "Reads per second and principal; 0 means no limit."},
		{Name: "TRACKER_LIMIT_WRITES", Default: "200", Help: "Writes per second and principal; 0 means no limit."},
		{Name: "TRACKER_LIMIT_CONNECTS", Default: "200", Help: "New watchers per second and principal; 0 means no limit."},
		{Name: "TRACKER_MAX_WATCHERS", Default: "100000", Help: "Watchers in this process; 0 means no limit."},
		{Name: "TRACKER_MAX_WATCHERS_PER_ADDRESS", Default: "10000", Help: "Watchers from one address; 0 means no limit."},
		{Name: "TRACKER_MAX_WATCHERS_PER_ORDER", Default: "1000", Help: "Watchers of one order or payment; 0 means no limit."},
		{Name: "TRACKER_LOG_LEVEL", Default: "info", Help: "debug, info, warn or error."},
		{Name: "TRACKER_OTLP_URL", Help: "An OpenTelemetry collector for traces, by OTLP over HTTP, such as http://127.0.0.1:4318. Empty: OTEL_EXPORTER_OTLP_ENDPOINT, and without that no traces."},
		{Name: "TRACKER_OTLP_RATIO", Default: "1", Help: "Share of the traces that are kept, from 0 to 1."},
	}
}

// Unknown lists the names in environ, as os.Environ has it, that look like settings
// and are none: a misspelt one would otherwise do nothing, and nobody would know.
// What Kubernetes sets for a service called tracker, and what the command line
// reads, is left out.
func Unknown(environ []string) []string {
	known := map[string]bool{"TRACKER_URL": true, "TRACKER_KEY": true}
	for _, v := range Variables() {
		known[v.Name] = true
	}
	var unknown []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "TRACKER_") && !known[name] && !serviceLink(name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// serviceLink reports whether Kubernetes names the address of a service so.
func serviceLink(name string) bool {
	return strings.Contains(name, "_SERVICE_") || strings.Contains(name+"_", "_PORT_")
}
