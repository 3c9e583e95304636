package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tracker/notify/natsbus"
)

// The stages of an event's way from the change to the last client's socket. Each
// begins where the one before ended, so that they add up.
const (
	stageCommit = "commit" // the change was decided → the relay sends it: the transaction, the wake-up, the outbox read
	stageStore  = "store"  // → the stream has stored it
	stageCarry  = "carry"  // → the feed of this process has it
	stageHub    = "hub"    // → it is encoded and the first watcher's turn
	stageSocket = "socket" // → the last watcher's socket has it
)

// stages are all of them, in order.
func stages() []string {
	return []string{stageCommit, stageStore, stageCarry, stageHub, stageSocket}
}

// lags are the histograms of the stages, as this process sees them: every process
// with a feed sees every event, so one of them is enough to look at. Between
// machines a stage is as exact as their clocks agree; what would be negative is 0.
type lags struct {
	events  prometheus.Counter // all that came from the stream, watched or not
	seconds *prometheus.HistogramVec
}

func newLags(r prometheus.Registerer) *lags {
	l := &lags{prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tracker_feed_events_total", Help: "Events that this process read from the stream.",
	}), prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tracker_lag_seconds",
		Help: "How long events took, by stage: commit (change decided to sent to the stream), store (to stored there), carry (to received by the feed), " +
			"hub (to encoded, watched events only), socket (to the last watcher's socket, watched events only).",
		Buckets: prometheus.ExponentialBuckets(0.00005, 1.5, 32), // 50 µs to 14 s
	}, []string{"stage"})}
	r.MustRegister(l.events, l.seconds)
	for _, stage := range stages() {
		l.seconds.WithLabelValues(stage) // there from the start, at 0
	}
	return l
}

func (l *lags) observe(stage string, from, to time.Time) {
	l.seconds.WithLabelValues(stage).Observe(max(0, to.Sub(from)).Seconds())
}

// passed is told how an event came from the stream. One that was restored was
// never sent by a relay, and says nothing of its first stages.
func (l *lags) passed(p natsbus.Passage) {
	l.events.Inc()
	if !p.Sent.IsZero() {
		l.observe(stageCommit, p.Changed, p.Sent)
		l.observe(stageStore, p.Sent, p.Stored)
	}
	l.observe(stageCarry, p.Stored, p.Received)
}

// fannedOut is told how long the feed took with an event that is watched.
func (l *lags) fannedOut(came, first, last time.Time) {
	l.observe(stageHub, came, first)
	l.observe(stageSocket, first, last)
}
