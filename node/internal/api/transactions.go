package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// submit takes one transaction as it is signed, or many. With ?wait= it
// answers the status that one has reached by then.
func (s *Server) submit(r *request) (any, error) {
	wait, err := r.wait()
	if err != nil {
		return nil, err
	}
	switch kind := r.Header.Get("Content-Type"); {
	case kind == rest.TypeTransactions && !r.params.Has("wait"):
		return s.submitMany(r)
	case kind == rest.TypeTransactions:
		return nil, protocol.Refuse(protocol.CodeBadRequest, "wait: is for a single transaction; GET /v1/transactions?ids= waits for many")
	case kind != "" && kind != "application/octet-stream":
		return nil, protocol.Refuse(protocol.CodeUnsupportedFormat, "content type %q: a transaction is sent as application/octet-stream, many as %s", clip(kind), rest.TypeTransactions)
	}
	done, err := s.admit()
	if err != nil {
		return nil, err
	}
	id, err := s.backend.Submit(r.Context(), r.body)
	done()
	switch {
	case err != nil:
		return nil, err
	case wait == 0:
		return accepted{rest.Submitted{TxID: id}, ""}, nil
	}
	return s.backend.Status(r.Context(), id, wait)
}

// admit counts a submission while there is room for it. Call done after it.
func (s *Server) admit() (done func(), err error) {
	select {
	case s.submits <- struct{}{}:
		return func() { <-s.submits }, nil
	default:
		return nil, protocol.Refuse(protocol.CodeBusy, "%d submissions are under way; send it again in a second", cap(s.submits))
	}
}

// submitMany takes transactions in order.
func (s *Server) submitMany(r *request) (any, error) {
	raws, err := protocol.SplitTransactions(r.body)
	if err != nil {
		return nil, err
	}
	done, err := s.admit()
	if err != nil {
		return nil, err
	}
	defer done()
	refused, err := s.backend.SubmitAll(r.Context(), raws)
	if err != nil {
		return nil, err
	}
	out := rest.SubmittedMany{Transactions: make([]rest.Problem, len(raws))}
	for i, err := range refused {
		if err == nil {
			continue
		}
		code, refusal := protocol.CodeOf(err)
		if !refusal {
			return nil, err
		}
		out.Transactions[i] = rest.Problem{Code: code, Name: code.Name(), Message: err.Error(), Retryable: code.Retryable()}
	}
	return accepted{out, ""}, nil
}

func (s *Server) status(r *request) (any, error) {
	wait, err := r.wait()
	if err != nil {
		return nil, err
	}
	id, err := parseTxID(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return s.backend.Status(r.Context(), id, wait)
}

func parseTxID(text string) (protocol.Hash, error) {
	id, err := protocol.ParseHash(text)
	if err != nil {
		return id, protocol.Refuse(protocol.CodeBadRequest, "transaction id: %v", err)
	}
	return id, nil
}

// statuses answers several at once: as soon as the first of them is decided,
// since whoever sends in order waits for that one first.
func (s *Server) statuses(r *request) (any, error) {
	wait, err := r.wait()
	if err != nil {
		return nil, err
	}
	texts := strings.Split(r.params.Get("ids"), ",")
	if len(texts) > protocol.MaxTransactions {
		return nil, protocol.Refuse(protocol.CodeTooLarge, "ids: %d of them, at most %d are answered at once", len(texts), protocol.MaxTransactions)
	}
	ids := make([]protocol.Hash, len(texts))
	for i, text := range texts {
		if ids[i], err = parseTxID(text); err != nil {
			return nil, err
		}
	}
	return s.lookAtAll(r.Context(), ids, wait)
}

func (s *Server) lookAtAll(ctx context.Context, ids []protocol.Hash, wait time.Duration) (any, error) {
	first, err := s.backend.Status(ctx, ids[0], wait)
	if err != nil {
		return nil, err
	}
	out := rest.Statuses{Transactions: slices.Grow([]rest.Status{first}, len(ids)-1)}
	for _, id := range ids[1:] {
		now, err := s.backend.Status(ctx, id, 0)
		if err != nil {
			return nil, err
		}
		out.Transactions = append(out.Transactions, now)
	}
	return out, nil
}
