package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tracker/config"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestLoad_empty_environment_of_the_sandbox_is_enough(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env(map[string]string{"TRACKER_SANDBOX": "true"}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != "127.0.0.1:8080" || c.BankAddr != "127.0.0.1:8090" || c.ReconcileAfter != 90*time.Second || !c.Has(config.RoleNotify) {
		t.Errorf("defaults are off: %+v", c)
	}
}

func TestLoad_reports_every_problem_at_once_and_by_name(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{
		"TRACKER_ADDR": "nowhere", "TRACKER_ADMIN_ADDR": "1.2.3.4:99999", "TRACKER_PUBLIC_URL": "ftp://x", "TRACKER_ROLES": "orders,cook",
		"TRACKER_DATABASE_URL": "mysql://u:hunter2@h/d", "TRACKER_DATABASE_LISTEN_URL": "hunter2", "TRACKER_NATS_URL": "http://u:hunter2@h", "TRACKER_NATS_REPLICAS": "2",
		"TRACKER_TOKEN_SECRET": "hunter2", "TRACKER_SANDBOX": "perhaps", "TRACKER_SANDBOX_KEY": "hunter2", "TRACKER_BANK_URL": "//bank",
		"TRACKER_BANK_SECRET": "hunter2", "TRACKER_STRIPE_KEY": "hunter2", "TRACKER_PAYMENT_EXPIRY": "0s", "TRACKER_RECONCILE_AFTER": "soon",
		"TRACKER_LATE_SUCCESS": "keep", "TRACKER_TRUSTED_PROXIES": "everyone", "TRACKER_CORS_ORIGINS": "https://a.example/path", "TRACKER_TLS_CERT": "c.pem",
		"TRACKER_DRAIN": "-1s", "TRACKER_WEBHOOK_ALLOW_PRIVATE": "2", "TRACKER_LIMIT_READS": "-1", "TRACKER_LIMIT_WRITES": "NaN", "TRACKER_LIMIT_CONNECTS": "x",
		"TRACKER_MAX_WATCHERS": "-1", "TRACKER_MAX_WATCHERS_PER_ADDRESS": "1.5", "TRACKER_MAX_WATCHERS_PER_ORDER": "many",
		"TRACKER_BANK_ADDR": "8090", "TRACKER_LOG_LEVEL": "loud",
		"TRACKER_NATS_CERT": "c.pem", "TRACKER_RETENTION": "90d", "TRACKER_OTLP_URL": "collector:4318", "TRACKER_OTLP_RATIO": "1.1",
		"TRACKER_STREAM_MAX_AGE": "59m", "TRACKER_STREAM_MAX_BYTES": "50GB", "TRACKER_OUTBOX_RETENTION": "9m59s",
	}
	_, err := config.Load(env(wrong))
	if err == nil {
		t.Fatal("nothing was found wrong")
	}
	named := map[string]bool{}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name, _, _ := strings.Cut(line, " ")
		named[name] = true
	}
	for name := range wrong {
		if !named[name] {
			t.Errorf("%s is wrong and not named in:\n%v", name, err)
		}
	}
	if !named["TRACKER_STRIPE_WEBHOOK_SECRET"] {
		t.Error("a Stripe key without a webhook secret is not reported")
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows a secret: %v", err)
	}
}

func TestLoad_values_that_only_others_would_refuse(t *testing.T) {
	t.Parallel()
	const stripe = "whsec_0123456789abcdef"
	for _, tc := range []struct {
		name         string
		wrong, right []string
	}{
		{"TRACKER_PUBLIC_URL", []string{"https://a.example/shop", "https://a.example/#top", "https://a.example#", "https://a.example?", "https://a.example/?a=b", "https://u@a.example"}, []string{"https://a.example", "https://a.example/", "http://[::1]:8080"}},
		{"TRACKER_BANK_URL", []string{"http://bank/#top"}, []string{"http://bank/sandbox"}},
		{"TRACKER_BANK_SECRET", []string{"whsec_", "whsec_!", "whsec_c2hvcnQ=", "whsec_YmFua2JhbmtiYW5rYmFua2Jhbms=,whsec_", "YmFua2JhbmtiYW5rYmFua2Jhbms="}, []string{"whsec_YmFua2JhbmtiYW5rYmFua2Jhbms="}},
		{"TRACKER_STRIPE_WEBHOOK_SECRET", []string{"whsec_short", "whsec_", "0123456789abcdef0123", stripe + ",short"}, []string{stripe, stripe + "," + stripe}},
		{"TRACKER_STRIPE_KEY", []string{"nonsense", "pk_live_123", "sk_", "whsec_123"}, []string{"sk_live_123", "rk_live_123"}},
		{"TRACKER_SANDBOX_KEY", []string{"sk_test_", "hunter2", "sk_live_0123456789"}, []string{"sk_test_01234567"}},
		{"TRACKER_CORS_ORIGINS", []string{"ftp://x", "https://a.example,null"}, []string{"https://a.example,http://b.example:8080"}},
		{"TRACKER_LOG_LEVEL", []string{"debug+3", "info-1", "4"}, []string{"debug", "WARN"}},
		{"TRACKER_DATABASE_URL", []string{"mysql://h/d", "h/d", "postgres://", "host=h"}, []string{"postgres://h1,h2/name", "postgres://h1:1,h2:2/name", "postgresql://u:a,b@h/name", "postgres:///name?host=/run"}},
	} {
		settings := map[string]string{"TRACKER_SANDBOX": "1", "TRACKER_STRIPE_KEY": "sk_live_123", "TRACKER_STRIPE_WEBHOOK_SECRET": stripe}
		for _, value := range tc.wrong {
			settings[tc.name] = value
			if _, err := config.Load(env(settings)); err == nil || !strings.HasPrefix(err.Error(), tc.name+" must ") || strings.Count(err.Error(), "\n") != 0 {
				t.Errorf("%s=%s: %v", tc.name, value, err)
			}
		}
		for _, value := range tc.right {
			settings[tc.name] = value
			if _, err := config.Load(env(settings)); err != nil {
				t.Errorf("%s=%s: %v", tc.name, value, err)
			}
		}
	}
}

func TestLoad_outside_the_sandbox_wants_a_token_secret(t *testing.T) {
	t.Parallel()
	_, err := config.Load(env(nil))
	if err == nil || !strings.HasPrefix(err.Error(), "TRACKER_TOKEN_SECRET ") {
		t.Errorf("got %v", err)
	}
}

func TestLoad_durations_work_down_to_milliseconds(t *testing.T) {
	t.Parallel()
	c, err := config.Load(env(map[string]string{"TRACKER_SANDBOX": "1", "TRACKER_PAYMENT_EXPIRY": "300ms", "TRACKER_RECONCILE_AFTER": "1ms", "TRACKER_DRAIN": "0s"}))
	if err != nil || c.PaymentExpiry != 300*time.Millisecond || c.ReconcileAfter != time.Millisecond || c.Drain != 0 {
		t.Errorf("got %v, %+v", err, c)
	}
}

func TestLoad_traces_go_where_OpenTelemetry_says_unless_we_do(t *testing.T) {
	t.Parallel()
	shared := map[string]string{"TRACKER_SANDBOX": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://shared:4318/"}
	if c, err := config.Load(env(shared)); err != nil || c.OTLPURL != "http://shared:4318" || c.OTLPRatio != 1 {
		t.Errorf("%v: %q, %v", err, c.OTLPURL, c.OTLPRatio)
	}
	shared["TRACKER_OTLP_URL"] = "http://ours:4318"
	if c, err := config.Load(env(shared)); err != nil || c.OTLPURL != "http://ours:4318" {
		t.Errorf("%v: %q", err, c.OTLPURL)
	}
	shared["TRACKER_OTLP_URL"], shared["OTEL_EXPORTER_OTLP_ENDPOINT"] = "", "collector"
	if _, err := config.Load(env(shared)); err == nil || !strings.HasPrefix(err.Error(), "OTEL_EXPORTER_OTLP_ENDPOINT ") {
		t.Errorf("got %v", err)
	}
}

func TestLoad_what_stream_and_outbox_keep(t *testing.T) {
	t.Parallel()
	load := func(name, value string) (config.Config, error) {
		return config.Load(env(map[string]string{"TRACKER_SANDBOX": "1", name: value}))
	}
	c, err := load("", "")
	if err != nil || c.StreamMaxAge != 720*time.Hour || c.StreamMaxBytes != 0 || c.OutboxRetention != 24*time.Hour {
		t.Errorf("%v: %v, %d, %v", err, c.StreamMaxAge, c.StreamMaxBytes, c.OutboxRetention)
	}
	for value, want := range map[string]int64{"0": 0, "67108864": 64 << 20, "64MiB": 64 << 20, "65536KiB": 64 << 20, "50GiB": 50 << 30, "8388607TiB": 8388607 << 40} {
		if c, err := load("TRACKER_STREAM_MAX_BYTES", value); err != nil || c.StreamMaxBytes != want {
			t.Errorf("%s: %d, %v", value, c.StreamMaxBytes, err)
		}
	}
	for name, list := range map[string][]string{
		"TRACKER_STREAM_MAX_BYTES": {"-1", "50GB", "GiB", "1.5GiB", "8388608TiB", "9999999999999999999", "63MiB", "1"},
		"TRACKER_STREAM_MAX_AGE":   {"0", "59m59s", "30d", "-1h", "1ms"},
		"TRACKER_OUTBOX_RETENTION": {"0", "9m", "forever", "1ms"},
	} {
		for _, value := range list {
			_, err := load(name, value)
			if err == nil || strings.Count(err.Error(), "TRACKER_") != 1 || !strings.HasPrefix(err.Error(), name+" must be ") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}

func TestSecret_prints_nowhere(t *testing.T) {
	t.Parallel()
	c := config.Config{StripeKey: "hunter2", TokenSecrets: []config.Secret{"hunter2"}}
	text, _ := json.Marshal(c)
	for _, shown := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c), string(text)} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("secret in %s", shown)
		}
	}
}

func TestVariables_names_are_unique_and_explained(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range config.Variables() {
		if seen[v.Name] || v.Help == "" || !strings.HasPrefix(v.Name, "TRACKER_") {
			t.Errorf("%+v", v)
		}
		seen[v.Name] = true
	}
}
