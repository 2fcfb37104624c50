package api

import (
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/bank"
)

// Bank is the part of a Backend that knows the state's tokens.
type Bank interface {
	// State reads the state after a height; 0 is the newest.
	State(height uint64) (bank.Reader, rest.At, error)
	// DryRun says what a transaction would come to now. It keeps nothing.
	DryRun(raw []byte) (rest.DryRun, error)
}

// Parameters of a page, and of one thing that a receipt can prove.
var (
	pageParams = []string{"height", "after", "limit"}
	oneParams  = []string{"height", "prove", "format"}
)

// tokenRoutes lists the paths of tokens.
func (s *Server) tokenRoutes() []route {
	return []route{
		{pattern: "POST /v1/dry-run", handle: s.dryRun, body: true},
		{pattern: "GET /v1/assets", params: pageParams, handle: s.assets},
		{pattern: "GET /v1/assets/{asset}", params: oneParams, handle: s.asset},
		{pattern: "GET /v1/accounts/{account}/balances", params: pageParams, handle: s.balances},
		{pattern: "GET /v1/accounts/{account}/balances/{asset}", params: oneParams, handle: s.balance},
		{pattern: "GET /v1/accounts/{account}/allowances", params: pageParams, handle: s.allowances},
		{pattern: "GET /v1/accounts/{account}/allowances/{spender}/{asset}", params: oneParams, handle: s.allowance},
		{pattern: "GET /v1/accounts/{account}/holds", params: pageParams, handle: s.termsOf(protocol.TokenHold)},
		{pattern: "GET /v1/accounts/{account}/streams", params: pageParams, handle: s.termsOf(protocol.TokenStream)},
		{pattern: "GET /v1/accounts/{account}/schedules", params: pageParams, handle: s.termsOf(protocol.TokenSchedule)},
		{pattern: "GET /v1/holds/{id}", params: oneParams, handle: s.termsOne(protocol.TokenHold, protocol.HoldKey)},
		{pattern: "GET /v1/token-streams/{id}", params: oneParams, handle: s.termsOne(protocol.TokenStream, protocol.TokenStreamKey)},
		{pattern: "GET /v1/schedules/{id}", params: oneParams, handle: s.termsOne(protocol.TokenSchedule, protocol.ScheduleKey)},
		{pattern: "GET /v1/token-rules", params: []string{"height"}, handle: s.tokenRules},
	}
}

// dryRun says what a transaction would come to, if it were executed now.
func (s *Server) dryRun(r *request) (any, error) { return s.backend.DryRun(r.body) }

// money is a state that one request reads, with the decimals it met.
type money struct {
	bank.Reader
	rest.At
	places map[string]uint64
}

func (s *Server) money(r *request) (*money, error) {
	height, err := r.height()
	if err != nil {
		return nil, err
	}
	state, at, err := s.backend.State(height)
	return &money{state, at, map[string]uint64{}}, err
}

// decimals of an asset; 0 of one that is not there.
func (m *money) decimals(asset string) (uint64, error) {
	if places, met := m.places[asset]; met {
		return places, nil
	}
	a, err := bank.ReadAsset(m, asset)
	if code, refused := protocol.CodeOf(err); refused && code == protocol.CodeAssetUnknown {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	m.places[asset] = a.Decimals
	return a.Decimals, nil
}

// account reads the account in the path: an address, or a contract's name.
func (s *Server) account(r *request, name string) (protocol.Address, error) {
	text := r.PathValue(name)
	if strings.HasPrefix(text, protocol.AddressPrefix+"1") {
		address, err := protocol.ParseAddress(text)
		if err != nil {
			return address, protocol.Refuse(protocol.CodeBadRequest, "%s: %v", name, err)
		}
		return address, nil
	}
	c, err := s.backend.Contract(text)
	return c.Address, err
}

func (r *request) asset() (string, error) {
	symbol := r.PathValue("asset")
	if !protocol.ValidAsset(symbol) {
		return "", protocol.Refuse(protocol.CodeBadRequest, "%q is no asset's symbol", clip(symbol))
	}
	return symbol, nil
}

// limit reads ?limit=.
func (r *request) limit() (int, error) {
	n, err := r.uint("limit", 100, 1, 1000)
	return int(n), err
}

// page reads what every list asks for: at most how many, and of which height.
// ?after= is the caller's to read.
func (s *Server) page(r *request) (m *money, limit int, err error) {
	if limit, err = r.limit(); err != nil {
		return nil, 0, err
	}
	m, err = s.money(r)
	return m, limit, err
}

// pageAfter is page with ?after= as a number of some meaning.
func pageAfter[A any](s *Server, r *request, read func() (A, error)) (m *money, after A, limit int, err error) {
	if limit, err = r.limit(); err != nil {
		return nil, after, 0, err
	}
	if after, err = read(); err != nil {
		return nil, after, 0, err
	}
	m, err = s.money(r)
	return m, after, limit, err
}

// afterNumber reads ?after= where 0 is before all.
func (r *request) afterNumber() (uint64, error) { return r.uint("after", 0, 0, maxIndex) }

// proven answers the receipt of a key where the request asks to prove it, or
// else what show reads.
func (s *Server) proven(r *request, key []byte, show func(*money) (any, error)) (any, error) {
	switch r.params.Get("prove") {
	case "", "false":
		m, err := s.money(r)
		if err != nil {
			return nil, err
		}
		return show(m)
	case "true":
	default:
		return nil, protocol.Refuse(protocol.CodeBadRequest, "prove: true or false")
	}
	height, err := r.height()
	if err != nil {
		return nil, err
	}
	render, err := r.receiptFormat()
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.StateReceipt(r.Context(), key, height)
	if err != nil {
		return nil, err
	}
	return render(receipt)
}

func (s *Server) assets(r *request) (any, error) {
	m, limit, err := s.page(r)
	if err != nil {
		return nil, err
	}
	found, err := bank.Assets(m, r.params.Get("after"), limit)
	list := make([]protocol.Asset, len(found))
	for i, a := range found {
		list[i] = *a
	}
	return rest.Assets{At: m.At, Assets: list}, err
}

func (s *Server) asset(r *request) (any, error) {
	symbol, err := r.asset()
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.AssetKey(symbol), func(m *money) (any, error) {
		a, err := bank.ReadAsset(m, symbol)
		if err != nil {
			return nil, err
		}
		return rest.Asset{At: m.At, Asset: *a}, nil
	})
}

func (s *Server) balances(r *request) (any, error) {
	account, err := s.account(r, "account")
	if err != nil {
		return nil, err
	}
	m, limit, err := s.page(r)
	if err != nil {
		return nil, err
	}
	owned, err := bank.Balances(m, account, r.params.Get("after"), limit)
	if err != nil {
		return nil, err
	}
	out := rest.Balances{At: m.At, Account: account, Balances: make([]rest.TokenBalance, len(owned))}
	for i, o := range owned {
		out.Balances[i] = rest.TokenBalance{Asset: o.Asset, Balance: o.Balance}
		if out.Balances[i].Decimals, err = m.decimals(o.Asset); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) balance(r *request) (any, error) {
	account, err := s.account(r, "account")
	if err != nil {
		return nil, err
	}
	symbol, err := r.asset()
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.BalanceKey(account, symbol), func(m *money) (any, error) {
		balance, err := bank.ReadBalance(m, account, symbol)
		if err != nil {
			return nil, err
		}
		places, err := m.decimals(symbol)
		return rest.Balances{At: m.At, Account: account, Balances: []rest.TokenBalance{{Asset: symbol, Decimals: places, Balance: balance}}}, err
	})
}

func (m *money) allowance(g bank.Granted) (rest.Allowance, error) {
	places, err := m.decimals(g.Asset)
	_, left := g.At(m.TimeMs)
	return rest.Allowance{Payer: g.Payer, Spender: g.Spender, Asset: g.Asset, Decimals: places, Allowance: g.Allowance, Left: left}, err
}

// allowances lists what an account allows others; ?after= is SPENDER/ASSET.
func (s *Server) allowances(r *request) (any, error) {
	payer, err := s.account(r, "account")
	if err != nil {
		return nil, err
	}
	limit, err := r.limit()
	if err != nil {
		return nil, err
	}
	var spender protocol.Address
	afterSpender, afterAsset, _ := strings.Cut(r.params.Get("after"), "/")
	if afterSpender != "" {
		if spender, err = protocol.ParseAddress(afterSpender); err != nil || !protocol.ValidAsset(afterAsset) {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "after: must be SPENDER/ASSET")
		}
	}
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	granted, err := bank.Allowances(m, payer, spender, afterAsset, limit)
	out := rest.Allowances{At: m.At, Allowances: make([]rest.Allowance, len(granted))}
	for i, g := range granted {
		if out.Allowances[i], err = m.allowance(g); err != nil {
			return nil, err
		}
	}
	return out, err
}

func (s *Server) allowance(r *request) (any, error) {
	payer, err := s.account(r, "account")
	if err != nil {
		return nil, err
	}
	spender, err := s.account(r, "spender")
	if err != nil {
		return nil, err
	}
	symbol, err := r.asset()
	if err != nil {
		return nil, err
	}
	return s.proven(r, protocol.AllowanceKey(payer, spender, symbol), func(m *money) (any, error) {
		a, ok, err := bank.ReadAllowance(m, payer, spender, symbol)
		if err == nil && !ok {
			err = protocol.Refuse(protocol.CodeAllowance, "%s has no allowance of %s from %s", spender, symbol, payer)
		}
		if err != nil {
			return nil, err
		}
		row, err := m.allowance(bank.Granted{Payer: payer, Spender: spender, Asset: symbol, Allowance: a})
		return rest.Allowances{At: m.At, Allowances: []rest.Allowance{row}}, err
	})
}

func (m *money) terms(t *protocol.TokenTerms) (rest.TokenTerms, error) {
	places, err := m.decimals(t.Asset)
	return rest.TokenTerms{TokenTerms: *t, Decimals: places, Flowed: t.Flowed(m.TimeMs)}, err
}

// termsOf lists the holds, streams or schedules an account is a party of;
// ?after= is an id.
func (s *Server) termsOf(kind protocol.TokenKind) func(*request) (any, error) {
	return func(r *request) (any, error) {
		account, err := s.account(r, "account")
		if err != nil {
			return nil, err
		}
		m, after, limit, err := pageAfter(s, r, r.afterNumber)
		if err != nil {
			return nil, err
		}
		found, err := bank.Terms(m, account, kind, after, limit)
		out := rest.TokenTermsList{At: m.At, Terms: make([]rest.TokenTerms, len(found))}
		for i, t := range found {
			if out.Terms[i], err = m.terms(t); err != nil {
				return nil, err
			}
		}
		return out, err
	}
}

func (s *Server) termsOne(kind protocol.TokenKind, key func(uint64) []byte) func(*request) (any, error) {
	return func(r *request) (any, error) {
		id, err := parseUint("id", r.PathValue("id"), 1, maxIndex)
		if err != nil {
			return nil, err
		}
		return s.proven(r, key(id), func(m *money) (any, error) {
			t, err := bank.ReadTerms(m, kind, id)
			if err != nil {
				return nil, err
			}
			row, err := m.terms(t)
			return rest.TokenTermsList{At: m.At, Terms: []rest.TokenTerms{row}}, err
		})
	}
}

// tokenRules answers the rewards and fees in force.
func (s *Server) tokenRules(r *request) (any, error) {
	m, err := s.money(r)
	if err != nil {
		return nil, err
	}
	out := rest.TokenRules{At: m.At, Rewards: []rest.Reward{}}
	rewards, err := bank.Rewards(m)
	if err != nil {
		return nil, err
	}
	for _, w := range rewards {
		used := w.Used
		if m.TimeMs/w.PeriodMs != w.Period {
			used = 0
		}
		out.Rewards = append(out.Rewards, rest.Reward{
			Type: w.Type, Asset: w.Asset, From: w.From, Each: w.Each, Limit: w.Limit, PeriodMs: w.PeriodMs, Used: used,
		})
	}
	fees, err := bank.ReadFees(m)
	if fees != nil {
		out.Fees = &rest.Fees{Asset: fees.Asset, To: fees.To, PerEvent: fees.PerEvent, PerMillionGas: fees.PerMillionGas}
	}
	return out, err
}
