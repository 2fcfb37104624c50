package api

import (
	"encoding/json"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// handler answers a request with a value to render as JSON, or a refusal.
type handler func(r *http.Request) (any, error)

// raw is an answer that is rendered already.
type raw struct {
	contentType string
	body        []byte
}

// accepted is an answer with status 202.
type accepted struct{ any }

// answer renders what a handler says. A panic is a fault of this node's, kept
// to the one request.
func (s *Server) answer(handle handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				s.config.Log.Error("request failed", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				s.refuse(w, protocol.Refuse(protocol.CodeInternal, "the node failed to answer; its log has the reason"))
			}
		}()
		value, err := handle(r)
		if err != nil {
			if _, coded := protocol.CodeOf(err); !coded {
				s.config.Log.Error("request failed", "path", r.URL.Path, "err", err)
				err = protocol.Refuse(protocol.CodeInternal, "the node failed to answer; its log has the reason")
			}
			s.refuse(w, err)
			return
		}
		status := http.StatusOK
		if a, ok := value.(accepted); ok {
			status, value = http.StatusAccepted, a.any
		}
		out, ok := value.(raw)
		if !ok {
			body, err := json.Marshal(value)
			if err != nil {
				s.config.Log.Error("answer does not encode", "path", r.URL.Path, "err", err)
				s.refuse(w, protocol.Refuse(protocol.CodeInternal, "the node failed to answer; its log has the reason"))
				return
			}
			out = raw{"application/json", append(body, '\n')}
		}
		w.Header().Set("Content-Type", out.contentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		w.Write(out.body)
	})
}

// statusOf is the HTTP status of a refusal.
func statusOf(code protocol.Code) int {
	switch code {
	case protocol.CodeNotFound, protocol.CodeContractUnknown, protocol.CodeMethodUnknown:
		return http.StatusNotFound
	case protocol.CodeTooLarge, protocol.CodeEventTooLarge:
		return http.StatusRequestEntityTooLarge
	case protocol.CodeUnauthorized, protocol.CodeBadSignature:
		return http.StatusForbidden
	case protocol.CodeSequenceGap, protocol.CodeReplayed, protocol.CodeContractExists, protocol.CodeExpired, protocol.CodeExpiryTooFar:
		return http.StatusConflict
	case protocol.CodeBusy:
		return http.StatusTooManyRequests
	case protocol.CodeUnavailable, protocol.CodeTimeout:
		return http.StatusServiceUnavailable
	case protocol.CodePruned:
		return http.StatusGone
	case protocol.CodeUnsupportedFormat:
		return http.StatusUnsupportedMediaType
	case protocol.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func (s *Server) refuse(w http.ResponseWriter, err error) {
	code, _ := protocol.CodeOf(err)
	status := statusOf(code)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	body, _ := json.Marshal(rest.Problem{Code: code, Name: code.Name(), Message: err.Error(), Retryable: code.Retryable()})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
