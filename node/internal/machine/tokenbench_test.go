package machine

import (
	"encoding/base64"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// BenchmarkTransfers executes and commits blocks of transfers between 4,096
// accounts, 256 a transaction.
func BenchmarkTransfers(b *testing.B) { benchmarkOps(b, protocol.TokenTransfer) }

// BenchmarkDebits is the same of debits of 4,096 payers by one spender.
func BenchmarkDebits(b *testing.B) { benchmarkOps(b, protocol.TokenDebit) }

const benchAccounts, benchTxs = 4_096, 16

func benchmarkOps(b *testing.B, kind protocol.TokenKind) {
	l := endowed(b)
	payer := func(n int) protocol.Address { return protocol.Address{1, byte(n >> 8), byte(n)} }
	l.rule(func(batch *store.Batch) error {
		for n := range benchAccounts {
			balance := protocol.Balance{Amount: 1 << 40}
			if err := batch.State().Set(protocol.BalanceKey(payer(n), "EUR"), balance.AppendBinary(nil)); err != nil {
				return err
			}
			allowance := protocol.Allowance{Limit: 1 << 40}
			if err := batch.State().Set(protocol.AllowanceKey(payer(n), l.address("author"), "EUR"), allowance.AppendBinary(nil)); err != nil {
				return err
			}
		}
		return nil
	})
	l.machine.auditBank = false // these units come from nowhere
	n, done, author := 0, 0, l.address("author")
	var spent time.Duration
	for b.Loop() {
		var txs [][]byte
		for range benchTxs {
			ops := make([]protocol.TokenOp, protocol.MaxTokenOps)
			for i := range ops {
				n = (n + 1) % benchAccounts
				ops[i] = protocol.TokenOp{Kind: kind, Asset: "EUR", Account: payer(n), Amount: 1}
				if kind == protocol.TokenDebit {
					ops[i].From, ops[i].Account = payer(n), author
				}
			}
			txs = append(txs, l.token("author", ops...))
		}
		started := time.Now()
		result := l.block(txs...)
		spent += time.Since(started)
		for _, out := range result.Outcomes {
			if out.Code != protocol.CodeOK {
				b.Fatal(out)
			}
		}
		done += benchTxs * protocol.MaxTokenOps
	}
	b.ReportMetric(float64(done)/spent.Seconds(), "ops/s")
}

// BenchmarkMeteredDebits delivers readings of 1,024 meters, each paid by its
// own payer's allowance, to the shipped contract.
func BenchmarkMeteredDebits(b *testing.B) {
	const meters, readings = 1_024, 4_096
	l := endowed(b)
	read := func(name string) []byte {
		text, err := os.ReadFile("../../../contracts/metering/" + name)
		if err != nil {
			b.Fatal(err)
		}
		return text
	}
	code, manifest := read("metering.wasm"), read("manifest.json")
	deployed := l.one("author", &protocol.Deploy{Code: code, Manifest: manifest, Args: []byte(
		`{"tariff":"flat","effective":"2020-01-01T00:00:00Z","bands":"1","intervalMinutes":1,"stamp":"start","asset":"EUR"}`)})
	if deployed.Code != protocol.CodeOK {
		b.Fatal(deployed)
	}
	contract := protocol.ContractAddress(l.address("author"), "metering")
	payer := func(n int) protocol.Address { return protocol.Address{1, byte(n >> 8), byte(n)} }
	l.rule(func(batch *store.Batch) error {
		for n := range meters {
			balance, allowance := protocol.Balance{Amount: 1 << 50}, protocol.Allowance{Limit: 1 << 50}
			if err := batch.State().Set(protocol.BalanceKey(payer(n), "EUR"), balance.AppendBinary(nil)); err != nil {
				return err
			}
			if err := batch.State().Set(protocol.AllowanceKey(payer(n), contract, "EUR"), allowance.AppendBinary(nil)); err != nil {
				return err
			}
		}
		return nil
	})
	l.machine.auditBank = false // these units come from nowhere
	for n := range meters {
		a := payer(n)
		for _, call := range []protocol.Call{
			{Contract: contract, Method: "register", Args: fmt.Appendf(nil, `{"meter":"m%d","account":"a%d","tariff":"flat"}`, n, n)},
			{Contract: contract, Method: "payBy", Args: fmt.Appendf(nil, `{"meter":"m%d","payer":%q}`, n, base64.StdEncoding.EncodeToString(a[:]))},
		} {
			l.want(protocol.CodeOK, l.sign("author", &call))
		}
	}
	done, sequence := 0, uint64(0)
	at := time.Date(2023, 12, 1, 0, 0, 0, 0, time.UTC)
	var spent time.Duration
	for b.Loop() {
		batch := &protocol.Batch{Stream: "s", First: sequence}
		for i := range readings {
			minute := (int(sequence) + i) / meters
			e := protocol.Event{
				ID: fmt.Sprint(sequence + uint64(i)), Source: "/m", Type: "metering.reading.v1", Subject: fmt.Sprintf("m%d", i%meters),
				HasTime: true, TimeNs: at.Add(time.Duration(minute) * time.Minute).UnixNano(), DataForm: protocol.DataJSON, Data: []byte(`{"quantity":3}`),
			}
			batch.Records = append(batch.Records, e.AppendRecord(nil))
		}
		tx := l.sign("producer", batch)
		started := time.Now()
		result := l.block(tx)
		delivered := result.Delivered
		for delivered < readings && result.Dead == 0 {
			result = l.block()
			delivered += result.Delivered
		}
		spent += time.Since(started)
		if delivered != readings {
			b.Fatalf("%d deliveries, %d dead: %+v", delivered, result.Dead, result.Logs)
		}
		sequence, done = sequence+readings, done+readings
	}
	b.ReportMetric(float64(done)/spent.Seconds(), "debits/s")
}
