package main

import (
	"context"
	"fmt"

	"tracker/web"
)

// face is the process's HTTP: the public listener, the admin listener and, in
// the sandbox, the bank's.
func (p *process) face(ctx context.Context, s *parts) error {
	p.register(s)
	if p.cfg.Sandbox {
		if _, err := s.keys.Adopt(ctx, p.cfg.SandboxKey.Reveal(), demoShop); err != nil {
			return fmt.Errorf("TRACKER_SANDBOX_KEY: %w", err)
		}
	}
	roles := make([]string, len(p.cfg.Roles))
	for i, r := range p.cfg.Roles {
		roles[i] = string(r)
	}
	site, err := web.New(web.Deps{
		Roles: roles, PublicURL: p.cfg.PublicURL, Sandbox: p.cfg.Sandbox, Secrets: reveal(p.cfg.TokenSecrets),
		Keys: s.keys, Tokens: s.tokens, Once: s.once, Profiles: s.keys, Merchants: s.keys,
		Orders: s.orders, Payments: s.payments, Feeds: s.notifier, Webhooks: s.hooks,
		Limits:         web.Limits{Reads: p.cfg.Limits.Reads, Writes: p.cfg.Limits.Writes, Connects: p.cfg.Limits.Connects},
		TrustedProxies: p.cfg.TrustedProxies, CORSOrigins: p.cfg.CORSOrigins,
		Registry: s.registry, Logger: p.log, Now: p.now,
	})
	if err != nil {
		return err
	}
	// Requests outlive the signal: it is the drain that ends them.
	base := context.WithoutCancel(ctx)
	p.servers = append(p.servers,
		server{name: "public", http: site.HTTPServer(base, p.cfg.Addr), on: p.public, tls: p.cfg.TLSCert != ""},
		server{name: "admin", http: p.adminServer(base, s), on: p.admin})
	if p.bank != nil {
		return p.openBank()
	}
	return nil
}

// demoShop is the name of the sandbox's merchant.
const demoShop = "Kiln & Clay"
