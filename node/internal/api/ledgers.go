package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/governance"
)

// ledgerRoutes list what concerns other ledgers, and what they need of this one.
func (s *Server) ledgerRoutes() []route {
	return []route{
		{pattern: "GET /v1/ledgers", params: pageParams, handle: s.ledgers},
		{pattern: "GET /v1/ledgers/{name}", params: oneParams, handle: s.ledger},
		{pattern: "GET /v1/ledgers/{name}/relayed", params: []string{"indices", "height"}, handle: s.relayed},
		{pattern: "GET /v1/events/since", params: []string{"from", "limit", "wait"}, handle: s.eventsSince},
		{pattern: "GET /v1/receipts/of", params: []string{"indices", "format"}, handle: s.receiptOf},
	}
}

// ledgers lists the registered ledgers by name.
func (s *Server) ledgers(r *request) (any, error) {
	m, limit, err := s.page(r)
	if err != nil {
		return nil, err
	}
	found, err := governance.Ledgers(m, clip(r.params.Get("after")), limit)
	if err != nil {
		return nil, err
	}
	out := rest.Ledgers{At: m.At, Ledgers: []rest.LedgerRow{}}
	for _, l := range found {
		out.Ledgers = append(out.Ledgers, rest.LedgerRow{LedgerRecord: *l, Address: l.Address()})
	}
	if len(found) == limit {
		out.Next = found[limit-1].Name
	}
	return out, nil
}

// ledger is one of them.
func (s *Server) ledger(r *request) (any, error) {
	name := r.PathValue("name")
	if err := protocol.CheckLedgerName(name); err != nil {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "%v", err)
	}
	return s.proven(r, protocol.LedgerKey(name), func(m *money) (any, error) {
		l, err := governance.ReadLedger(m, name)
		if err != nil {
			return nil, err
		}
		return rest.Ledger{At: m.At, LedgerRow: rest.LedgerRow{LedgerRecord: *l, Address: l.Address()}}, nil
	})
}

// indices reads ?indices=1,2,5: ascending.
func (r *request) indices() ([]uint64, error) {
	var list []uint64
	for text := range strings.SplitSeq(r.params.Get("indices"), ",") {
		n, err := strconv.ParseUint(text, 10, 62)
		if err != nil || len(list) == rest.MaxIndices || len(list) > 0 && n <= list[len(list)-1] {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "indices: must be 1 to %d log indexes in ascending order, such as 3,4,9", rest.MaxIndices)
		}
		list = append(list, n)
	}
	return list, nil
}

// relayed says which entries of a ledger were relayed.
func (s *Server) relayed(r *request) (any, error) {
	indices, err := r.indices()
	if err != nil {
		return nil, err
	}
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	l, err := governance.ReadLedger(m, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	out := rest.RelayedEntries{At: m.At, Relayed: make([]bool, len(indices))}
	for i, index := range indices {
		if out.Relayed[i], err = governance.IsRelayed(m, l.Address(), index); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eventsSince lists events in the order of the log: those of at most limit
// entries from an index on. Where there are none yet it waits for the log to grow.
func (s *Server) eventsSince(r *request) (any, error) {
	if s.config.Events == nil {
		return nil, errNoSubscriptions
	}
	from, err := r.uint("from", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	limit, err := r.uint("limit", 200, 1, 1000)
	if err != nil {
		return nil, err
	}
	wait, err := r.wait()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	for {
		grown := s.config.Events.Grown()
		if s.config.Events.Size() > from || wait == 0 {
			break
		}
		select {
		case <-grown:
			continue
		case <-ctx.Done():
		}
		break
	}
	events, next, err := s.config.Events.Read(from, int(limit))
	if err != nil {
		return nil, err
	}
	out := []byte(`{"events":[`)
	for i, item := range events {
		text, err := s.delivered(r.Context(), item, false)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, text...)
	}
	out = strconv.AppendUint(append(out, `],"next":`...), max(next, from), 10)
	return raw{"application/json", append(out, "}\n"...)}, nil
}

// receiptOf proves chosen entries at once.
func (s *Server) receiptOf(r *request) (any, error) {
	indices, err := r.indices()
	if err != nil {
		return nil, err
	}
	render, err := r.receiptFormat()
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.ReceiptOf(r.Context(), indices)
	if err != nil {
		return nil, err
	}
	return render(receipt)
}
