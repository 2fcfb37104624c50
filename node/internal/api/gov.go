package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/governance"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// govRoutes lists the paths of accounts, roles and governance.
func (s *Server) govRoutes() []route {
	return []route{
		{pattern: "GET /v1/accounts", params: append([]string{"role"}, pageParams...), handle: s.accounts},
		{pattern: "GET /v1/accounts/{account}", params: oneParams, handle: s.accountOne},
		{pattern: "GET /v1/accounts/{account}/acts", params: []string{"height"}, handle: s.acts},
		{pattern: "GET /v1/council", params: []string{"height"}, handle: s.council},
		{pattern: "GET /v1/proposals", params: append([]string{"open"}, pageParams...), handle: s.proposals},
		{pattern: "GET /v1/proposals/{index}", params: oneParams, handle: s.proposal},
		{pattern: "GET /v1/validators", params: []string{"height"}, handle: s.validators},
		{pattern: "GET /v1/validators/sets", params: pageParams, handle: s.validatorSets},
		{pattern: "GET /v1/validators/sets/{since}", params: oneParams, handle: s.validatorSet},
		{pattern: "GET /v1/nodes", params: []string{"height"}, handle: s.nodes},
		{pattern: "GET /v1/disputes", params: pageParams, handle: s.disputes},
		{pattern: "GET /v1/disputes/{index}", params: oneParams, handle: s.dispute},
	}
}

// accountOne answers what an account is and may do. One that nobody gave
// anything to is an account too.
func (s *Server) accountOne(r *request) (any, error) {
	address, err := s.account(r, "account")
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.AccountKey(address), func(m *money) (any, error) {
		value, _, err := m.Get(protocol.AccountKey(address))
		if err != nil {
			return nil, err
		}
		out := rest.Account{At: m.At, Address: address}
		if out.Account, out.KeyOf, err = protocol.DecodeAccount(value); err != nil {
			return nil, fmt.Errorf("account %s at rest: %v", address, err)
		}
		seat, err := governance.Seat(m, address)
		if err != nil {
			return nil, err
		}
		out.Weight = seat.Weight
		if q := out.Quota; !q.IsZero() {
			used, err := membership.ReadUsage(m, &membership.Party{Address: address, Account: out.Account}, m.Height+1)
			if err != nil {
				return nil, err
			}
			out.Usage = &rest.Usage{Events: used.Events, Bytes: used.Bytes, Gas: used.Gas, Until: (used.Window + 1) * q.Blocks}
		}
		return out, nil
	})
}

// accounts lists those with a record, or with a role.
func (s *Server) accounts(r *request) (any, error) {
	var role protocol.Roles
	if name := r.params.Get("role"); name != "" {
		var err error
		if role, err = protocol.ParseRoles([]string{name}); err != nil {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "%v", err)
		}
	}
	limit, err := r.limit()
	if err != nil {
		return nil, err
	}
	var after []byte
	if text := r.params.Get("after"); text != "" {
		address, err := protocol.ParseAddress(text)
		if err != nil {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "after: %v", err)
		}
		after = protocol.AccountKey(address)
	}
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	found, err := m.Scan([]byte{protocol.AccountPrefix}, after, limit)
	if err != nil {
		return nil, err
	}
	out := rest.Accounts{At: m.At, Accounts: []rest.AccountRow{}}
	for _, kv := range found {
		address := protocol.Address(kv.Key[1:])
		account, link, err := protocol.DecodeAccount(kv.Value)
		if err != nil {
			return nil, fmt.Errorf("account %s at rest: %v", address, err)
		}
		if link == nil && account.Roles&role == role {
			out.Accounts = append(out.Accounts, rest.AccountRow{Address: address, Account: account})
		}
		if len(found) == limit {
			out.Next = &address
		}
	}
	return out, nil
}

// acts lists what waits for the approval of an account's members.
func (s *Server) acts(r *request) (any, error) {
	account, err := s.account(r, "account")
	if err != nil {
		return nil, err
	}
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	waiting, err := membership.Acts(m, account)
	if err != nil {
		return nil, err
	}
	out := rest.Acts{At: m.At, Acts: []rest.Act{}}
	for _, a := range waiting {
		_, body, err := membership.ReadAct(m, a.Index)
		if err != nil {
			return nil, err
		}
		asks, err := json.Marshal(described(body))
		if err != nil {
			return nil, err
		}
		out.Acts = append(out.Acts, rest.Act{
			Index: a.Index, Account: a.Account, Proposer: a.Proposer, Expiry: a.Expiry, Approvals: a.Approvals, Kind: body.Kind(), Asks: asks,
		})
	}
	return out, nil
}

// described is a body for people: of code, only what names it.
func described(body protocol.Body) any {
	type code struct {
		Contract protocol.Address `json:"contract,omitzero"`
		Code     protocol.Hash    `json:"codeHash"`
		Manifest protocol.Hash    `json:"manifestHash"`
		Args     string           `json:"args,omitempty"`
	}
	switch b := body.(type) {
	case *protocol.Deploy:
		return code{protocol.Address{}, sha256.Sum256(b.Code), sha256.Sum256(b.Manifest), string(b.Args)}
	case *protocol.Upgrade:
		return code{b.Contract, sha256.Sum256(b.Code), sha256.Sum256(b.Manifest), string(b.Args)}
	}
	return body
}

func (s *Server) council(r *request) (any, error) {
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	members, err := governance.Council(m)
	out := rest.Council{At: m.At, Members: orEmpty(members)}
	for _, member := range members {
		out.Total += member.Weight
	}
	return out, err
}

// afterIndex reads ?after= where it is a log index.
func (r *request) afterIndex() (*uint64, error) {
	if !r.params.Has("after") {
		return nil, nil
	}
	after, err := r.afterNumber()
	return &after, err
}

// proposals lists them, or with ?open=true those that can still be voted on.
func (s *Server) proposals(r *request) (any, error) {
	open := r.params.Get("open") == "true"
	m, after, limit, err := pageAfter(s, r, r.afterIndex)
	if err != nil {
		return nil, err
	}
	found, err := governance.Proposals(m, after, limit)
	if err != nil {
		return nil, err
	}
	out := rest.Proposals{At: m.At, Proposals: []protocol.Proposal{}}
	for _, p := range found {
		if !open || p.Status == protocol.GovProposed && p.Expiry > m.Height {
			out.Proposals = append(out.Proposals, *p)
		}
	}
	if len(found) == limit {
		out.Next = &found[limit-1].Index
	}
	return out, nil
}

func (s *Server) proposal(r *request) (any, error) {
	index, err := r.index()
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.ProposalKey(index), func(m *money) (any, error) {
		p, err := governance.Find(m, index)
		if err != nil {
			return nil, err
		}
		votes, err := governance.Votes(m, index)
		if err != nil {
			return nil, err
		}
		out := rest.Proposal{At: m.At, Proposal: *p, Votes: []rest.Vote{}}
		for account, yes := range votes {
			seat, err := governance.Seat(m, account)
			if err != nil {
				return nil, err
			}
			out.Votes = append(out.Votes, rest.Vote{Account: account, Yes: yes, Weight: seat.Weight})
		}
		slices.SortFunc(out.Votes, func(a, b rest.Vote) int { return slices.Compare(a.Account[:], b.Account[:]) })
		return out, nil
	})
}

// validators answers the set that signs the block of a height.
func (s *Server) validators(r *request) (any, error) {
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	set, err := governance.At(m, max(m.Height, governance.FirstSet))
	if err != nil {
		return nil, err
	}
	latest, err := governance.Latest(m)
	if err != nil {
		return nil, err
	}
	out := rest.Validators{At: m.At, ValidatorSet: *set, Power: set.Power()}
	if latest.Since != set.Since {
		out.Next = latest
	}
	return out, nil
}

// validatorSets lists the sets there were; ?after= is a height.
func (s *Server) validatorSets(r *request) (any, error) {
	m, after, limit, err := pageAfter(s, r, r.afterNumber)
	if err != nil {
		return nil, err
	}
	sets, err := governance.Sets(m, after, min(limit, 100)) // a set may be large
	out := rest.ValidatorSets{At: m.At, Sets: []protocol.ValidatorSet{}}
	for _, set := range sets {
		out.Sets = append(out.Sets, *set)
	}
	return out, err
}

// validatorSet answers the set that signs from a height on, or its receipt.
func (s *Server) validatorSet(r *request) (any, error) {
	since, err := parseUint("since", r.PathValue("since"), 1, maxIndex)
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.ValidatorSetKey(since), func(m *money) (any, error) {
		value, ok, err := m.Get(protocol.ValidatorSetKey(since))
		if err == nil && !ok {
			err = protocol.Refuse(protocol.CodeNotFound, "no set of validators begins to sign at height %d; /v1/validators/sets lists them", since)
		}
		if err != nil {
			return nil, err
		}
		set, err := protocol.DecodeValidatorSet(since, value)
		if err != nil {
			return nil, fmt.Errorf("validator set %d at rest: %v", since, err)
		}
		return rest.Validators{At: m.At, ValidatorSet: *set, Power: set.Power()}, nil
	})
}

func (s *Server) nodes(r *request) (any, error) {
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	out := rest.Nodes{At: m.At, Nodes: []rest.AdmittedNode{}}
	found, err := m.Scan(protocol.GovKey(protocol.GovKeyNode), nil, 10_000)
	for _, kv := range found {
		out.Nodes = append(out.Nodes, rest.AdmittedNode{Node: protocol.NodeID(kv.Key[2:]), Name: string(kv.Value)})
	}
	return out, err
}

func (s *Server) disputes(r *request) (any, error) {
	m, after, limit, err := pageAfter(s, r, r.afterIndex)
	if err != nil {
		return nil, err
	}
	found, err := governance.Disputes(m, after, limit)
	out := rest.Disputes{At: m.At, Disputes: []protocol.DisputeRecord{}}
	for _, d := range found {
		out.Disputes = append(out.Disputes, *d)
	}
	if len(found) == limit {
		out.Next = &found[limit-1].Index
	}
	return out, err
}

func (s *Server) dispute(r *request) (any, error) {
	index, err := r.index()
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.DisputeKey(index), func(m *money) (any, error) {
		d, err := governance.Dispute(m, index)
		if err != nil {
			return nil, err
		}
		return rest.Disputes{At: m.At, Disputes: []protocol.DisputeRecord{*d}}, nil
	})
}
