package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tracker/config"
	"tracker/config/dbconn"
	"tracker/notify"
	"tracker/notify/eventwire"
	"tracker/notify/natsbus"
	"tracker/notify/txoutbox"
	"tracker/notify/webhooks"
	"tracker/notify/webhooks/webhooksdb"
	"tracker/orders"
	"tracker/orders/ordersdb"
	"tracker/payments"
	"tracker/payments/paymentsdb"
	"tracker/payments/sandboxbank"
	"tracker/payments/stripepay"
	"tracker/web/apikeys"
	"tracker/web/apikeys/apikeysdb"
	"tracker/web/idempotency"
	"tracker/web/idempotency/idempotencydb"
	"tracker/web/tracktoken"
)

// migrations are the schemas of all stores, in the order in which they are made.
func migrations(dialect string) []dbconn.MigrationSet {
	return []dbconn.MigrationSet{
		{Name: txoutbox.Name, FS: txoutbox.Migrations(dialect)},
		{Name: ordersdb.Name, FS: ordersdb.Migrations(dialect)},
		{Name: paymentsdb.Name, FS: paymentsdb.Migrations(dialect)},
		{Name: apikeysdb.Name, FS: apikeysdb.Migrations(dialect)},
		{Name: idempotencydb.Name, FS: idempotencydb.Migrations(dialect)},
		{Name: webhooksdb.Name, FS: webhooksdb.Migrations(dialect)},
	}
}

// parts are the services of this process.
type parts struct {
	orders   *orders.Service
	payments *payments.Service
	notifier *notify.Notifier
	hooks    *webhooks.Service
	keys     *apikeys.Service
	tokens   *tracktoken.Signer
	once     *idempotency.Service
	relay    *txoutbox.Relay
	registry *prometheus.Registry
	lags     *lags
	restored *prometheus.CounterVec
}

// wire builds the parts, says who hears whom, and what runs.
func (p *process) wire(ctx context.Context) error {
	s, err := p.build(ctx)
	if err != nil {
		return err
	}
	if err := p.connect(ctx, s); err != nil {
		return err
	}
	if err := p.restore(ctx, s, p.bus.WasEmpty()); err != nil {
		return err
	}
	return p.face(ctx, s)
}

func (p *process) build(ctx context.Context) (*parts, error) {
	s := &parts{registry: prometheus.NewRegistry()}
	s.lags, s.restored = newLags(s.registry), newRestored(s.registry)
	s.orders = orders.NewService(ordersdb.New(p.db), orders.Options{Now: p.now, Logger: p.log})
	providers, err := p.providers()
	if err != nil {
		return nil, err
	}
	s.payments = payments.NewService(paymentsdb.New(p.db), providers, orderBook{p.bus}, payments.Options{
		Now: p.now, Logger: p.log, Provider: p.defaultProvider(),
		Policy: payments.Policy{Expiry: p.cfg.PaymentExpiry, After: p.cfg.ReconcileAfter, Late: payments.LatePolicy(p.cfg.LateSuccess)},
	})
	p.wake = s.payments.Wake
	s.notifier = notify.New(notify.Options{
		Log: feedLog{p.bus}, Now: p.now, Logger: p.log, DrainWindow: p.cfg.Drain, Origins: p.cfg.CORSOrigins,
		MaxWatchers: p.cfg.Limits.Watchers, MaxPerFeed: p.cfg.Limits.WatchersPerOrder, MaxPerAddress: p.cfg.Limits.WatchersPerAddress,
		Delivered: p.trace.deliveries(), FannedOut: s.lags.fannedOut,
	})
	p.drain = s.notifier.Drain
	disabled := newDisabled(s.registry)
	s.hooks = webhooks.NewService(webhooksdb.New(p.db), webhooks.Options{
		Now: p.now, Logger: p.log, AllowPrivate: p.cfg.WebhookAllowPrivate, Sending: p.trace.attempts(),
		Announce: func(webhooks.Endpoint) { disabled.Inc() }, // the log says which
	})
	s.keys, err = apikeys.NewService(apikeysdb.New(p.db), apikeys.Options{
		Secrets: reveal(p.cfg.TokenSecrets), Now: p.now, Logger: p.log, Revoked: s.notifier.CloseKey,
	})
	if err != nil {
		return nil, err
	}
	s.tokens, err = tracktoken.New(reveal(p.cfg.TokenSecrets), tracktoken.Options{Now: p.now})
	if err != nil {
		return nil, err
	}
	s.once = idempotency.NewService(idempotencydb.New(p.db), idempotency.Options{Now: p.now, Logger: p.log})
	s.relay = txoutbox.NewRelay(p.db, p.trace.publisher(publisher{p.bus}), p.db.Commits(), txoutbox.RelayOptions{Logger: p.log, Now: p.now, Retention: p.cfg.OutboxRetention})
	return s, nil
}

// connect lets the parts of this process's roles hear each other and the stream.
func (p *process) connect(ctx context.Context, s *parts) error {
	p.runs("relay", s.relay.Run)
	p.runs("idempotency", func(ctx context.Context) error { return s.once.RunSweeper(ctx, sweepInterval) })
	if p.cfg.Has(config.RoleOrders) {
		p.runs("orders hear payments", func(ctx context.Context) error {
			return p.bus.React(ctx, "orders", eventwire.Payments, p.trace.reactor("orders", s.orders.OnPayment))
		})
		p.runs("sweeper", s.orders.RunSweeper)
		if p.cfg.Retention > 0 {
			p.runs("retention", func(ctx context.Context) error {
				return s.orders.RunRetention(ctx, ordersdb.New(p.db), p.cfg.Retention)
			})
		}
		if err := p.answers(ctx, eventwire.AskSubject(eventwire.Orders), answerNewest(s.orders.Newest, orders.ErrNotFound)); err != nil {
			return err
		}
		if err := p.answers(ctx, askPayable, answerPayable(s.orders)); err != nil {
			return err
		}
	}
	if p.cfg.Has(config.RolePayments) {
		p.runs("payments hear orders", func(ctx context.Context) error {
			return p.bus.React(ctx, "payments", eventwire.Orders, p.trace.reactor("payments", s.payments.OnOrder), payments.OrderTypes()...)
		})
		p.runs("reconciler", s.payments.RunReconciler)
		if err := p.answers(ctx, eventwire.AskSubject(eventwire.Payments), answerNewest(s.payments.Newest, payments.ErrNotFound)); err != nil {
			return err
		}
	}
	if p.cfg.Has(config.RoleNotify) || p.cfg.Has(config.RoleWeb) {
		p.runs("notifier", s.notifier.Run)
		p.runs("feed", func(ctx context.Context) error { return p.follow(ctx, s) })
	}
	if p.cfg.Has(config.RoleNotify) {
		p.runs("webhooks hear orders", func(ctx context.Context) error {
			return p.bus.React(ctx, "webhooks-orders", eventwire.Orders, p.trace.reactor("webhooks-orders", s.hooks.OnEvent))
		})
		p.runs("webhooks hear payments", func(ctx context.Context) error {
			return p.bus.React(ctx, "webhooks-payments", eventwire.Payments, p.trace.reactor("webhooks-payments", s.hooks.OnEvent))
		})
		p.runs("webhooks", s.hooks.Run)
	}
	p.runs("key use", s.keys.RunUse)
	p.runs("key revocations", func(ctx context.Context) error { return s.keys.RunRevocations(ctx, revocationInterval) })
	return nil
}

// follow hands the stream to the feed. What was read before the follower stood
// may be stale, and after a gap the stream itself may have lost something: then
// it is made whole first, and the feed reads again what it holds.
func (p *process) follow(ctx context.Context, s *parts) error {
	life := p.bus.Incarnation()
	return p.bus.Follow(ctx, natsbus.Follower{
		Wants: s.notifier.Awaits, Event: s.notifier.Publish, Passed: s.lags.passed,
		Ready: func() { p.untilDone(ctx, "the start", s.notifier.Resync) },
		Gap: func(reason string) {
			p.untilDone(ctx, reason, func(ctx context.Context) error {
				now := p.bus.Incarnation()
				if err := p.restore(ctx, s, now != life); err != nil {
					return err
				}
				life = now
				return s.notifier.Resync(ctx)
			})
		},
	})
}

// untilDone tries again until fn succeeds or ctx ends.
func (p *process) untilDone(ctx context.Context, after string, fn func(context.Context) error) {
	for ctx.Err() == nil {
		err := fn(ctx)
		if err == nil {
			return
		}
		p.log.WarnContext(ctx, "the feed is not whole; trying again", "after", after, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// sweepInterval is how often stored answers that have expired are deleted.
const sweepInterval = 10 * time.Minute

// revocationInterval is how soon a key that was revoked in another process
// loses its open streams here.
const revocationInterval = 2 * time.Second

func (p *process) answers(ctx context.Context, subject string, fn func(context.Context, []byte) ([]byte, error)) error {
	stop, err := p.bus.Serve(ctx, subject, fn)
	if err != nil {
		return fmt.Errorf("answer on %s: %w", subject, err)
	}
	p.onClose(stop)
	return nil
}

// restore makes the stream whole again from the database: all of it when it is
// new, else what it lost behind its last sync.
func (p *process) restore(ctx context.Context, s *parts, isNew bool) error {
	if isNew {
		n, err := rebuild(ctx, p.bus, s.orders, s.payments)
		s.restored.WithLabelValues(lostAll).Add(float64(n))
		if err != nil || n == 0 {
			return err
		}
		p.log.Info("the stream was rebuilt from the database", "resources", n)
		return nil
	}
	n, err := txoutbox.Repair(ctx, p.db, p.lastSequence, p.now().Add(-repairWindow))
	s.restored.WithLabelValues(lostTail).Add(float64(n))
	if n > 0 {
		p.log.Info("the stream had lost its tail", "events", n)
	}
	return err
}

// repairWindow reaches well behind the stream's sync interval of ten seconds, and
// the outbox keeps at least that.
const repairWindow = config.MinOutboxRetention

func (p *process) lastSequence(ctx context.Context, key eventwire.Key) (int64, error) {
	e, found, err := p.bus.Last(ctx, key)
	if err != nil || !found {
		return 0, err
	}
	return e.Seq, nil
}

// providers are the banks that payments can go to.
func (p *process) providers() (map[string]payments.Provider, error) {
	list := map[string]payments.Provider{}
	if p.cfg.BankURL != "" {
		bank, err := sandboxbank.NewProvider(sandboxbank.ProviderOptions{
			BaseURL: p.cfg.BankURL, Secrets: reveal(p.cfg.BankSecrets), Shop: "Kiln & Clay",
			CallbackURL: p.callbackBase() + "/v1/callbacks/" + sandboxbank.ProviderName, Transport: p.trace.transport(),
		})
		if err != nil {
			return nil, fmt.Errorf("TRACKER_BANK_URL: %w", err)
		}
		list[sandboxbank.ProviderName] = bank
	}
	if p.cfg.StripeKey != "" {
		stripe, err := stripepay.New(stripepay.Options{Key: p.cfg.StripeKey.Reveal(), Secrets: reveal(p.cfg.StripeWebhookSecrets), Now: p.now, Transport: p.trace.transport()})
		if err != nil {
			return nil, fmt.Errorf("TRACKER_STRIPE_KEY: %w", err)
		}
		list[stripepay.ProviderName] = stripe
	}
	return list, nil
}

// callbackBase is where the bank reaches us: the bank in this process by the
// listener itself, which also works where the public address is a proxy's.
func (p *process) callbackBase() string {
	if p.bank != nil && p.cfg.TLSCert == "" {
		return "http://" + p.public.Addr().String()
	}
	return p.cfg.PublicURL
}

// defaultProvider is the real one, where there is one.
func (p *process) defaultProvider() string {
	if p.cfg.StripeKey != "" {
		return stripepay.ProviderName
	}
	return sandboxbank.ProviderName
}

// openBank is the other house: it shares nothing with us but a secret.
func (p *process) openBank() error {
	bank, err := newBank(p.cfg, "", p.log, p.now)
	if err != nil {
		return err
	}
	p.onClose(func() { p.report("close the bank", bank.Close()) })
	p.runs("bank", bank.Run)
	p.servers = append(p.servers, server{name: "bank", http: bankServer(bank), on: p.bank})
	return nil
}

func reveal(list []config.Secret) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.Reveal()
	}
	return out
}
