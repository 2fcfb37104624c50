package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/cehttp"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/access"
)

// Gateway submits events with the node's own key.
type Gateway interface {
	// Take keeps events on disk and answers the sequence of the first.
	Take(events []protocol.Event) (first uint64, err error)
	// Taken describes events that nothing is known of yet.
	Taken(first, count uint64) rest.Submission
	// Look says what became of events.
	Look(first, count uint64) (rest.Submission, error)
}

// Callers says who a request is from: it answers a grant that allows the scope.
type Callers interface {
	Caller(ctx context.Context, scope, authorization string, channel *tls.ConnectionState) (access.Token, error)
}

func (s *Server) eventRoutes() []route {
	return []route{
		{pattern: "POST /v1/events", params: []string{"wait"}, handle: s.counted, body: true},
		{pattern: "GET /v1/submissions/{id}", params: []string{"wait"}, handle: s.submission},
	}
}

// caller answers the grant of whoever made a request, for a scope.
func (s *Server) caller(r *request, scope string) (access.Token, error) {
	return s.config.Callers.Caller(r.Context(), scope, r.Header.Get("Authorization"), r.TLS)
}

var errNoGateway = protocol.Refuse(protocol.CodeUnavailable, "this node has no gateway: its home lacks an account's key; sign transactions yourself, or use another node")

// counted counts why events were not taken.
func (s *Server) counted(r *request) (any, error) {
	answer, err := s.takeEvents(r)
	if err != nil {
		code, coded := protocol.CodeOf(err)
		if !coded {
			code = protocol.CodeInternal
		}
		s.metrics.refused.WithLabelValues(code.Name()).Inc()
	}
	return answer, err
}

// takeEvents is CloudEvents over HTTP. The answer is 202 when the events are
// on this node's disk, or with ?wait= what became of them.
func (s *Server) takeEvents(r *request) (any, error) {
	if s.config.Gateway == nil {
		return nil, errNoGateway
	}
	token, err := s.caller(r, access.Produce)
	if err != nil {
		return nil, err
	}
	wait, final, err := r.waitFinal()
	if err != nil {
		return nil, err
	}
	events, err := cehttp.Parse(r.Header, r.body)
	if err != nil {
		return nil, err
	}
	for i := range events {
		if !token.Covers(&events[i]) {
			return nil, protocol.Refuse(protocol.CodeSource, "event %d: the token %q is not for source %q and type %q", i, token.Name, clip(events[i].Source), clip(events[i].Type))
		}
	}
	if len(events) == 0 {
		return rest.Submission{State: rest.StateCommitted}, nil
	}
	if err := s.rates.Use(&token, len(events), len(r.body), time.Now()); err != nil {
		return nil, err
	}
	first, err := s.config.Gateway.Take(events)
	if err != nil {
		return nil, err
	}
	status := fmt.Sprintf("/v1/submissions/%d-%d", first, len(events))
	if wait == 0 {
		out := s.config.Gateway.Taken(first, uint64(len(events)))
		out.Status = status
		return accepted{out, status}, nil
	}
	out, err := s.await(r.Context(), first, uint64(len(events)), wait)
	if err != nil {
		return nil, err
	}
	out.Status = status
	if out.State == rest.StatePending {
		return accepted{out, status}, nil
	}
	if final {
		err = s.attach(r.Context(), &out)
	}
	return out, err
}

// waitFinal reads ?wait=final, which waits as long as may be and brings
// receipts, or ?wait=5s.
func (r *request) waitFinal() (wait time.Duration, final bool, err error) {
	if r.params.Get("wait") == "final" {
		return maxWait, true, nil
	}
	wait, err = r.wait()
	return wait, false, err
}

// await waits until the ledger has decided about events.
func (s *Server) await(ctx context.Context, first, count uint64, wait time.Duration) (rest.Submission, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		height := s.backend.Height(ctx, 0)
		out, err := s.config.Gateway.Look(first, count)
		if err != nil || out.State != rest.StatePending || ctx.Err() != nil {
			return out, err
		}
		// A refusal before the mempool makes no block, hence the limit.
		step, done := context.WithTimeout(ctx, 500*time.Millisecond)
		s.backend.Height(step, height+1)
		done()
	}
}

// maxReceipts is how many receipts one answer holds; later ones are fetched one by one.
const maxReceipts = 64

// attach adds receipts to what is committed.
func (s *Server) attach(ctx context.Context, out *rest.Submission) error {
	attached := 0
	for i := range out.Events {
		e := &out.Events[i]
		if e.Index == nil || attached == maxReceipts {
			continue
		}
		receipt, err := s.backend.Receipt(ctx, *e.Index)
		if err != nil {
			return err
		}
		if e.Receipt, err = receipt.MarshalJSON(); err != nil {
			return err
		}
		attached++
	}
	return nil
}

// maxSubmission bounds the events that one question is about.
const maxSubmission = protocol.MaxBatchEvents

// submission says what became of events: the path is FIRST-COUNT.
func (s *Server) submission(r *request) (any, error) {
	if s.config.Gateway == nil {
		return nil, errNoGateway
	}
	wait, final, err := r.waitFinal()
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	from, size, _ := strings.Cut(id, "-")
	first, err1 := strconv.ParseUint(from, 10, 62)
	count, err2 := strconv.ParseUint(size, 10, 62)
	if err1 != nil || err2 != nil || count == 0 || count > maxSubmission {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "submission %q: must be FIRST-COUNT, such as 17-3, of at most %d events", clip(id), maxSubmission)
	}
	out, err := s.await(r.Context(), first, count, wait)
	if err != nil {
		return nil, err
	}
	out.Status = "/v1/submissions/" + id
	if final && out.State != rest.StatePending {
		err = s.attach(r.Context(), &out)
	}
	return out, err
}
