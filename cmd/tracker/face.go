package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tracker/config"
	"tracker/web"
	"tracker/web/apikeys"
)

// face is the process's HTTP: the public listener, the admin listener and, in
// the sandbox, the bank's.
func (p *process) face(ctx context.Context, s *parts) error {
	p.register(s)
	if p.cfg.Sandbox {
		if err := p.openShop(ctx, s.keys); err != nil {
			return fmt.Errorf("TRACKER_SANDBOX_KEY: %w", err)
		}
	}
	site, err := p.site(s)
	if err != nil {
		return err
	}
	// Requests outlive the signal: it is the drain that ends them.
	base := context.WithoutCancel(ctx)
	p.servers = append(p.servers,
		server{name: "public", http: site.HTTPServer(base, p.cfg.Addr), on: p.public, tls: p.cfg.TLSCert != ""},
		server{name: adminName, http: p.adminServer(base, s), on: p.admin})
	if p.bank != nil {
		return p.openBank()
	}
	return nil
}

// site is what the public listener serves. The pages are plain users of the
// API; where this process does not mount all of it, they get one of their own,
// which works on the same database and stream.
func (p *process) site(s *parts) (*web.Server, error) {
	deps := web.Deps{
		PublicURL: p.cfg.PublicURL, Sandbox: p.cfg.Sandbox, Secrets: reveal(p.cfg.TokenSecrets),
		Keys: s.keys, Tokens: s.tokens, Once: s.once, Profiles: s.keys, Merchants: s.keys,
		Orders: s.orders, Payments: s.payments, Feeds: s.notifier, Webhooks: s.hooks,
		Pages: web.Pages{
			FormOrigins: s.payments.Origins(), LateSuccess: p.cfg.LateSuccess, DemoKey: p.cfg.SandboxKey.Reveal(), Counters: s.counters,
		},
		Limits:         web.Limits{Reads: p.cfg.Limits.Reads, Writes: p.cfg.Limits.Writes, Connects: p.cfg.Limits.Connects},
		TrustedProxies: p.cfg.TrustedProxies, CORSOrigins: p.cfg.CORSOrigins, Trace: p.trace.requests(), Logger: p.log, Now: p.now,
	}
	api := []string{web.RoleOrders, web.RolePayments, web.RoleNotify}
	for _, r := range p.cfg.Roles {
		deps.Roles = append(deps.Roles, string(r))
	}
	if missing := slices.ContainsFunc(api, func(r string) bool { return !slices.Contains(deps.Roles, r) }); missing && p.cfg.Has(config.RoleWeb) {
		inside := deps
		inside.Roles, inside.Limits = api, web.Limits{} // the outer server has charged the request
		whole, err := web.New(inside)
		if err != nil {
			return nil, err
		}
		deps.Pages.API = whole
	}
	deps.Registry = s.registry
	return web.New(deps)
}

// counters are the figures on top of the console.
func (s *parts) counters(ctx context.Context) (web.Counters, error) {
	c, err := s.payments.Counts(ctx)
	if err != nil {
		return web.Counters{}, err
	}
	watching := map[string]int64{}
	for _, w := range s.notifier.Stats().Watchers {
		watching[w.Transport] += w.Count
	}
	return web.Counters{Open: c.Open, Overdue: c.Overdue, Unknown: c.Unknown, Parked: c.Parked, Watching: watching}, nil
}

// adminServer answers operators.
func (p *process) adminServer(ctx context.Context, s *parts) *http.Server {
	needs, shown := readiness(p.cfg, map[string]func(context.Context) error{"database": p.db.Ping, "stream": p.bus.Healthy})
	return web.AdminHTTPServer(ctx, p.cfg.AdminAddr, web.NewAdmin(web.AdminDeps{
		Registry: s.registry, Logger: p.log, State: p.state, Ready: needs, Shown: shown,
	}), p.log)
}

// readiness parts the checks in those without which this process is no use, and
// those that it can do without. Database and stream are shared by all processes:
// whoever answers without one of them must not be taken out for its sake, or an
// outage of one part would be one of the whole. Orders and payments need the
// database, and what they write waits there for the stream; feeds and pages need
// the stream, which holds all that they show.
func readiness(cfg config.Config, checks map[string]func(context.Context) error) (needs, shown map[string]func(context.Context) error) {
	needed := map[string]bool{
		"database": cfg.Has(config.RoleOrders) || cfg.Has(config.RolePayments),
		"stream":   cfg.Has(config.RoleNotify) || cfg.Has(config.RoleWeb),
	}
	needs, shown = map[string]func(context.Context) error{}, map[string]func(context.Context) error{}
	for name, check := range checks {
		if needed[name] {
			needs[name] = check
		} else {
			shown[name] = check
		}
	}
	return needs, shown
}

// state is what the process says of itself.
func (p *process) state() string {
	switch {
	case p.ready.Load():
		return web.StateReady
	case p.ending.Load():
		return web.StateDraining
	}
	return web.StateStarting
}

// openShop makes the demo merchant and shows shoppers the way back to its shop,
// which is where the pages are. An address that is there stays if it is somebody's
// choice: not one of this machine, where the pages may have been the last time.
func (p *process) openShop(ctx context.Context, keys *apikeys.Service) error {
	key, err := keys.Adopt(ctx, p.cfg.SandboxKey.Reveal(), demoShop)
	if err != nil || !p.cfg.Has(config.RoleWeb) {
		return err
	}
	m, err := keys.Merchant(ctx, key.Merchant)
	if err != nil || m.ShopURL != "" && !strings.HasPrefix(m.ShopURL, "http://127.0.0.1:") {
		return err
	}
	home := p.cfg.PublicURL + "/"
	_, err = keys.ChangeSettings(ctx, key.Merchant, apikeys.Settings{ShopURL: &home})
	return err
}

// demoShop is the name of the sandbox's merchant.
const demoShop = "Kiln & Clay"
