package sim

import (
	"fmt"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

// toll debits alice 5 EUR cents for every passage, and once it has more than 12
// traps: after the debit, in the same delivery.
func toll() []byte {
	alice := Address("alice")
	memory := "EUR" + string(make([]byte, 13)) + string(alice[:]) // the symbol at 0, alice at 16; its own address goes to 64
	body := asm.I32(0) + asm.I32(3) + asm.I32(16) + asm.I64(5) + asm.Host(abi.HostDebit) +
		asm.If(asm.Unreachable) + // the debit was refused
		asm.I32(64) + asm.Host(abi.HostSelf) +
		asm.I32(0) + asm.I32(3) + asm.I32(64) + asm.Host(abi.HostBalance) +
		asm.I64(^int64(15)) + asm.I64And + asm.I64Eqz + asm.I32Eqz + asm.If(asm.Unreachable) + // 16 or more
		asm.I32(0)
	return asm.Contract(memory, "", body)
}

// What a delivery moved is kept with it or undone with it, and debits of one
// block that are alike are one entry that names every delivery.
func TestMovementsAreOfTheirDelivery(t *testing.T) {
	l, err := New(Options{Accounts: []Account{{"alice", []string{"producer"}}}})
	must(t, err)
	defer l.Close()
	alice := Address("alice")
	_, err = l.Token(Author,
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR"}, protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: alice, Amount: 100})
	must(t, err)
	contract, err := l.Deploy(toll(), asm.Manifest("toll", "passage.v1"), nil)
	must(t, err)
	_, err = l.Token("alice", protocol.TokenOp{Kind: protocol.TokenAllow, Asset: "EUR", Account: contract, Amount: 100})
	must(t, err)
	first := l.Size()
	for i := range 5 {
		must(t, l.Submit(protocol.Event{ID: fmt.Sprint(i), Source: "/toll", Type: "passage.v1", DataForm: protocol.DataJSON, Data: []byte("{}")}))
	}
	must(t, l.Settle())
	for account, want := range map[protocol.Address]uint64{alice: 85, contract: 15} {
		if got, err := l.Balance(account, "EUR"); err != nil || got != want {
			t.Errorf("%s has %d, %v; want %d", account, got, err, want)
		}
	}
	letters, err := l.DeadLetters("toll")
	if must(t, err); len(letters) != 2 || letters[0].Code != protocol.CodeContractTrap || letters[0].Index != first+3 {
		t.Errorf("%+v", letters)
	}
	entries, err := l.Entries(first, 100)
	must(t, err)
	moved, parts := uint64(0), 0
	for _, e := range entries {
		m, ok := e.Act.(*protocol.MovementAct)
		if !ok {
			continue
		}
		if m.Kind != protocol.TokenDebit || m.From != alice || m.To != contract || e.Origin != contract || e.Cause < first || e.Cause > first+2 {
			t.Errorf("%+v", m)
		}
		moved += m.Amount
		for _, p := range m.Parts {
			parts += int(p.Count)
		}
	}
	if moved != 15 || parts != 0 && parts != 3 {
		t.Errorf("%d moved in %d parts", moved, parts)
	}
}
