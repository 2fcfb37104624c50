package vm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
)

// tokenHost notes the operations that a contract asks for and answers as told.
type tokenHost struct {
	*ledger
	asked  []protocol.TokenOp
	result TokenResult
	fault  error
}

func (h *tokenHost) Balance(asset string, account protocol.Address) (uint64, error) {
	return uint64(len(asset))*1000 + uint64(account[0]), h.fault
}

func (h *tokenHost) Token(op *protocol.TokenOp) (TokenResult, error) {
	h.asked = append(h.asked, *op)
	return h.result, h.fault
}

// tokenCall is one call of a host function by a contract, whose answer it
// outputs. In memory are the symbol "EUR" at 100, "1EUR" at 110, and addresses
// that begin with 9 at 200 and with nothing at 300.
func tokenCall(t *testing.T, e *Engine, name string, args ...any) *Program {
	t.Helper()
	a := &assembly{pages: 1}
	a.data = []assemblyData{{100, "EUR"}, {110, "1EUR"}, {200, "\x09"}}
	host, output := a.host(name), a.host(abi.HostOutput)
	code := i32Const(0)
	for _, arg := range args {
		switch v := arg.(type) {
		case int:
			code += i32Const(int32(v))
		case int64:
			code += i64Const(v)
		}
	}
	code += op(0x10, host)
	if hostResult(name) == "i" {
		code += "\xad" // i64.extend_i32_u
	}
	code += "\x37\x03\x00" + i32Const(0) + i32Const(8) + op(0x10, output) + i32Const(0)
	a.entry(abi.ExportCall, a.add(assemblyFunc{kind: a.kindOf(eventType), code: code}))
	a.entry(abi.ExportQuery, len(a.imports))
	if err := e.Check(a.bytes()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p, err := e.Load(a.bytes())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func runTokens(t *testing.T, p *Program, kind EntryKind, h Host) Result {
	t.Helper()
	r, err := p.Run(context.Background(), Entrypoint{Kind: kind}, testEnv, nil, testGas, h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What contracts ask of the bank reaches it as an operation; what it refuses
// comes back as a code; what is no amount never gets there.
func TestTokenFunctions(t *testing.T) {
	nine, self := protocol.Address{9}, testEnv.Self
	all := int64(math.MaxInt64)
	e := newEngine(t, Config{})
	for _, c := range []struct {
		name   string
		args   []any
		result TokenResult
		want   protocol.TokenOp // none when zero
		answer int64
		code   protocol.Code
	}{
		{abi.HostTransfer, []any{100, 3, 200, int64(5)}, TokenResult{}, protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: nine, Amount: 5}, 0, 0},
		{abi.HostTransfer, []any{100, 3, 200, all}, TokenResult{Code: protocol.CodeFunds}, protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: nine, Amount: math.MaxInt64}, 230, 0},
		{abi.HostTransfer, []any{100, 3, 200, int64(0)}, TokenResult{}, protocol.TokenOp{}, 236, 0},
		{abi.HostTransfer, []any{100, 3, 200, int64(-1)}, TokenResult{}, protocol.TokenOp{}, 236, 0},
		{abi.HostTransfer, []any{110, 4, 200, int64(1)}, TokenResult{}, protocol.TokenOp{}, 0, protocol.CodeHostMisuse},
		{abi.HostTransfer, []any{100, 0, 200, int64(1)}, TokenResult{}, protocol.TokenOp{}, 0, protocol.CodeHostMisuse},
		{abi.HostTransfer, []any{100, 13, 200, int64(1)}, TokenResult{}, protocol.TokenOp{}, 0, protocol.CodeHostMisuse},
		{abi.HostTransfer, []any{100, 3, 65_530, int64(1)}, TokenResult{}, protocol.TokenOp{}, 0, protocol.CodeHostMisuse},
		{abi.HostDebit, []any{100, 3, 200, int64(5)}, TokenResult{Code: protocol.CodeAllowance}, protocol.TokenOp{Kind: protocol.TokenDebit, Asset: "EUR", From: nine, Account: self, Amount: 5}, 237, 0},
		{abi.HostHold, []any{100, 3, 200, int64(5), int64(77)}, TokenResult{ID: 12}, protocol.TokenOp{Kind: protocol.TokenHold, Asset: "EUR", From: nine, Amount: 5, UntilMs: 77}, 12, 0},
		{abi.HostHold, []any{100, 3, 200, int64(5), int64(0)}, TokenResult{Code: protocol.CodeFrozen}, protocol.TokenOp{Kind: protocol.TokenHold, Asset: "EUR", From: nine, Amount: 5}, -231, 0},
		{abi.HostHold, []any{100, 3, 300, int64(5), int64(0)}, TokenResult{}, protocol.TokenOp{}, -240, 0},
		{abi.HostHold, []any{100, 3, 300, int64(0), int64(0)}, TokenResult{}, protocol.TokenOp{}, -236, 0},
		{abi.HostHold, []any{100, 3, 200, int64(5), int64(-1)}, TokenResult{}, protocol.TokenOp{}, 0, protocol.CodeHostMisuse},
		{abi.HostRelease, []any{int64(4), 200, int64(5)}, TokenResult{}, protocol.TokenOp{Kind: protocol.TokenRelease, ID: 4, Account: nine, Amount: 5}, 0, 0},
		{abi.HostRelease, []any{int64(4), 300, int64(0)}, TokenResult{Code: protocol.CodeTokenIDUnknown}, protocol.TokenOp{Kind: protocol.TokenRefund, ID: 4}, 238, 0},
		{abi.HostRelease, []any{int64(4), 200, int64(-5)}, TokenResult{}, protocol.TokenOp{}, 236, 0},
		{abi.HostRelease, []any{int64(0), 200, int64(5)}, TokenResult{}, protocol.TokenOp{}, 238, 0},
		{abi.HostMint, []any{100, 3, 200, int64(5)}, TokenResult{}, protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: nine, Amount: 5}, 0, 0},
		{abi.HostBurn, []any{100, 3, int64(5)}, TokenResult{}, protocol.TokenOp{Kind: protocol.TokenBurn, Asset: "EUR", Amount: 5}, 0, 0},
		{abi.HostBalance, []any{100, 3, 200}, TokenResult{}, protocol.TokenOp{}, 3_009, 0},
	} {
		what := fmt.Sprint(c.name, c.args)
		p := tokenCall(t, e, c.name, c.args...)
		h := &tokenHost{ledger: newLedger(), result: c.result}
		r := runTokens(t, p, Call, h)
		if r.Code != c.code || c.code == 0 && int64(binary.LittleEndian.Uint64(r.Output)) != c.answer {
			t.Errorf("%s: %v %x %v", what, r.Code, r.Output, r.Log)
		}
		if asked := len(h.asked) == 1; asked != (c.want.Kind != 0) || asked && h.asked[0] != c.want {
			t.Errorf("%s asks %+v, want %+v", what, h.asked, c.want)
		}
		if c.code != 0 {
			continue
		}
		query := runTokens(t, p, Query, h)
		if reads := c.name == abi.HostBalance; reads != (query.Code == 0) || !reads && query.Code != protocol.CodeHostMisuse {
			t.Errorf("%s in a query: %v", what, query.Code)
		}
		if c.want.Kind == 0 && c.name != abi.HostBalance {
			continue
		}
		if r := runTokens(t, p, Call, newLedger()); r.Code != protocol.CodeTokensUnavailable {
			t.Errorf("%s without a bank: %v", what, r.Code)
		}
		h.fault = errors.New("disk on fire")
		if _, err := p.Run(context.Background(), Entrypoint{Kind: Call}, testEnv, nil, testGas, h); !errors.Is(err, h.fault) {
			t.Errorf("%s on a broken disk: %v", what, err)
		}
	}
}
