package main

import (
	"reflect"
	"strings"

	"tracker/config"
)

// settings are the flags of the same name as the TRACKER_ variables. A flag
// that is given beats the variable. Their help and defaults come from
// [config.Variables], so that nothing is said twice.
type settings struct {
	Addr                  string `placeholder:"HOST:PORT" help:"${addr_help}"`
	AdminAddr             string `placeholder:"HOST:PORT" help:"${admin_addr_help}"`
	PublicURL             string `name:"public-url" placeholder:"URL" help:"${public_url_help}"`
	Roles                 string `placeholder:"ROLE,…" help:"${roles_help}"`
	DataDir               string `placeholder:"DIR" help:"${data_dir_help}"`
	DatabaseURL           string `name:"database-url" placeholder:"URL" help:"${database_url_help}"`
	DatabaseListenURL     string `name:"database-listen-url" placeholder:"URL" help:"${database_listen_url_help}"`
	NATSURL               string `name:"nats-url" placeholder:"URL" help:"${nats_url_help}"`
	NATSCredentials       string `name:"nats-credentials" placeholder:"FILE" help:"${nats_credentials_help}"`
	NATSCA                string `name:"nats-ca" placeholder:"FILE" help:"${nats_ca_help}"`
	NATSCert              string `name:"nats-cert" placeholder:"FILE" help:"${nats_cert_help}"`
	NATSKey               string `name:"nats-key" placeholder:"FILE" help:"${nats_key_help}"`
	NATSReplicas          string `name:"nats-replicas" placeholder:"N" help:"${nats_replicas_help}"`
	StreamMaxAge          string `placeholder:"DURATION" help:"${stream_max_age_help}"`
	StreamMaxBytes        string `placeholder:"BYTES" help:"${stream_max_bytes_help}"`
	OutboxRetention       string `placeholder:"DURATION" help:"${outbox_retention_help}"`
	TokenSecret           string `placeholder:"SECRET" help:"${token_secret_help}"`
	Sandbox               string `placeholder:"BOOL" help:"${sandbox_help}"`
	SandboxKey            string `placeholder:"KEY" help:"${sandbox_key_help}"`
	BankAddr              string `placeholder:"HOST:PORT" help:"${bank_addr_help}"`
	BankURL               string `name:"bank-url" placeholder:"URL" help:"${bank_url_help}"`
	BankSecret            string `placeholder:"SECRET" help:"${bank_secret_help}"`
	StripeKey             string `placeholder:"KEY" help:"${stripe_key_help}"`
	StripeWebhookSecret   string `placeholder:"SECRET" help:"${stripe_webhook_secret_help}"`
	PaymentExpiry         string `placeholder:"DURATION" help:"${payment_expiry_help}"`
	ReconcileAfter        string `placeholder:"DURATION" help:"${reconcile_after_help}"`
	LateSuccess           string `placeholder:"POLICY" help:"${late_success_help}"`
	Retention             string `placeholder:"DURATION" help:"${retention_help}"`
	TrustedProxies        string `placeholder:"NETWORK,…" help:"${trusted_proxies_help}"`
	CORSOrigins           string `name:"cors-origins" placeholder:"ORIGIN,…" help:"${cors_origins_help}"`
	TLSCert               string `name:"tls-cert" placeholder:"FILE" help:"${tls_cert_help}"`
	TLSKey                string `name:"tls-key" placeholder:"FILE" help:"${tls_key_help}"`
	Drain                 string `placeholder:"DURATION" help:"${drain_help}"`
	WebhookAllowPrivate   string `placeholder:"BOOL" help:"${webhook_allow_private_help}"`
	LimitReads            string `placeholder:"N" help:"${limit_reads_help}"`
	LimitWrites           string `placeholder:"N" help:"${limit_writes_help}"`
	LimitConnects         string `placeholder:"N" help:"${limit_connects_help}"`
	MaxWatchers           string `placeholder:"N" help:"${max_watchers_help}"`
	MaxWatchersPerAddress string `placeholder:"N" help:"${max_watchers_per_address_help}"`
	MaxWatchersPerOrder   string `placeholder:"N" help:"${max_watchers_per_order_help}"`
	LogLevel              string `placeholder:"LEVEL" help:"${log_level_help}"`
	OTLPURL               string `name:"otlp-url" placeholder:"URL" help:"${otlp_url_help}"`
	OTLPRatio             string `name:"otlp-ratio" placeholder:"SHARE" help:"${otlp_ratio_help}"`
}

// load checks the flags and the environment together.
func (s settings) load(getenv func(string) string) (config.Config, error) {
	given := s.given()
	return config.Load(func(name string) string {
		if value := given[name]; value != "" {
			return value
		}
		return getenv(name)
	})
}

// given maps the variable of each flag to its value.
func (s settings) given() map[string]string {
	values := map[string]string{}
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := field.Tag.Get("name")
		if name == "" {
			name = dashed(field.Name)
		}
		values["TRACKER_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = v.Field(i).String()
	}
	return values
}

// dashed turns AdminAddr into admin-addr, as the command line does.
func dashed(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
