package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// gauges reads the parts' own counters at each scrape. The parts know nothing of
// Prometheus; what each figure means is said here, in its help text.
type gauges struct {
	p *process
	s *parts

	watchers, ended, refused, delivered, polls, unchanged, coldReads, feeds, cache *prometheus.Desc
	outboxDepth, outboxAge, outboxLeading                                          *prometheus.Desc
	payments, forged                                                               *prometheus.Desc
	backlog, backlogAge, endpoints                                                 *prometheus.Desc
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tracker_"+name, help, labels, nil)
}

// register offers all figures of this process.
func (p *process) register(s *parts) {
	s.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&gauges{
			p: p, s: s,
			watchers:      describe("watchers", "Clients that wait now, by transport and by the path that serves them.", "transport", "path"),
			ended:         describe("watchers_ended_total", "Watches that ended, by reason.", "reason"),
			refused:       describe("watchers_refused_total", "Watches refused by a limit.", "limit"),
			delivered:     describe("feed_deliveries_total", "Events handed to a client's transport."),
			polls:         describe("feed_polls_total", "Short polls and status requests answered."),
			unchanged:     describe("feed_polls_unchanged_total", "Short polls and status requests answered with 304."),
			coldReads:     describe("feed_cold_reads_total", "Feeds that were not in memory and were read from the stream."),
			feeds:         describe("feed_resources", "Orders and payments whose newest event is in memory."),
			cache:         describe("feed_cache_bytes", "Estimate of the memory that the newest events of orders and payments take."),
			outboxDepth:   describe("outbox_depth", "Committed events that are not yet in the stream."),
			outboxAge:     describe("outbox_oldest_seconds", "Age of the oldest event that is not yet in the stream; 0 without one."),
			outboxLeading: describe("outbox_leading", "1 in the process that brings the outbox to the stream, 0 in those that stand by."),
			payments:      describe("payments", "Payments by condition: open, overdue (must be 0), unknown, review, budget_used; and callbacks: parked, of unknown_types.", "condition"),
			forged:        describe("payment_callbacks_forged_total", "Callbacks refused because their signature, time or header was wrong."),
			backlog:       describe("webhook_backlog", "Webhook deliveries that are not yet acknowledged."),
			backlogAge:    describe("webhook_oldest_seconds", "Age of the oldest webhook delivery that is not yet acknowledged, at an endpoint that is enabled."),
			endpoints:     describe("webhook_endpoints", "Webhook endpoints by condition: enabled, failing, disabled.", "condition"),
		})
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, ch) }

// scrapeTimeout bounds the questions to the database. A figure that cannot be
// had in time is left out, which shows as a gap and not as a zero.
const scrapeTimeout = 2 * time.Second

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	n := g.s.notifier.Stats()
	for _, w := range n.Watchers {
		gauge(g.watchers, float64(w.Count), w.Transport, w.Path)
	}
	for reason, count := range n.Ended {
		counter(g.ended, count, reason)
	}
	for limit, count := range n.Refused {
		counter(g.refused, count, limit)
	}
	counter(g.delivered, n.Delivered)
	counter(g.polls, n.Polls)
	counter(g.unchanged, n.Unchanged)
	counter(g.coldReads, n.ColdReads)
	gauge(g.feeds, float64(n.Feeds))
	gauge(g.cache, float64(n.CacheBytes))
	if o, err := g.s.relay.Stats(ctx); err == nil {
		gauge(g.outboxDepth, float64(o.Depth))
		gauge(g.outboxAge, o.Oldest.Seconds())
		gauge(g.outboxLeading, oneIf(o.Leading))
	}
	if c, err := g.s.payments.Counts(ctx); err == nil {
		gauge(g.payments, float64(c.Open), "open")
		gauge(g.payments, float64(c.Overdue), "overdue")
		gauge(g.payments, float64(c.Unknown), "unknown")
		gauge(g.payments, float64(c.Review), "review")
		gauge(g.payments, float64(c.Parked), "parked")
		gauge(g.payments, float64(c.BudgetUsed), "budget_used")
		gauge(g.payments, float64(c.UnknownTypes), "unknown_types")
		counter(g.forged, c.Forged)
	}
	if c, err := g.s.hooks.Counts(ctx); err == nil {
		gauge(g.backlog, float64(c.Pending))
		if !c.OldestPending.IsZero() {
			gauge(g.backlogAge, max(0, g.p.now().Sub(c.OldestPending).Seconds()))
		}
		gauge(g.endpoints, float64(c.Enabled), "enabled")
		gauge(g.endpoints, float64(c.Failing), "failing")
		gauge(g.endpoints, float64(c.Disabled), "disabled")
	}
}

// What the stream can have lost, as it stands in the label "lost".
const (
	lostTail = "tail"   // what its servers had not written down when they fell
	lostAll  = "stream" // everything: it was deleted, or is another one
)

// newRestored counts what had to be put back into the stream.
func newRestored(r prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tracker_stream_restored_total",
		Help: "What the stream had lost and was put back from the database: the events of its tail, or the orders and payments of a whole stream.",
	}, []string{"lost"})
	r.MustRegister(c)
	for _, what := range []string{lostTail, lostAll} {
		c.WithLabelValues(what) // there from the start, at 0
	}
	return c
}

// newDisabled counts the webhook endpoints that we disabled: their owners may not
// look for days, and nobody else would know.
func newDisabled(r prometheus.Registerer) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tracker_webhook_endpoints_disabled_total",
		Help: "Webhook endpoints that were disabled by this process, after days of failure or because they answered 410.",
	})
	r.MustRegister(c)
	return c
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
