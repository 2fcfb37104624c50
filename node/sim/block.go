package sim

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Block is a decided block and what it came to.
type Block struct {
	Height uint64
	Time   time.Time
	Txs    [][]byte

	AppHash  protocol.Hash
	Outcomes []Outcome // by transaction

	Delivered    int    // contract deliveries that committed
	DeadLettered int    // contract deliveries given up
	Gas          uint64 // used by deliveries and by looking for them
}

// hash tells the block from every other, as that of a header does.
func (b *Block) hash() []byte {
	h := sha256.New()
	fmt.Fprintln(h, b.Height, b.Time.UnixNano(), len(b.Txs))
	for _, tx := range b.Txs {
		fmt.Fprintln(h, len(tx))
		h.Write(tx)
	}
	return h.Sum(nil)
}

// Outcome is what the ledger decided about a transaction.
type Outcome struct {
	protocol.Outcome
	Height uint64
	TxID   protocol.Hash
	Gas    uint64
	Text   string // for people: why it was refused
}

// Refused is the error of a transaction whose outcome is not OK.
type Refused struct{ Outcome }

// Error renders code and reason.
func (r *Refused) Error() string { return r.Unwrap().Error() }

// Unwrap gives the refusal its code.
func (r *Refused) Unwrap() error { return &protocol.Error{Code: r.Code, Text: r.Text} }

// Block makes a block of what waits, one interval after the last.
func (l *Ledger) Block() (*Block, error) { return l.Advance(l.options.Interval) }

// Advance makes a block of what waits, d after the last one.
func (l *Ledger) Advance(d time.Duration) (*Block, error) {
	if d < time.Millisecond {
		return nil, fmt.Errorf("sim: block time advances by a millisecond at least, not by %s", d)
	}
	prepared, err := l.app.PrepareProposal(ctx, &abci.RequestPrepareProposal{
		Txs: l.waiting, MaxTxBytes: l.options.BlockBytes, Height: int64(l.Height()) + 1, Time: l.now.Add(d),
	})
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	block := &Block{Height: l.Height() + 1, Time: l.now.Add(d).Truncate(time.Millisecond), Txs: prepared.Txs}
	if err := l.decide(block); err != nil {
		return nil, err
	}
	return block, l.recheck(block)
}

// recheck keeps of the mempool what the block left and may still wait.
func (l *Ledger) recheck(block *Block) error {
	decided := make(map[string]bool, len(block.Txs))
	for _, tx := range block.Txs {
		decided[string(tx)] = true
	}
	left := l.waiting[:0]
	for _, tx := range l.waiting {
		if decided[string(tx)] {
			continue
		}
		res, err := l.app.CheckTx(ctx, &abci.RequestCheckTx{Tx: tx, Type: abci.CheckTxType_Recheck})
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
		if res.Code == 0 {
			left = append(left, tx)
		}
	}
	l.waiting = left
	return nil
}

// decide executes a block that follows the last one and keeps it.
func (l *Ledger) decide(block *Block) error {
	if err := l.accept(block); err != nil {
		return err
	}
	if err := l.keepCode(block); err != nil {
		return err
	}
	l.blocks = append(l.blocks, block)
	l.now = block.Time
	if err := l.finalize(block); err != nil {
		return err
	}
	return l.commit()
}

// keepCode remembers the modules that a block brings, for Runs.
func (l *Ledger) keepCode(block *Block) error {
	for _, raw := range block.Txs {
		if kind := protocol.TxKind(raw[1]); kind != protocol.TxDeploy && kind != protocol.TxUpgrade { // the second byte is the kind
			continue
		}
		tx, err := protocol.DecodeTx(l.options.ChainID, raw)
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
		var code []byte
		switch body := tx.Body.(type) {
		case *protocol.Deploy:
			code = body.Code
		case *protocol.Upgrade:
			code = body.Code
		}
		l.codes[sha256.Sum256(code)] = code
	}
	return nil
}

// accept asks the application, as a validator that votes would.
func (l *Ledger) accept(block *Block) error {
	res, err := l.app.ProcessProposal(ctx, &abci.RequestProcessProposal{
		Hash: block.hash(), Txs: block.Txs, Height: int64(block.Height), Time: block.Time,
	})
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	if !res.IsAccepted() {
		return fmt.Errorf("sim: the proposal for height %d is refused", block.Height)
	}
	return nil
}

// Apply takes over a block that another ledger decided. It fails when the
// results differ: the two have diverged.
func (l *Ledger) Apply(other *Block) error {
	if next := l.Height() + 1; other.Height != next {
		return fmt.Errorf("sim: block %d does not follow height %d", other.Height, next-1)
	}
	block := &Block{Height: other.Height, Time: other.Time, Txs: other.Txs}
	if err := l.decide(block); err != nil {
		return err
	}
	return block.same(other)
}

// same compares what two ledgers made of a block: all that CometBFT would hash.
func (b *Block) same(other *Block) error {
	if b.AppHash != other.AppHash {
		return fmt.Errorf("sim: height %d has app hash %s here and %s there", b.Height, b.AppHash, other.AppHash)
	}
	for i := range b.Outcomes {
		here, there := b.Outcomes[i], other.Outcomes[i]
		here.Text, there.Text = "", ""
		if here != there {
			return fmt.Errorf("sim: transaction %d of height %d came to %+v here and %+v there", i, b.Height, here, there)
		}
	}
	return nil
}

// finalize executes a block; nothing of it is on disk yet.
func (l *Ledger) finalize(block *Block) (err error) {
	defer l.recoverHalt(&err)
	before := l.app.Totals()
	res, err := l.app.FinalizeBlock(ctx, &abci.RequestFinalizeBlock{
		Hash: block.hash(), Height: int64(block.Height), Time: block.Time, Txs: block.Txs,
	})
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	after := l.app.Totals()
	block.AppHash = protocol.Hash(res.AppHash)
	block.Gas = after.Gas - before.Gas
	block.Delivered = int(after.Delivered - before.Delivered)
	block.DeadLettered = int(after.DeadLettered - before.DeadLettered)
	block.Outcomes = make([]Outcome, len(res.TxResults))
	for i, r := range res.TxResults {
		out := &block.Outcomes[i]
		if out.Outcome, err = protocol.DecodeOutcome(r.Data); err != nil {
			return fmt.Errorf("sim: outcome %d of height %d: %w", i, block.Height, err)
		}
		out.Height, out.Gas, out.Text = block.Height, uint64(r.GasUsed), strings.TrimPrefix(r.Log, out.Code.Name()+": ")
		if out.TxID, err = protocol.TxID(l.options.ChainID, block.Txs[i]); err != nil {
			return fmt.Errorf("sim: transaction %d of height %d: %w", i, block.Height, err)
		}
	}
	return nil
}

// commit makes the executed block durable.
func (l *Ledger) commit() (err error) {
	defer l.recoverHalt(&err)
	if _, err = l.app.Commit(ctx, &abci.RequestCommit{}); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	return nil
}

// recoverHalt turns the end of the process into an error: the application
// panics after it halted. Another panic passes.
func (l *Ledger) recoverHalt(err *error) {
	if l.fault == nil {
		return
	}
	_ = recover()
	*err = fmt.Errorf("sim: the node halted: %w", l.fault)
}

// handshake brings the application up to the decided blocks.
func (l *Ledger) handshake() error {
	info, err := l.app.Info(ctx, &abci.RequestInfo{})
	if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	switch height := info.LastBlockHeight; {
	case height == 0:
		_, err := l.app.InitChain(ctx, &abci.RequestInitChain{ChainId: l.options.ChainID, Time: l.genesis.Time, InitialHeight: 1})
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
	case height > int64(len(l.blocks)):
		return fmt.Errorf("sim: the store is at height %d, decided are %d", height, len(l.blocks))
	case !bytes.Equal(info.LastBlockAppHash, l.blocks[height-1].AppHash[:]):
		return fmt.Errorf("sim: height %d has app hash %x after a restart, had %s", height, info.LastBlockAppHash, l.blocks[height-1].AppHash)
	}
	missing := l.blocks[info.LastBlockHeight:]
	l.again = len(missing)
	for _, decided := range missing {
		block := *decided
		if err := errors.Join(l.finalize(&block), l.commit()); err != nil {
			return err
		}
		if decided.Outcomes == nil { // the process had died in it
			*decided = block
		} else if err := block.same(decided); err != nil {
			return err
		}
	}
	return nil
}
