package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// raw is an answer that is rendered already.
type raw struct {
	contentType string
	body        []byte
}

// accepted is an answer with status 202.
type accepted struct {
	any
	location string // where to ask for what became of it, if not empty
}

// answer serves a route: it reads the request, runs the handler and renders
// what it says. While it reads and writes, the connection may be given up for
// another; while the handler runs, not.
func (s *Server) answer(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, status := time.Now(), http.StatusInternalServerError
		defer func() { s.metrics.answered(route.pattern, status, start) }()
		value, free, err := s.run(route, r)
		defer free()
		if versioned(r) {
			w.Header().Set(rest.HeaderHeight, strconv.FormatUint(s.backend.Height(r.Context(), 0), 10))
		}
		if err != nil {
			status = s.refuse(w, err)
			return
		}
		if next, ok := value.(live); ok {
			status = s.tell(w, r, next)
			return
		}
		status = http.StatusOK
		if a, ok := value.(accepted); ok {
			status, value = http.StatusAccepted, a.any
			if a.location != "" {
				w.Header().Set("Location", a.location)
			}
		}
		if cached, ok := value.(static); ok {
			w.Header().Set("Cache-Control", cached.cache)
			if cached.zip {
				w.Header().Set("Vary", "Accept-Encoding")
				if cached.body, ok = zipped(r.Header.Get("Accept-Encoding"), cached.body); ok {
					w.Header().Set("Content-Encoding", "gzip")
				}
			}
			value = cached.raw
		}
		out, ok := value.(raw)
		if !ok {
			body, err := json.Marshal(value)
			if err != nil {
				status = s.refuse(w, s.fault(r, fmt.Errorf("answer does not encode: %w", err)))
				return
			}
			out = raw{"application/json", append(body, '\n')}
		}
		if size := int64(len(out.body)); size > freeBytes {
			if !s.answers.take(size) {
				status = s.refuse(w, protocol.Refuse(protocol.CodeBusy, "this node is sending as many large answers as it can; ask again in a second, or for less"))
				return
			}
			defer s.answers.give(size)
		}
		w.Header().Set("Content-Type", out.contentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		w.Write(out.body) // an error means that the client has gone
	})
}

// run reads a request and hands it to its handler. A panic is a fault of this
// node, kept to the one request. free gives back what the request holds.
func (s *Server) run(route route, r *http.Request) (value any, free func(), err error) {
	free = func() {}
	req, err := newRequest(r, route.params)
	if err != nil {
		return nil, free, err
	}
	if route.body {
		if free, err = s.readBody(req); err != nil {
			return nil, free, err
		}
	}
	connection := connOf(r.Context())
	connection.begin()
	defer connection.end()
	defer func() {
		if p := recover(); p != nil {
			s.config.Log.Error("request panicked", "path", clip(r.URL.Path), "panic", p, "stack", string(debug.Stack()))
			value, err = nil, errInternal
		}
	}()
	if err := s.catchUp(req); err != nil {
		return nil, free, err
	}
	if turns := s.lanes[route.lane]; turns != nil {
		leave, err := turns.take(r.Context())
		if err != nil {
			return nil, free, err
		}
		defer leave()
	}
	value, err = route.handle(req)
	if err != nil {
		err = s.fault(r, err)
	}
	return value, free, err
}

var errInternal = protocol.Refuse(protocol.CodeInternal, "the node failed to answer; its log has the reason")

// fault keeps an error without a code to this node's log: what comes from the
// disk or the consensus engine is nothing for strangers to read.
func (s *Server) fault(r *http.Request, err error) error {
	if _, coded := protocol.CodeOf(err); coded {
		return err
	}
	if r.Context().Err() != nil { // the client went away, or the node stops
		return protocol.Refuse(protocol.CodeUnavailable, "the request was given up")
	}
	s.config.Log.Error("request failed", "path", clip(r.URL.Path), "err", err)
	return errInternal
}

// versioned says whether a path is of the ledger, not of the node's health.
func versioned(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/") }

// catchUp waits a little for the height that the client has heard of.
func (s *Server) catchUp(r *request) error {
	want, err := r.minHeight()
	if err != nil || want == 0 || !versioned(r.Request) {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxHeightWait)
	defer cancel()
	if height := s.backend.Height(ctx, want); height < want {
		return protocol.Refuse(protocol.CodeUnavailable, "this node is at height %d and the request wants %d; ask another node, or wait", height, want)
	}
	return nil
}

// statusOf is the HTTP status of a refusal.
func statusOf(code protocol.Code) int {
	switch code {
	case protocol.CodeProposalUnknown, protocol.CodeDisputeUnknown, protocol.CodeActUnknown:
		return http.StatusNotFound
	case protocol.CodeKeyRetired, protocol.CodeAccountRevoked:
		return http.StatusForbidden
	case protocol.CodeHalted, protocol.CodeKeyEarly, protocol.CodeProposalClosed, protocol.CodeProposalExpired, protocol.CodeDoubleVote, protocol.CodeApproved:
		return http.StatusConflict
	case protocol.CodeNotFound, protocol.CodeContractUnknown, protocol.CodeMethodUnknown, protocol.CodeAssetUnknown, protocol.CodeTokenIDUnknown:
		return http.StatusNotFound
	case protocol.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case protocol.CodeTooLarge, protocol.CodeEventTooLarge:
		return http.StatusRequestEntityTooLarge
	case protocol.CodeUnauthenticated:
		return http.StatusUnauthorized
	case protocol.CodeUnauthorized, protocol.CodeBadSignature, protocol.CodeSource, protocol.CodeSchemaOwner:
		return http.StatusForbidden
	case protocol.CodeSequenceGap, protocol.CodeReplayed, protocol.CodeContractExists, protocol.CodeSchemaExists, protocol.CodeExpired, protocol.CodeExpiryTooFar:
		return http.StatusConflict
	case protocol.CodeBusy, protocol.CodeOverQuota, protocol.CodeSchemaBusy:
		return http.StatusTooManyRequests
	case protocol.CodeUnavailable, protocol.CodeTimeout:
		return http.StatusServiceUnavailable
	case protocol.CodePruned, protocol.CodeErased:
		return http.StatusGone
	case protocol.CodeUnsupportedFormat:
		return http.StatusUnsupportedMediaType
	case protocol.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// Later is a refusal that knows when the same request may succeed.
type Later interface {
	error
	RetryAfter() time.Duration
}

// retryAfter is how many seconds a client should wait.
func retryAfter(err error) int {
	var later Later
	if !errors.As(err, &later) {
		return retryAfterSeconds
	}
	return int((later.RetryAfter() + time.Second - 1) / time.Second)
}

// refuse renders a refusal and answers its HTTP status.
func (s *Server) refuse(w http.ResponseWriter, err error) int {
	code, _ := protocol.CodeOf(err)
	status := statusOf(code)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(err)))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body, _ := json.Marshal(rest.Problem{Code: code, Name: code.Name(), Message: err.Error(), Retryable: code.Retryable()})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
	return status
}
