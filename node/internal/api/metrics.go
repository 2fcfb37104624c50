package api

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the node says of itself at /metrics.
type metrics struct {
	registry *prometheus.Registry
	answers  *prometheus.CounterVec   // by route and status
	seconds  *prometheus.HistogramVec // by route
	refused  *prometheus.CounterVec   // submissions to the gateway, by code
}

// gcTime is the processor time of garbage collection and of the program's own
// code, by the runtime's estimate: their ratio says what allocations cost.
var gcTime = collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/(gc/total|user):cpu-seconds$`)}

func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_http_answers_total", Help: "Answers of the API, by route and HTTP status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cairn_http_seconds", Help: "Time from a request's header to the end of its answer, by route.",
			Buckets: []float64{.001, .005, .02, .1, .3, 1, 5, 30},
		}, []string{"route"}),
	}
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cairn_gateway_refused_total", Help: "Requests of events that the gateway did not take, by code.",
	}, []string{"code"})
	connections := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cairn_http_connections", Help: "Open connections to the API.",
	}, func() float64 { return float64(s.guard.count()) })
	evicted := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "cairn_http_connections_evicted_total", Help: "Connections that kept the node waiting and made room for others.",
	}, func() float64 { return float64(s.guard.evicted.Load()) })
	refused := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "cairn_http_connections_refused_total", Help: "Connections refused because all others were at work.",
	}, func() float64 { return float64(s.guard.refused.Load()) })
	for _, c := range []prometheus.Collector{
		m.answers, m.seconds, m.refused, connections, evicted, refused, gauges{s.backend},
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(gcTime)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := m.registry.Register(c); err != nil {
			return nil, fmt.Errorf("api: metrics: %w", err)
		}
	}
	return m, nil
}

// answered counts one answer.
func (m *metrics) answered(route string, status int, since time.Time) {
	m.answers.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(time.Since(since).Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// gauges shows the backend's figures to Prometheus.
type gauges struct{ backend Backend }

// Describe sends nothing: the figures are not known in advance.
func (gauges) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figures.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	for _, v := range g.backend.Gauges() {
		kind := prometheus.GaugeValue
		if v.Counter {
			kind = prometheus.CounterValue
		}
		var labels, values []string
		if v.Label != "" {
			labels, values = []string{v.Label}, []string{v.Of}
		}
		metric, err := prometheus.NewConstMetric(prometheus.NewDesc("cairn_"+v.Name, v.Help, labels, nil), kind, v.Value, values...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
		}
		out <- metric
	}
}
