package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Limits and time-outs of every connection, so that a slow or hostile client
// costs little and delays nobody.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	maxWait           = 30 * time.Second
	retryAfterSeconds = 1
)

// Config of a Server.
type Config struct {
	MaxConnections int // served at once; more wait in the backlog. 0 means 4,096
	MaxSubmissions int // decoded and queued at once; more are answered BUSY. 0 means 256
	Log            *slog.Logger
}

// Server is the HTTP face of a node.
type Server struct {
	backend Backend
	config  Config
	http    *http.Server
	submits chan struct{} // one token for each submission under way
}

// New makes a server over a backend.
func New(backend Backend, c Config) (*Server, error) {
	if c.MaxConnections == 0 {
		c.MaxConnections = 4096
	}
	if c.MaxSubmissions == 0 {
		c.MaxSubmissions = 256
	}
	s := &Server{backend: backend, config: c, submits: make(chan struct{}, c.MaxSubmissions)}
	handler, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Handler is the server's handler, for tests.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers on a listener until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(l, s.config.MaxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops taking requests and waits for those under way until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	for pattern, handle := range map[string]handler{
		"POST /v1/transactions":                       s.submit,
		"GET /v1/transactions/{id}":                   s.status,
		"GET /v1/head":                                s.head,
		"GET /v1/genesis":                             s.genesis,
		"GET /v1/entries/{index}":                     s.entry,
		"GET /v1/events":                              s.findEvent,
		"GET /v1/events/{index}":                      s.event,
		"GET /v1/receipts/{index}":                    s.receipt,
		"GET /v1/state":                               s.state,
		"GET /v1/streams/{producer}/{name}":           s.stream,
		"GET /v1/streams/{producer}/{name}/entries":   s.streamEntries,
		"GET /v1/contracts":                           s.contracts,
		"GET /v1/contracts/{contract}":                s.contract,
		"GET /v1/contracts/{contract}/query/{method}": s.query,
		"GET /v1/contracts/{contract}/dead-letters":   s.deadLetters,
		"GET /livez":                                  s.live,
		"GET /healthz":                                s.live,
		"GET /readyz":                                 s.ready,
		"GET /version":                                s.version,
	} {
		mux.Handle(pattern, s.answer(handle))
	}
	metrics, err := s.metrics()
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /metrics", metrics)
	mux.Handle("/", s.answer(func(r *http.Request) (any, error) {
		return nil, protocol.Refuse(protocol.CodeNotFound, "%s %s is not a path of this API; docs/api.md lists them", r.Method, r.URL.Path)
	}))
	return mux, nil
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
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("cairn_"+v.Name, v.Help, nil, nil), kind, v.Value)
	}
}

func (s *Server) metrics() (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{gauges{s.backend}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("api: metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}

// uintParam reads a path or query parameter; absent, it is the fallback.
func uintParam(name, text string, fallback, limit uint64) (uint64, error) {
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > limit {
		return 0, protocol.Refuse(protocol.CodeBadRequest, "%s: %q must be a whole number of at most %d", name, clip(text), limit)
	}
	return n, nil
}

func clip(s string) string { return s[:min(len(s), 80)] }

// waitParam reads ?wait=5s.
func waitParam(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, protocol.Refuse(protocol.CodeBadRequest, "wait: %q must be a duration of at most %s, such as 5s", clip(text), maxWait)
	}
	return wait, nil
}
