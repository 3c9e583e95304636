package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tracker/config"
	"tracker/config/dbconn/dbtest"
	"tracker/web/apikeys"
	"tracker/web/apikeys/apikeysdb"
)

func TestCheckSettings_ways_to_start_that_work(t *testing.T) {
	t.Parallel()
	const database, stream = "postgres://db/tracker", "nats://nats"
	all := []config.Role{config.RoleOrders, config.RolePayments, config.RoleNotify, config.RoleWeb}
	secrets := []config.Secret{config.Secret(strings.Repeat("s", config.MinTokenSecret))}
	for name, cfg := range map[string]config.Config{
		"make run":                      {Sandbox: true, Roles: all, Addr: "127.0.0.1:8080"},
		"the sandbox in a container":    {Sandbox: true, Roles: all, Addr: "0.0.0.0:8080"},
		"the sandbox on PostgreSQL":     {Sandbox: true, Roles: all, Addr: "127.0.0.1:8080", DatabaseURL: database, NATSURL: stream},
		"a part of the sandbox":         {Sandbox: true, Roles: all[3:], DatabaseURL: database, NATSURL: stream, TokenSecrets: secrets, SandboxKey: "sk_test_01234567", BankSecrets: secrets, BankURL: "http://bank"},
		"all with Stripe":               {Roles: all, StripeKey: "sk_live_1", Addr: "127.0.0.1:8080"},
		"all with Stripe, in the open":  {Roles: all, StripeKey: "sk_live_1", Addr: "0.0.0.0:8080", PublicURL: "https://track.example"},
		"all with a bank outside":       {Roles: all, BankURL: "http://bank"},
		"orders and notify need nobody": {Roles: []config.Role{config.RoleOrders, config.RoleNotify}, DatabaseURL: database, NATSURL: stream},
	} {
		if got := append(doubts(cfg), checkSettings(cfg)); len(got) != 1 || got[0] != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, c := range map[string]struct {
		cfg  config.Config
		want string
	}{
		"payments without a bank":    {config.Config{Roles: all[1:2], DatabaseURL: database, NATSURL: stream}, "TRACKER_STRIPE_KEY "},
		"pages without a bank":       {config.Config{Roles: all[3:], DatabaseURL: database, NATSURL: stream}, "TRACKER_STRIPE_KEY "},
		"a secret that nobody knows": {config.Config{Sandbox: true, Roles: all[:1], DatabaseURL: database, NATSURL: stream, SandboxKey: "sk_test_1"}, "TRACKER_TOKEN_SECRET, TRACKER_BANK_SECRET "},
		"links to everywhere":        {config.Config{Roles: all[:1], DatabaseURL: database, NATSURL: stream, Addr: "0.0.0.0:8080"}, "TRACKER_PUBLIC_URL "},
	} {
		if got := doubts(c.cfg); len(got) != 1 || !strings.HasPrefix(got[0].Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
		if err := checkSettings(c.cfg); err != nil {
			t.Errorf("%s does not start: %v", name, err)
		}
	}
}

func TestListen_on_every_address_makes_links_that_lead_somewhere(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"0.0.0.0", "[::]", "", "127.0.0.1"} {
		p := &process{cfg: config.Config{Sandbox: true, Roles: []config.Role{config.RolePayments}, Addr: host + ":0", AdminAddr: "127.0.0.1:0", BankAddr: host + ":0"}}
		if err := p.listen(); err != nil {
			t.Fatal(err)
		}
		for link, d := range map[string]*door{p.cfg.PublicURL: p.public, p.cfg.BankURL: p.bank} {
			_, port, err := net.SplitHostPort(d.Addr().String())
			if err != nil || link != "http://127.0.0.1:"+port {
				t.Errorf("%q: %s, %v", host, link, err)
			}
		}
		p.close()
	}
}

func TestOpenShop_says_where_the_pages_are_once(t *testing.T) {
	t.Parallel()
	db := dbtest.Open(t, dbtest.SQLite(t))
	if err := db.Migrate(t.Context(), migrations(db.Dialect())...); err != nil {
		t.Fatal(err)
	}
	keys, err := apikeys.NewService(apikeysdb.New(db), apikeys.Options{Secrets: []string{strings.Repeat("s", config.MinTokenSecret)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []struct {
		role      config.Role
		url, want string
	}{
		{config.RoleOrders, "http://orders", ""}, {config.RoleWeb, "http://shop", "http://shop/"}, {config.RoleOrders, "http://orders", "http://shop/"}, {config.RoleWeb, "http://other", "http://shop/"},
	} {
		p := &process{cfg: config.Config{Roles: []config.Role{start.role}, PublicURL: start.url, SandboxKey: "sk_test_01234567"}}
		if err := p.openShop(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		key, err := keys.Verify(t.Context(), "sk_test_01234567")
		if err != nil {
			t.Fatal(err)
		}
		m, err := keys.Merchant(t.Context(), key.Merchant)
		if err != nil || m.ShopURL != start.want {
			t.Errorf("after %s at %s the shop is at %q, want %q, %v", start.role, start.url, m.ShopURL, start.want, err)
		}
	}
}

// Who mistypes the data directory, or a variable, learns it before an empty
// database is worked on.
func TestMaintenance_makes_no_database_that_nobody_meant(t *testing.T) {
	t.Parallel()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	run := func(args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "TRACKER_DATA_DIR="+data, "TRACKER_DATABSE_URL=postgres://x", "TRACKER_TOKEN_SECRET="+strings.Repeat("token", 8))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("rebuild")
	if err == nil || !strings.Contains(out, "TRACKER_DATA_DIR holds no database") {
		t.Errorf("rebuild: %v %s", err, out)
	}
	if !strings.Contains(out, "TRACKER_DATABSE_URL") {
		t.Errorf("rebuild says nothing of a variable that is none: %s", out)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("rebuild made the directory")
	}
	for _, args := range [][]string{{"merchants", "create", "Kiln"}, {"migrate"}, {"rebuild"}} {
		if out, err := run(args...); err != nil || !strings.Contains(out, "TRACKER_DATABSE_URL") {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
}
