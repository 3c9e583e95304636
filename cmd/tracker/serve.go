package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"tracker/config"
)

// serveCommand runs the tracker until it is told to end.
type serveCommand struct {
	settings
}

// Help is the longer help of the command.
func (serveCommand) Help() string {
	return `Every flag can also be given as the variable TRACKER_ and its name, such as
TRACKER_ADDR. Without any, a process runs all roles with its own database and
broker inside; then only TRACKER_TOKEN_SECRET is needed, to take payments
TRACKER_STRIPE_KEY and TRACKER_STRIPE_WEBHOOK_SECRET, and in the sandbox
(TRACKER_SANDBOX=true) nothing at all.

Ctrl-C or SIGTERM lets open streams go over TRACKER_DRAIN and ends.`
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, out *console) error {
	cfg, err := c.load(out.getenv)
	log := newLogger(out.stderr, cfg.LogLevel)
	if err != nil {
		return survey(ctx, cfg, log, err)
	}
	warnOfUnknown(ctx, log)
	p, err := start(ctx, cfg, log, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprint(out.stdout, p.banner())
	return p.wait(ctx)
}

// warnOfUnknown names the variables that look like settings and are none.
func warnOfUnknown(ctx context.Context, log *slog.Logger) {
	if unknown := config.Unknown(os.Environ()); len(unknown) > 0 {
		log.WarnContext(ctx, "these variables are no settings and do nothing; tracker serve --help lists those there are", "variables", unknown)
	}
}

// banner says what to do next.
func (p *process) banner() string {
	var b strings.Builder
	if !p.cfg.Sandbox {
		fmt.Fprintf(&b, "Tracker runs %s at %s\n", rolesOf(p.cfg), p.cfg.PublicURL)
		return b.String()
	}
	line := func(name, value, note string) { fmt.Fprintf(&b, "  %-9s %-36s %s\n", name, value, note) }
	b.WriteString("\nTracker is running in the sandbox. No real money, nothing is shipped.\n\n")
	if p.cfg.Has(config.RoleWeb) {
		line("Shop", p.cfg.PublicURL+"/", "place an order, pay at the bank, watch it live")
		line("Console", p.cfg.PublicURL+"/console", "log in with the key below")
		line("Lab", p.cfg.PublicURL+"/lab", "one change, four ways to hear about it")
		line("Docs", p.cfg.PublicURL+"/docs", "")
	}
	line("Admin", linkTo("http", p.admin.Addr())+"/metrics", "")
	fmt.Fprintf(&b, "\n  Demo merchant's key   %s\n\n  Ctrl-C ends it. The data stays in %s.\n\n", p.cfg.SandboxKey.Reveal(), p.cfg.DataDir)
	return b.String()
}

func rolesOf(cfg config.Config) string {
	names := make([]string, len(cfg.Roles))
	for i, r := range cfg.Roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
