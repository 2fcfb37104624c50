package sim

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// stream is where Submit appends.
const stream = "sim"

// Bounds of the batches that Submit makes, below those of the protocol.
const (
	batchEvents = 5_000
	batchBytes  = 512 << 10
)

// expiryBlocks is how long a transaction of this package may wait.
const expiryBlocks = 1_000

// Submit puts events of Producer's stream into the mempool; the next block
// records them. An event without an id or source gets its sequence and "/sim".
func (l *Ledger) Submit(events ...protocol.Event) error {
	return l.SubmitAs(Producer, stream, events...)
}

// SubmitAs submits events to a stream of an account's.
func (l *Ledger) SubmitAs(account, stream string, events ...protocol.Event) error {
	at := streamKey{account, stream}
	var records [][]byte
	size, first := 0, l.next[at]
	send := func() error {
		if len(records) == 0 {
			return nil
		}
		batch := &protocol.Batch{Stream: stream, First: first, Seed: seed(account, stream, first), Records: records}
		if err := l.sign(account, batch); err != nil {
			return err
		}
		first += uint64(len(records))
		l.next[at], records, size = first, nil, 0
		return nil
	}
	for i, e := range events {
		if e.ID == "" {
			e.ID = strconv.FormatUint(first+uint64(len(records)), 10)
		}
		if e.Source == "" {
			e.Source = "/sim"
		}
		if err := e.Validate(); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		record := e.AppendRecord(nil)
		if len(records) == batchEvents || size+len(record) > batchBytes {
			if err := send(); err != nil {
				return err
			}
		}
		records, size = append(records, record), size+len(record)
	}
	return send()
}

// seed is a batch's secret: deterministic, and different for every batch.
func seed(account, stream string, first uint64) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "simulated seed %s/%s/%d", account, stream, first))
}

// Deploy deploys a contract for Author in a block of its own and answers its
// address. args is a JSON object, or nil. The error is a *Refused when the
// ledger refused it.
func (l *Ledger) Deploy(wasm, manifest, args []byte) (protocol.Address, error) {
	out, err := l.act(Author, &protocol.Deploy{Code: wasm, Manifest: manifest, Args: args})
	if err != nil {
		return protocol.Address{}, err
	}
	entry, err := l.Entry(out.First)
	if err != nil {
		return protocol.Address{}, err
	}
	return entry.Act.(*protocol.ContractAct).Contract, nil
}

// Call calls a contract's method for an account, in a block of its own. args
// is a JSON object, or nil. The error is a *Refused when the ledger refused it.
func (l *Ledger) Call(account, contract, method string, args []byte) (Outcome, error) {
	c, err := l.Contract(contract)
	if err != nil {
		return Outcome{}, err
	}
	return l.act(account, &protocol.Call{Contract: c.Address, Method: method, Args: args})
}

// act sends a transaction and makes blocks until it is decided.
func (l *Ledger) act(account string, body protocol.Body) (Outcome, error) {
	if err := l.sign(account, body); err != nil {
		return Outcome{}, err
	}
	id, err := protocol.TxID(l.options.ChainID, l.waiting[len(l.waiting)-1])
	if err != nil {
		return Outcome{}, err
	}
	for range expiryBlocks {
		block, err := l.Block()
		if err != nil {
			return Outcome{}, err
		}
		for _, out := range block.Outcomes {
			if out.TxID != id {
				continue
			}
			if out.Code != protocol.CodeOK {
				return out, &Refused{out}
			}
			return out, nil
		}
	}
	return Outcome{}, fmt.Errorf("sim: transaction %s was not decided in %d blocks", id, expiryBlocks)
}

// sign makes a transaction of an account's and puts it into the mempool.
func (l *Ledger) sign(account string, body protocol.Body) error {
	raw, err := protocol.SignTx(l.options.ChainID, key(account), l.Height()+expiryBlocks, l.nonce, body)
	if err != nil {
		return err
	}
	l.nonce++
	return l.Send(raw)
}

// Send puts an encoded transaction into the mempool. The error is a
// *protocol.Error when the check refused it.
func (l *Ledger) Send(raw []byte) error {
	res, err := l.app.CheckTx(ctx, &abci.RequestCheckTx{Tx: raw})
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	if res.Code != 0 {
		return &protocol.Error{Code: protocol.Code(res.Code), Text: res.Log}
	}
	l.waiting = append(l.waiting, raw)
	return nil
}
