package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"tracker/config"
)

// checkSettings finds what config cannot know by itself and a process that serves
// must have, so that a mistake is found before anybody is let in, and by the name
// of its variable.
func checkSettings(cfg config.Config) error {
	return errors.Join(checkReach(cfg), checkRoles(cfg), checkPair("TRACKER_TLS", cfg.TLSCert, cfg.TLSKey))
}

// doubts are settings that somebody may mean and that mostly disappoint: the
// process starts with them, and says so.
func doubts(cfg config.Config) (list []error) {
	for _, err := range []error{checkShared(cfg), checkProvider(cfg), checkAddress(cfg)} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}

// checkReach tries what database and stream are reached by, as every command that
// uses them must.
func checkReach(cfg config.Config) error {
	var wrong []error
	if strings.Count(cfg.DatabaseURL.Reveal(), "://") > 1 {
		wrong = append(wrong, errors.New("TRACKER_DATABASE_URL names more than one database: give one address, several hosts of it as postgres://host1,host2/name"))
	}
	wrong = append(wrong, checkPair("TRACKER_NATS", cfg.NATSCert, cfg.NATSKey))
	if cfg.NATSCA != "" {
		switch text, err := os.ReadFile(cfg.NATSCA); {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("TRACKER_NATS_CA cannot be read: %w", err))
		case !x509.NewCertPool().AppendCertsFromPEM(text):
			wrong = append(wrong, fmt.Errorf("TRACKER_NATS_CA: %s holds no certificate", cfg.NATSCA))
		}
	}
	if cfg.NATSCredentials != "" {
		if _, err := os.ReadFile(cfg.NATSCredentials); err != nil {
			wrong = append(wrong, fmt.Errorf("TRACKER_NATS_CREDENTIALS cannot be read: %w", err))
		}
	}
	return errors.Join(wrong...)
}

// checkPair tries a certificate and its key.
func checkPair(prefix, cert, key string) error {
	if cert == "" || key == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return fmt.Errorf("%s_CERT and %s_KEY cannot be used: %w", prefix, prefix, err)
	}
	return nil
}

// checkRoles refuses a part of the product that no other process can complete:
// what is inside this process is nobody else's. Only the pages can be left out.
func checkRoles(cfg config.Config) error {
	var outside, missing []string
	if cfg.DatabaseURL == "" {
		outside = append(outside, "TRACKER_DATABASE_URL")
	}
	if cfg.NATSURL == "" {
		outside = append(outside, "TRACKER_NATS_URL")
	}
	for _, role := range []config.Role{config.RoleOrders, config.RolePayments, config.RoleNotify} {
		if !cfg.Has(role) {
			missing = append(missing, string(role))
		}
	}
	if len(outside) == 0 || len(missing) == 0 || len(cfg.Roles) == 0 {
		return nil
	}
	return fmt.Errorf("TRACKER_ROLES leaves out %s, which another process cannot run beside an embedded database or stream: set %s, or give this process these roles too",
		strings.Join(missing, " and "), strings.Join(outside, " and "))
}

// checkShared doubts secrets that every process makes for itself: each answers, and
// none knows what the others have signed.
func checkShared(cfg config.Config) error {
	whole := cfg.Has(config.RoleOrders) && cfg.Has(config.RolePayments) && cfg.Has(config.RoleNotify) && cfg.Has(config.RoleWeb)
	if !cfg.Sandbox || whole || cfg.DatabaseURL == "" || cfg.NATSURL == "" {
		return nil
	}
	var unset []string
	if len(cfg.TokenSecrets) == 0 {
		unset = append(unset, "TRACKER_TOKEN_SECRET")
	}
	if cfg.SandboxKey == "" {
		unset = append(unset, "TRACKER_SANDBOX_KEY")
	}
	if len(cfg.BankSecrets) == 0 {
		unset = append(unset, "TRACKER_BANK_SECRET")
	}
	if len(unset) == 0 {
		return nil
	}
	return fmt.Errorf("%s should be set, and be the same in every process, where a process runs only some roles: what one has signed is nothing to the others", strings.Join(unset, ", "))
}

// checkProvider doubts pages with a button to pay, and payments, that lead to no
// bank. The pages take payments by themselves, so they need one as well.
func checkProvider(cfg config.Config) error {
	pays := cfg.Has(config.RolePayments) || cfg.Has(config.RoleWeb)
	own := cfg.Sandbox && cfg.Has(config.RolePayments)
	if !pays || own || cfg.StripeKey != "" || cfg.BankURL != "" {
		return nil
	}
	return errors.New("TRACKER_STRIPE_KEY and TRACKER_STRIPE_WEBHOOK_SECRET should be set where payments or web run: no payment can begin; to try it out, TRACKER_BANK_URL and TRACKER_BANK_SECRET of a tracker bank, or TRACKER_SANDBOX=true with all roles")
}

// checkAddress wants to know where shoppers come in when the listener's own
// address does not say it.
func checkAddress(cfg config.Config) error {
	if host, _, err := net.SplitHostPort(cfg.Addr); cfg.Sandbox || cfg.PublicURL != "" || err != nil || !everywhere(host) {
		return nil
	}
	return errors.New("TRACKER_PUBLIC_URL should be set where TRACKER_ADDR is every address of the machine: links lead to this machine only")
}

// everywhere reports whether host stands for every address of the machine.
func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// linkTo is where the listener at addr is found from this machine.
func linkTo(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err == nil && everywhere(host) {
		return scheme + "://" + net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + "://" + addr.String()
}

// claimData takes the data directory and what is kept in it.
func (p *process) claimData() error {
	if err := p.lock(); err != nil {
		return err
	}
	return completeSecrets(&p.cfg)
}

// lock takes the data directory, once, where database or stream are in it.
func (p *process) lock() error {
	if p.locked || (p.cfg.DatabaseURL != "" && p.cfg.NATSURL != "") {
		return nil
	}
	unlock, err := lockDataDir(p.cfg.DataDir)
	if err != nil {
		return err
	}
	p.locked = true
	p.onClose(unlock)
	return nil
}

// explainBus names the variable that is to be changed. That is the address, but
// for what concerns only who we are or whom we trust.
func explainBus(cfg config.Config, err error) error {
	var unknown x509.UnknownAuthorityError
	var invalid *tls.CertificateVerificationError
	switch text := err.Error(); {
	case cfg.NATSURL == "":
		return fmt.Errorf("TRACKER_DATA_DIR: %w", err)
	case strings.Contains(text, "remote error: tls"), strings.Contains(text, "closed by remote after TLS handshake"): // or, over TLS 1.3, it just hangs up
		return fmt.Errorf("TRACKER_NATS_CERT and TRACKER_NATS_KEY are not what the server at TRACKER_NATS_URL asks for: %w", err)
	case strings.Contains(text, "nkey"), strings.Contains(text, "JWT"):
		return fmt.Errorf("TRACKER_NATS_CREDENTIALS: %w", err)
	case errors.As(err, &unknown), errors.As(err, &invalid):
		return fmt.Errorf("TRACKER_NATS_CA does not vouch for the server at TRACKER_NATS_URL: %w", err)
	case strings.Contains(text, "no responders"): // what a server says without JetStream, and nothing more
		return fmt.Errorf("TRACKER_NATS_URL: JetStream is not enabled there: %w", err)
	}
	return fmt.Errorf("TRACKER_NATS_URL: %w", err)
}
