package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	limited  *prometheus.CounterVec
	replayed prometheus.Counter
}

// newMetrics registers the edge's own figures. Labels are routes, never paths:
// an id in a label would make a time series per order.
func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tracker_http_requests_total", Help: "Answers by route, method and status."}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tracker_http_request_seconds", Help: "Time to answer, without feeds.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tracker_http_in_flight", Help: "Requests being answered, feeds included."}),
		limited:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tracker_http_rate_limited_total", Help: "Requests refused by a budget."}, []string{"budget"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{Name: "tracker_http_idempotent_replays_total", Help: "Stored answers sent again."}),
	}
	for _, b := range []budget{reads, writes, connects} {
		m.limited.WithLabelValues(string(b)) // there from the start, at 0
	}
	r.MustRegister(m.requests, m.seconds, m.inFlight, m.limited, m.replayed)
	return m
}

func (m *metrics) observe(c echo.Context, took time.Duration) {
	route := c.Path()
	if route == "" {
		route = "unmatched"
	}
	method := knownMethod(c.Request().Method)
	m.requests.WithLabelValues(route, method, strconv.Itoa(c.Response().Status)).Inc()
	if !factsOf(c).stream {
		m.seconds.WithLabelValues(route, method).Observe(took.Seconds())
	}
}

// knownMethod keeps a label and a log line from carrying whatever a client invents.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "OTHER"
}
