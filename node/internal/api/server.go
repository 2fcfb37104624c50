package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/access"
	"github.com/cairn-ledger/cairn/node/internal/subscription"
)

// Limits and time-outs of every connection, so that a slow or hostile client
// costs little and delays nobody.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second // header and body
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	maxWait           = 30 * time.Second // of ?wait=
	maxHeightWait     = 5 * time.Second  // for a height the client has heard of
	writeTimeout      = readTimeout + maxWait + maxHeightWait + 25*time.Second
	retryAfterSeconds = 1
	bodyBudget        = 128 << 20 // bytes of large requests held at once
	answerBudget      = 128 << 20 // bytes of large answers held at once
)

// Config of a Server.
type Config struct {
	MaxConnections int // open at once. 0 means 4,096
	MaxSubmissions int // decoded and queued at once; more are answered BUSY. 0 means 256
	Log            *slog.Logger
	// Gateway submits events on behalf of others. Nil refuses them.
	Gateway Gateway
	// Callers says who those are. It is required with Gateway and Subscriptions.
	Callers Callers
	// TLS is what connections are secured by. Nil means plain HTTP.
	TLS *tls.Config
	// Events is the log that is followed; nil where none is.
	Events subscription.Log
	// Subscriptions keeps those of consumers, on Events. Nil keeps none.
	Subscriptions *subscription.Manager
}

// Server is the HTTP face of a node.
type Server struct {
	backend Backend
	config  Config
	http    *http.Server
	guard   *guard
	metrics *metrics
	submits chan struct{} // one token for each submission under way
	lives   chan struct{} // one token for each answer that goes on
	renders chan struct{} // one token for each of them that renders events
	lanes   map[lane]*turns
	bodies  budget
	answers budget
	rates   access.Rates
	drain   context.CancelFunc // ends what waits inside requests
}

// New makes a server over a backend.
func New(backend Backend, c Config) (*Server, error) {
	if c.MaxConnections == 0 {
		c.MaxConnections = 4096
	}
	if c.MaxSubmissions == 0 {
		c.MaxSubmissions = 256
	}
	s := &Server{
		backend: backend, config: c, guard: newGuard(c.MaxConnections), submits: make(chan struct{}, c.MaxSubmissions), lives: make(chan struct{}, maxLive), renders: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		lanes:  map[lane]*turns{pages: newTurns(max(1, runtime.GOMAXPROCS(0)/2)), proofs: newTurns(maxProofs)},
		bodies: budget{max: bodyBudget}, answers: budget{max: answerBudget},
	}
	var err error
	if s.metrics, err = newMetrics(s); err != nil {
		return nil, err
	}
	base, drain := context.WithCancel(context.Background())
	s.drain = drain
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return base }, ConnContext: withConn,
		TLSConfig: c.TLS, Protocols: new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true) // alone: the guard counts connections, and one of HTTP/2 is many
	return s, nil
}

// Handler is the server's handler, for tests.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers on a listener until Shutdown. It is called once.
func (s *Server) Serve(l net.Listener) error {
	s.guard.Listener, s.guard.secured = l, s.config.TLS != nil
	serve := s.http.Serve
	if s.guard.secured {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	err := serve(s.guard)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops taking requests, answers those that wait with what is known
// now, and lets those under way end. When ctx ends first it closes their
// connections.
func (s *Server) Shutdown(ctx context.Context) error {
	s.drain()
	err := s.http.Shutdown(ctx)
	if err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// route is a path of the API. params are those its query may have.
type route struct {
	pattern string
	params  []string
	handle  func(*request) (any, error)
	body    bool // takes one, read before the handler runs
	lane    lane // that its requests take turns in
}

// routes lists the API; docs/api.md explains it.
func (s *Server) routes() []route {
	return append(slices.Concat(s.tokenRoutes(), s.govRoutes(), s.ledgerRoutes(), s.schemaRoutes(), s.auditRoutes(), s.eventRoutes(), s.subscriptionRoutes()), []route{
		{pattern: "POST /v1/transactions", params: []string{"wait"}, handle: s.submit, body: true},
		{pattern: "GET /v1/transactions", params: []string{"ids", "wait"}, handle: s.statuses},
		{pattern: "GET /v1/transactions/{id}", params: []string{"wait"}, handle: s.status},
		{pattern: "GET /v1/head", params: []string{"height", "time"}, handle: s.head},
		{pattern: "GET /v1/genesis", handle: s.genesis},
		{pattern: "GET /v1/entries", params: []string{"from", "count"}, handle: s.entries, lane: pages},
		{pattern: "GET /v1/entries/{index}", handle: s.entry},
		{pattern: "GET /v1/events", params: []string{"source", "id", "producer"}, handle: s.findEvent},
		{pattern: "GET /v1/events/{index}", handle: s.event},
		{pattern: "GET /v1/receipts/{index}", params: []string{"format", "level"}, handle: s.receipt},
		{pattern: "GET /v1/receipts", params: []string{"first", "count", "withhold", "format"}, handle: s.batchReceipt, lane: proofs},
		{pattern: "GET /v1/erasures/{index}", handle: s.erasure},
		{pattern: "GET /v1/state", params: []string{"key", "height", "time", "format"}, handle: s.state},
		{pattern: "GET /v1/trust", params: []string{"from"}, handle: s.trust},
		{pattern: "GET /v1/streams/{producer}/{name}", handle: s.stream},
		{pattern: "GET /v1/streams/{producer}/{name}/entries", params: []string{"from", "count"}, handle: s.streamEntries, lane: pages},
		{pattern: "GET /v1/streams/{producer}/{name}/receipt", params: []string{"from", "count", "withhold", "format"}, handle: s.streamReceipt, lane: proofs},
		{pattern: "GET /v1/streams/{producer}/{name}/{sequence}", handle: s.streamEntry},
		{pattern: "GET /v1/contracts", handle: s.contracts},
		{pattern: "GET /v1/contracts/{contract}", handle: s.contract},
		{pattern: "GET /v1/contracts/{contract}/query/{method}", params: anyParams, handle: s.query},
		{pattern: "GET /v1/contracts/{contract}/dead-letters", params: []string{"from", "limit"}, handle: s.deadLetters},
		{pattern: "GET /v1/contracts/{contract}/logs", params: []string{"after"}, handle: s.contractLogs},
		{pattern: "GET /v1/log/consistency", params: []string{"from", "to"}, handle: s.consistency},
		{pattern: "GET /log/checkpoint", handle: s.checkpoint},
		{pattern: "GET /log/tile/{path...}", handle: s.tile},
		{pattern: "GET /livez", handle: s.live},
		{pattern: "GET /healthz", handle: s.live},
		{pattern: "GET /readyz", handle: s.ready},
		{pattern: "GET /version", handle: s.version},
	}...)
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern, s.answer(r))
	}
	mux.Handle("GET /metrics", s.metrics.handler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		status := s.refuse(w, unknownPath(mux, w, r))
		s.metrics.answered("none", status, time.Now())
	})
}

// unknownPath tells a path that is not there from one with another method.
func unknownPath(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(other); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return protocol.Refuse(protocol.CodeNotFound, "%q is not a path of this API; docs/api.md lists them", clip(r.URL.Path))
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return protocol.Refuse(protocol.CodeMethodNotAllowed, "%s is for %s", clip(r.URL.Path), strings.Join(allowed, " and "))
}
